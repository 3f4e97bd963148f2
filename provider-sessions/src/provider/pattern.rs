//! Regular expressions in rows.

use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;

/// A regular expression as it stands in a row; clones share it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Arc<Regex>);

impl Pattern {
    /// A pattern of this crate's own.
    pub(super) fn built_in(text: &str) -> Self {
        Self(Arc::new(Regex::new(text).expect("built-in patterns are tested")))
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(|regex| Self(Arc::new(regex)))
    }
}

impl std::ops::Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}
