//! Reads `docs/alerts.yml` and judges its rules over readings of a real Room: the few words of
//! Prometheus' language that those use, and a panic for any other.

use std::collections::{BTreeMap, BTreeSet};

use super::Samples;

/// One rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// When it is true.
    pub expr: String,
    /// What else is said of it, by name.
    pub says: BTreeMap<String, String>,
}

/// The rules of that text, which must have the plain form in which ours are written.
///
/// # Panics
///
/// When it has not.
pub fn rules(text: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let lines = text.lines().skip_while(|line| line.trim() != "rules:").skip(1);
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            rules.push(Rule { name: name.to_owned(), ..Rule::default() });
        } else if !["labels:", "annotations:"].contains(&line) {
            let (key, value) = line.split_once(": ").expect("a key and a value");
            let rule = rules.last_mut().expect("a rule");
            if key == "expr" {
                value.clone_into(&mut rule.expr);
            } else {
                rule.says.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    rules
}

/// Readings of one Room, one after the other, as Prometheus would keep them.
#[derive(Debug, Default)]
pub struct Readings(Vec<Vector>);

type Labels = BTreeMap<String, String>;
type Vector = BTreeMap<Labels, f64>;

/// The label that holds the name of a series.
const NAME: &str = "__name__";

impl Readings {
    /// Adds a reading; `None` if the Room did not answer.
    pub fn add(&mut self, samples: Option<&Samples>) {
        let of_job = |name: &str| {
            let pairs = [(NAME, name), ("job", "room"), ("instance", "room:9091")];
            pairs.map(|(label, value)| (label.to_owned(), value.to_owned())).into()
        };
        let mut all = Vector::from([(of_job("up"), f64::from(u8::from(samples.is_some())))]);
        for (name, labels, value) in samples.iter().flat_map(|samples| samples.all()) {
            let mut with_job: Labels = of_job(name);
            with_job.extend(labels.clone());
            all.insert(with_job, value);
        }
        self.0.push(all);
    }

    /// Whether a rule is true now.
    ///
    /// # Panics
    ///
    /// When it has a word in it that is not known here.
    pub fn make_true(&self, rule: &Rule) -> bool {
        let mut parser = Parser { rest: &rule.expr, readings: &self.0 };
        let found = parser.comparison();
        assert!(parser.rest.is_empty(), "{}: not understood: {}", rule.name, parser.rest);
        !found.is_empty()
    }

    /// The names of the series that a rule asks for.
    pub fn names(rule: &Rule) -> BTreeSet<String> {
        let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let words = rule.expr.split(|letter| !is_of_a_name(letter));
        words
            .filter(|word| word.starts_with("room_") || word.starts_with("process_"))
            .map(str::to_owned)
            .collect()
    }
}

struct Parser<'a> {
    rest: &'a str,
    readings: &'a [Vector],
}

impl<'a> Parser<'a> {
    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest;
        true
    }

    fn need(&mut self, text: &str) {
        assert!(self.eat(text), "wanted {text:?} before {:?}", self.rest);
    }

    fn until(&mut self, end: char) -> &'a str {
        let (before, rest) = self.rest.split_once(end).expect("an end");
        self.rest = rest;
        before
    }

    /// `ratio OP number`: what is left of it.
    fn comparison(&mut self) -> Vector {
        let left = self.ratio();
        let holds: fn(f64, f64) -> bool = if self.eat(" == ") {
            |one, other| (one - other).abs() < 1e-9
        } else if self.eat(" > ") {
            |one, other| one > other
        } else {
            self.need(" < ");
            |one, other| one < other
        };
        let number: f64 = std::mem::take(&mut self.rest).parse().expect("a number at the end");
        left.into_iter().filter(|(_, value)| holds(*value, number)).collect()
    }

    /// `term` or `term / term`, those with the same labels.
    fn ratio(&mut self) -> Vector {
        let above = self.term();
        if !self.eat(" / ") {
            return above;
        }
        let nameless = |vector: Vector| -> Vector {
            let strip = |(mut labels, value): (Labels, f64)| {
                labels.remove(NAME);
                (labels, value)
            };
            vector.into_iter().map(strip).collect()
        };
        let below = nameless(self.term());
        let both = nameless(above).into_iter();
        both.filter_map(|(labels, value)| Some((labels.clone(), value / below.get(&labels)?)))
            .collect()
    }

    fn term(&mut self) -> Vector {
        if self.eat("sum by (") {
            let by: Vec<&str> = self.until(')').split(", ").collect();
            self.need(" (");
            let inner = self.term();
            self.need(")");
            let mut sums = Vector::new();
            for (labels, value) in inner {
                let kept = labels.into_iter().filter(|(label, _)| by.contains(&label.as_str()));
                *sums.entry(kept.collect()).or_default() += value;
            }
            return sums;
        }
        for (function, step) in [("increase(", increase as Step), ("changes(", change as Step)] {
            if self.eat(function) {
                let wanted = self.selector();
                self.need("[");
                self.until(']');
                self.need(")");
                return self.over_time(&wanted, step);
            }
        }
        let wanted = self.selector();
        let now = self.readings.last().into_iter().flatten();
        now.filter(|(labels, _)| wanted.fits(labels))
            .map(|(labels, value)| (labels.clone(), *value))
            .collect()
    }

    /// The sum of the steps between readings, of each series; without those seen only once.
    fn over_time(&self, wanted: &Selector<'_>, step: Step) -> Vector {
        let mut sums = Vector::new();
        let mut last = Vector::new();
        for reading in self.readings {
            for (labels, value) in reading.iter().filter(|(labels, _)| wanted.fits(labels)) {
                if let Some(before) = last.insert(labels.clone(), *value) {
                    *sums.entry(labels.clone()).or_default() += step(before, *value);
                }
            }
        }
        sums
    }

    /// `name{label="value",…}`
    fn selector(&mut self) -> Selector<'a> {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        assert!(!name.is_empty(), "no name: {:?}", self.rest);
        self.rest = rest;
        let mut matchers = Vec::new();
        if self.eat("{") {
            loop {
                let end = self.rest.find(['=', '!']).expect("an operator");
                let (label, rest) = self.rest.split_at(end);
                self.rest = rest;
                let kinds = ["=~\"", "!~\"", "!=\"", "=\""];
                let kind = kinds.into_iter().find(|kind| self.eat(kind)).expect("an operator");
                matchers.push((label, kind, self.until('"')));
                if self.eat("}") {
                    break;
                }
                self.need(",");
            }
        }
        Selector { name, matchers }
    }
}

