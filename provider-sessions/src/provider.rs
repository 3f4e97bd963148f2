//! How `codex` and `claude` differ: data in `providers/*.toml`, read here, with no branches elsewhere.

mod check;
mod home;
mod install;
mod key;
mod method;
mod pattern;
mod scan;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

pub use check::RowFault;
pub use home::{Home, HomeStrategy, StoreSetting};
pub use install::{Archive, Install};
pub use key::{Key, KeyCheck, KeyStore, StoredKey};
pub use method::{Ends, Method, MethodKind, Yields};
pub use pattern::Pattern;
pub use scan::{AnswerRule, FailureRule, LinkRule, ScanRules};
pub use status::{AccountFile, JwtAccount, Logout, StatusCommand, StatusText, TextAccount};

/// The rows this crate ships, in the order a person sees them.
pub fn built_in() -> &'static [Arc<Provider>] {
    static ROWS: LazyLock<Vec<Arc<Provider>>> = LazyLock::new(|| {
        [
            include_str!("../providers/codex.toml"),
            include_str!("../providers/claude.toml"),
            include_str!("../providers/gh.toml"),
            include_str!("../providers/copilot.toml"),
            include_str!("../providers/gemini.toml"),
        ]
        .into_iter()
        .map(|text| Arc::new(Provider::parse(text).expect("built-in rows are tested")))
        .collect()
    });
    &ROWS
}

/// One provider: a program that can sign itself in, and everything Room must know about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name in routes and channels: lower-case letters, digits and dashes.
    pub id: String,
    /// The name a person reads.
    pub name: String,
    /// Whose servers it signs in at.
    pub vendor: String,
    /// What a person signs in with, in a few words.
    pub plans: String,
    /// The executable looked up on `PATH`.
    pub program: String,
    /// When a person sees it.
    #[serde(default)]
    pub shown: Shown,
    /// Variables its processes are given besides the fixed ones.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The only hosts a sign-in link may lead to.
    pub hosts: Vec<String>,
    /// What a person must have switched on first.
    #[serde(default)]
    pub prerequisite: Option<Prerequisite>,
    /// The ways to sign in, the best first.
    #[serde(rename = "method")]
    pub methods: Vec<Method>,
    /// Keys it takes instead, the best first.
    #[serde(default, rename = "key")]
    pub keys: Vec<Key>,
    /// How its program gets onto the machine.
    pub install: Install,
    /// Where the credentials live.
    pub home: Home,
    /// How to ask whether it is signed in.
    pub status: StatusCommand,
    /// How to sign out.
    pub logout: Logout,
    /// What to look for on its screen.
    pub scan: ScanRules,
    /// What its failures say, most particular first.
    #[serde(default, rename = "failure")]
    pub failures: Vec<FailureRule>,
}

impl Provider {
    /// Reads one row.
    ///
    /// # Errors
    /// The TOML error, with its line, when the row is not one.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The method of that name, or the default one.
    pub fn method(&self, id: Option<&str>) -> Option<&Method> {
        match id {
            Some(id) => self.methods.iter().find(|method| method.id == id),
            None => self.methods.first(),
        }
    }
}

/// When a person sees a provider.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Always, with how to install what is missing.
    #[default]
    Always,
    /// Only where its program is installed.
    Installed,
}

/// Something to switch on at the vendor before a sign-in can work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// What to do, in a sentence.
    pub text: String,
    /// Where to do it.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_rows_are_whole() {
        for row in built_in() {
            assert!(row.method(None).is_some(), "{} has a default method", row.id);
            assert!(row.method(Some("no such")).is_none());
            assert!(!row.hosts.is_empty(), "{} names its hosts", row.id);
        }
    }
}
