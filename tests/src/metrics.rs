//! Reads the numbers of a Room under test, strictly: what Prometheus would take amiss is a panic.

pub mod alerts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use reqwest::header::CONTENT_TYPE;

use crate::app::TestApp;

/// One reading.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// By name and labels, as they were written.
    all: BTreeMap<(String, BTreeMap<String, String>), f64>,
    /// By family, `counter`, `gauge` or `histogram`.
    kinds: BTreeMap<String, String>,
}

impl Samples {
    /// Asks a running server; it must have been started with `ROOM_METRICS_BIND`.
    ///
    /// # Panics
    ///
    /// When it does not answer, or with something else.
    pub async fn of(app: &TestApp) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{}/metrics", address(app));
        let answer = client.get(url).send().await.expect("the numbers can be read");
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("text").to_owned();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(&answer.text().await.expect("the numbers are whole"))
    }

    /// Reads the text of one reading.
    ///
    /// # Panics
    ///
    /// When it is not in the exposition format: a sample without its family's `HELP` and `TYPE`
    /// just before, one that comes twice, a histogram that is not whole.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut read = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a name and a text");
                assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
                name.clone_into(&mut family);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a kind");
                assert!(name == family && ["counter", "gauge", "histogram"].contains(&kind));
                assert!(read.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (name, labels, value) = sample(line);
                let kind = read.kinds.get(&family).map(String::as_str);
                let ends: &[&str] =
                    if kind == Some("histogram") { &["_bucket", "_sum", "_count"] } else { &[""] };
                let of_family = ends.iter().any(|end| name.strip_suffix(end) == Some(&family));
                assert!(kind.is_some() && of_family, "no family of its own: {line}");
                assert_eq!(labels.contains_key("le"), name.ends_with("_bucket"), "{line}");
                assert!(kind == Some("gauge") || value >= 0.0, "{line}");
                assert!(read.all.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        read.check_histograms();
        read
    }

    fn check_histograms(&self) {
        for ((name, labels), count) in &self.all {
            let Some(family) = name.strip_suffix("_count") else { continue };
            if self.kinds.get(family).map(String::as_str) != Some("histogram") {
                continue;
            }
            assert!(self.all.contains_key(&(format!("{family}_sum"), labels.clone())), "{family}");
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for ((other, with_end), value) in &self.all {
                let mut without = with_end.clone();
                if let Some(end) = without.remove("le")
                    && *other == format!("{family}_bucket")
                    && without == *labels
                {
                    let end = if end == "+Inf" { f64::INFINITY } else { number(&end) };
                    buckets.push((end, *value));
                }
            }
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{family}: {buckets:?}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{family}");
        }
    }

    /// The sum of all samples of that name which have these labels among theirs; 0 if there are
    /// none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|(_, value)| value).sum()
    }

    /// Whether there is a sample of that name with these labels among its own.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.with(name, labels).next().is_some()
    }

    /// All samples of that name which have these labels among theirs.
    pub fn with<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a BTreeMap<String, String>, f64)> {
        let fits = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|own| own == value))
        };
        let named = self.all.iter().filter(move |((own, found), _)| own == name && fits(found));
        named.map(|((_, labels), value)| (labels, *value))
    }

    /// The families there are, with their kinds.
    pub fn kinds(&self) -> &BTreeMap<String, String> {
        &self.kinds
    }

    /// Every sample: name, labels, value.
    pub fn all(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>, f64)> {
        self.all.iter().map(|((name, labels), value)| (name.as_str(), labels, *value))
    }
}

/// Where a running server's numbers are.
///
/// # Panics
///
/// When it says nothing about that.
pub fn address(app: &TestApp) -> SocketAddr {
    let file = app.data().join("metrics.address");
    let text = fs::read_to_string(file).expect("the server says where its numbers are");
    text.parse().expect("an address")
}

/// `name{label="value",…} number`
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect("a name and something after it");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label has a value");
            let mut value = String::new();
            let mut letters = after.char_indices();
            let end = loop {
                match letters.next().expect("a value has an end") {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match letters.next() {
                        Some((_, 'n')) => '\n',
                        Some((_, letter @ ('\\' | '"'))) => letter,
                        other => panic!("{other:?} is no escape: {line}"),
                    }),
                    (_, letter) => value.push(letter),
                }
            };
            assert!(is_name(label), "{line}");
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = &after[end + 1..];
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => panic!("no end of the labels: {line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one blank before the number");
    (name.to_owned(), labels, number(value))
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    !text.is_empty() && text.bytes().all(plain)
}

fn number(text: &str) -> f64 {
    let value: f64 = text.parse().expect("a number");
    assert!(value.is_finite(), "{text}");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total All.\n# TYPE a_total counter\na_total{x=\"1\\\"}\"} 2\n\
        a_total{x=\"2\"} 3\n# HELP s_seconds Time.\n# TYPE s_seconds histogram\n\
        s_seconds_bucket{le=\"0.1\"} 1\ns_seconds_bucket{le=\"+Inf\"} 2\ns_seconds_sum 0.5\n\
        s_seconds_count 2\n";

    #[test]
    fn what_is_well_formed_is_read() {
        let read = Samples::parse(GOOD);
        assert!((read.sum("a_total", &[]) - 5.0).abs() < 1e-9);
        assert!((read.sum("a_total", &[("x", "1\"}")]) - 2.0).abs() < 1e-9);
        assert!(!read.has("a_total", &[("x", "3")]) && read.has("s_seconds_count", &[]));
        assert_eq!(read.kinds()["s_seconds"], "histogram");
    }

    #[test]
    fn what_is_not_is_refused() {
        for (from, to) in [
            ("# TYPE a_total counter\n", ""),
            ("# HELP a_total All.\n", ""),
            ("x=\"2\"} 3", "x=\"2\"}  3"),
            ("x=\"2\"} 3", "x=\"2\"} three"),
            ("x=\"2\"} 3", "x=\"2\" 3"),
            ("x=\"2\"} 3", "x=\"2\"} -3"),
            ("x=\"2\"}", "x=\"1\\\"}\"}"),
            ("s_seconds_sum 0.5\n", ""),
            ("le=\"0.1\"} 1", "le=\"0.1\"} 3"),
            ("s_seconds_count 2", "s_seconds_count 3"),
            ("s_seconds_count 2\n", "s_seconds_count 2"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            let read = std::panic::catch_unwind(|| Samples::parse(&bad));
            assert!(read.is_err(), "{bad}");
        }
    }
}