type Step = fn(f64, f64) -> f64;

/// A counter that is smaller than before has begun anew.
fn increase(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

fn change(before: f64, now: f64) -> f64 {
    f64::from(u8::from((before - now).abs() > 1e-9))
}

struct Selector<'a> {
    name: &'a str,
    matchers: Vec<(&'a str, &'static str, &'a str)>,
}

impl Selector<'_> {
    fn fits(&self, labels: &Labels) -> bool {
        labels.get(NAME).is_some_and(|name| name == self.name)
            && self.matchers.iter().all(|(label, kind, wanted)| {
                let found = labels.get(*label).map_or("", String::as_str);
                match *kind {
                    "=\"" => found == *wanted,
                    "!=\"" => found != *wanted,
                    "=~\"" => is_like(found, wanted),
                    _ => !is_like(found, wanted),
                }
            })
    }
}

/// Words with bars between, in which a dot is any letter: all that our rules need.
fn is_like(found: &str, pattern: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_|.".contains(letter);
    assert!(pattern.chars().all(plain), "no pattern of ours: {pattern}");
    pattern.split('|').any(|word| {
        let mut letters = found.chars();
        word.chars().all(|wanted| letters.next().is_some_and(|c| wanted == '.' || c == wanted))
            && letters.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(texts: &[&str]) -> Readings {
        let mut readings = Readings::default();
        for text in texts {
            let text = format!("# HELP a_total A.\n# TYPE a_total counter\n{text}\n");
            readings.add(Some(&Samples::parse(&text)));
        }
        readings
    }

    #[track_caller]
    fn check(texts: &[&str], expr: &str, expected: bool) {
        let rule = Rule { expr: expr.to_owned(), ..Rule::default() };
        assert_eq!(readings(texts).make_true(&rule), expected, "{expr}");
    }

    #[test]
    fn rules_are_judged_as_prometheus_does() {
        let one = "a_total{x=\"500\"} 4\na_total{x=\"503\"} 1";
        let two = "a_total{x=\"500\"} 6\na_total{x=\"503\"} 0";
        check(&[one], "up{job=\"room\"} == 1", true);
        check(&[one], "a_total > 4", false);
        check(&[one], "a_total{x!=\"500\"} < 2", true);
        check(&[one], "increase(a_total[1h]) > 0", false);
        check(&[one, two], "increase(a_total[1h]) > 1", true);
        check(&[one, two], "sum by (job) (increase(a_total{x=~\"5..\"}[1h])) > 1.5", true);
        check(&[one, two], "sum by (job) (increase(a_total{x!~\"50.|x\"}[1h])) > 0", false);
        check(&[one, two, one], "increase(a_total{x=\"500\"}[1h]) > 5", true);
        check(&[one, two, one], "changes(a_total{x=\"500\"}[1h]) == 2", true);
        check(&[one], "a_total{x=\"500\"} / a_total > 0.9", true);
        check(&[one], "a_total{x=\"500\"} / a_total > 1", false);
        let mut gone = readings(&[one]);
        gone.add(None);
        let rule = Rule { expr: "up == 0".to_owned(), ..Rule::default() };
        assert!(gone.make_true(&rule));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for expr in ["rate(a_total[1m]) > 0", "a_total", "a_total > x", "a_total > 1 or b > 1"] {
            let judged = std::panic::catch_unwind(|| check(&["a_total 1"], expr, true));
            assert!(judged.is_err(), "{expr}");
        }
    }
}
