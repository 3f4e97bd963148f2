//! The text that Prometheus reads (exposition format 0.0.4).

use std::fmt::{Display, Write as _};
use std::time::Duration;

use super::Histogram;
use super::families::Family;

/// Under which media type it is sent.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The names and values of labels.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// The text so far.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, family: &Family) {
        let Family { name, kind, help } = family;
        let kind = kind.as_str();
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number of the family begun last.
    pub(super) fn sample(&mut self, family: &Family, labels: Labels<'_>, value: impl Display) {
        self.line(family.name, "", labels, None, value);
    }

    /// A family of one number without labels.
    pub(super) fn single(&mut self, family: &Family, value: impl Display) {
        self.family(family);
        self.sample(family, &[], value);
    }

    /// The samples of a histogram.
    pub(super) fn histogram(&mut self, family: &Family, labels: Labels<'_>, histogram: &Histogram) {
        let (buckets, all, sum) = histogram.read();
        for (end, count) in buckets {
            self.line(family.name, "_bucket", labels, Some(&seconds(end).to_string()), count);
        }
        self.line(family.name, "_bucket", labels, Some("+Inf"), all);
        self.line(family.name, "_sum", labels, None, seconds(sum));
        self.line(family.name, "_count", labels, None, all);
    }

    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        labels: Labels<'_>,
        end: Option<&str>,
        value: impl Display,
    ) {
        let _ = write!(self.0, "{name}{suffix}");
        let labels = labels.iter().copied().chain(end.map(|end| ("le", end)));
        let mut before = '{';
        for (label, text) in labels {
            let _ = write!(self.0, "{before}{label}=\"");
            for letter in text.chars() {
                match letter {
                    '\\' | '"' => self.0.extend(['\\', letter]),
                    '\n' => self.0.push_str("\\n"),
                    _ => self.0.push(letter),
                }
            }
            self.0.push('"');
            before = ',';
        }
        if before == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// In the unit Prometheus wants.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::families::Kind;

    #[test]
    fn a_label_cannot_end_its_line() {
        let family = Family { name: "a_total", kind: Kind::Counter, help: "Some." };
        let mut text = Text::default();
        text.family(&family);
        text.sample(&family, &[("one", "a\"b\\c\nd"), ("two", "ö")], 7);
        let expected = "# HELP a_total Some.\n# TYPE a_total counter\n\
                        a_total{one=\"a\\\"b\\\\c\\nd\",two=\"ö\"} 7\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_histogram_is_cumulative() {
        const ENDS: [Duration; 2] = [Duration::from_micros(100), Duration::from_secs(1)];
        let family = Family { name: "t_seconds", kind: Kind::Histogram, help: "Some." };
        let histogram = Histogram::new(&ENDS);
        histogram.took(Duration::from_micros(50));
        histogram.took(Duration::from_secs(2));
        let mut text = Text::default();
        text.histogram(&family, &[("route", "/ws")], &histogram);
        let expected = "t_seconds_bucket{route=\"/ws\",le=\"0.0001\"} 1\n\
                        t_seconds_bucket{route=\"/ws\",le=\"1\"} 1\n\
                        t_seconds_bucket{route=\"/ws\",le=\"+Inf\"} 2\n\
                        t_seconds_sum{route=\"/ws\"} 2.00005\n\
                        t_seconds_count{route=\"/ws\"} 2\n";
        assert_eq!(text.finish(), expected);
    }
}
