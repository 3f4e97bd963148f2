//! Regular expressions in rows.

use std::sync::{Arc, OnceLock};

use regex::Regex;
use serde::Deserialize;

/// A regular expression as it stands in a row, made ready at its first use: a server with nothing to
/// scan holds none of them, and all of them are megabytes. Clones share it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Arc<Lazy>);

#[derive(Debug)]
struct Lazy {
    text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern of this crate's own.
    pub(super) fn built_in(text: &str) -> Self {
        Self(Arc::new(Lazy { text: text.to_owned(), regex: OnceLock::new() }))
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = regex_syntax::ast::parse::Parser::new().parse(&text);
        parsed.map_err(|fault| regex::Error::Syntax(fault.to_string()))?;
        let pattern = Self::built_in(&text);
        #[cfg(test)]
        tests::READ.with_borrow_mut(|read| read.push(pattern.clone()));
        Ok(pattern)
    }
}

impl std::ops::Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        let Lazy { text, regex } = &*self.0;
        regex.get_or_init(|| {
            Regex::new(text).unwrap_or_else(|error| {
                // Well written, but larger than any should be, or of a class that does not exist.
                tracing::error!(%error, "a row's pattern cannot be used, and matches nothing");
                Regex::new("[^\\s\\S]").expect("a constant")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// The patterns that were read in this test.
        pub(super) static READ: RefCell<Vec<Pattern>> = const { RefCell::new(Vec::new()) };
    }

    fn pattern(text: &str) -> Result<Pattern, regex::Error> {
        Pattern::try_from(text.to_owned())
    }

    #[test]
    fn a_pattern_is_made_ready_at_its_first_use_for_all_its_clones() {
        let first = pattern("^a+$").expect("well written");
        let second = first.clone();
        assert!(first.0.regex.get().is_none());
        assert!(second.is_match("aaa"));
        assert!(first.0.regex.get().is_some());
    }

    #[test]
    fn what_is_no_pattern_is_refused_and_what_cannot_be_used_matches_nothing() {
        for bad in ["(", "a{2", "[z-a]", "\\"] {
            assert!(pattern(bad).is_err(), "{bad}");
        }
        let large = pattern(r"(\w{500}){500}").expect("well written");
        assert!(!large.is_match("a"));
        assert!(!pattern(r"\p{NoSuchClass}").expect("well written").is_match("a"));
    }

    #[test]
    fn those_of_the_rows_can_be_used() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/providers");
        for file in std::fs::read_dir(folder).expect("the rows") {
            let path = file.expect("a row").path();
            READ.take();
            let text = std::fs::read_to_string(&path).expect("a row");
            crate::Provider::parse(&text).expect("a row");
            let read = READ.take();
            assert!(read.len() >= 5, "{} patterns in {}", read.len(), path.display());
            for pattern in read {
                assert_eq!(pattern.as_str(), pattern.0.text, "in {}", path.display());
            }
        }
    }
}
