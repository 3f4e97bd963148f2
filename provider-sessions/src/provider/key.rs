//! Keys a person can give instead of signing in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Pattern;

/// What stands where the key goes in [`KeyCheck::value`].
const KEY: &str = "{key}";

/// A kind of key that the provider takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Row")]
pub struct Key {
    /// The name in the API.
    pub id: String,
    /// The name a person reads.
    pub label: String,
    /// What it looks like, for a person: `sk-…`.
    pub format: String,
    /// What it looks like, whole; anything else is not taken.
    pub pattern: Pattern,
    /// Where it goes.
    pub store: KeyStore,
    /// The vendor's cheapest call that only a good key gets through; none where there is none.
    pub check: Option<KeyCheck>,
}

/// Where a key goes.
#[derive(Clone, Debug)]
pub enum KeyStore {
    /// The program stores it itself, read from its standard input.
    Program {
        /// The arguments after the program.
        args: Vec<String>,
        /// Where it then is.
        stored_in: StoredKey,
    },
    /// Room keeps it and hands it to the processes it starts.
    Room {
        /// The variable the program reads it from.
        variable: String,
    },
}

/// Where a program keeps a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredKey {
    /// The JSON file below the provider's folder.
    pub file: String,
    /// JSON pointer (RFC 6901) to the key.
    pub pointer: String,
    /// The method that the status answer names when it is signed in by a key.
    pub method: String,
}

/// A request that tells a good key from a bad one, and costs nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCheck {
    /// A `GET` of this address: 2xx for a good key, 401 or 403 for a bad one.
    pub url: String,
    /// The header that carries the key.
    pub header: String,
    /// Its value, `{key}` standing for the key.
    pub value: String,
    /// Further headers.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

impl KeyCheck {
    /// The header's value for that key; a secret.
    pub fn value_for(&self, key: &str) -> String {
        self.value.replace(KEY, key)
    }
}

/// A key as it stands in a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    label: String,
    format: String,
    pattern: Pattern,
    store: Store,
    args: Option<Vec<String>>,
    stored_in: Option<StoredKey>,
    variable: Option<String>,
    check: Option<KeyCheck>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Store {
    Program,
    Room,
}

impl TryFrom<Row> for Key {
    type Error = &'static str;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let store = match (row.store, row.args, row.stored_in, row.variable) {
            (Store::Program, Some(args), Some(stored_in), None) => {
                KeyStore::Program { args, stored_in }
            }
            (Store::Room, None, None, Some(variable)) => KeyStore::Room { variable },
            (Store::Program, ..) => {
                return Err("store = \"program\" goes with args and stored_in alone");
            }
            (Store::Room, ..) => return Err("store = \"room\" goes with variable alone"),
        };
        let Row { id, label, format, pattern, check, .. } = row;
        Ok(Self { id, label, format, pattern, store, check })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::built_in;

    #[test]
    fn each_kind_of_key_takes_its_own_and_no_other() {
        let tail = "abcdefghij-KLMNOPQRST_uvwxyz0123";
        let taken = |text: &str| {
            let rows = built_in().iter().filter(|row| ["codex", "claude"].contains(&&*row.id));
            let fit = rows.flat_map(|row| row.keys.iter().map(move |key| (&row.id, key)));
            let fit = fit.filter(|(_, key)| key.pattern.is_match(text));
            fit.map(|(row, key)| format!("{row} {}", key.id)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(taken(&format!("sk-{tail}")), "codex api_key");
        assert_eq!(taken(&format!("sk-proj-{tail}")), "codex api_key");
        assert_eq!(taken(&format!("sk-an-{tail}")), "codex api_key");
        assert_eq!(taken(&format!("sk-ant-api03-{tail}")), "claude api_key");
        assert_eq!(taken(&format!("sk-ant-oat01-{tail}")), "claude token");
        for text in
            ["", "sk-", "sk-short", "sk-ant-", &format!("x sk-{tail}"), &format!("sk-{tail} ")]
        {
            assert_eq!(taken(text), "", "{text:?}");
        }
    }

    #[test]
    fn a_key_goes_to_one_place() {
        let parse = |rest: &str| -> Result<Key, String> {
            let head = "id = 'k'\nlabel = 'K'\nformat = 'k-…'\npattern = '^k$'\n";
            toml::from_str(&format!("{head}{rest}")).map_err(|error| error.to_string())
        };
        let stored = "stored_in = { file = 'a', pointer = '/k', method = 'key' }";
        assert!(parse(&format!("store = 'program'\nargs = ['login']\n{stored}")).is_ok());
        assert!(parse("store = 'program'\nargs = ['login']").is_err());
        assert!(parse("store = 'room'\nvariable = 'K'").is_ok());
        let refused = parse("store = 'room'\nargs = ['login']").unwrap_err();
        assert!(refused.contains("goes with variable alone"), "{refused}");
        assert!(parse("store = 'elsewhere'\nvariable = 'K'").is_err());
        assert!(parse("store = 'room'\nvariable = 'K'\nvarible = 'K'").is_err());
    }
}
