//! The person's own rows: programs that Room does not know by itself (`[[provider]]` in
//! `room.toml`).

use std::sync::Arc;

use provider_sessions::Provider;
use provider_sessions::provider::built_in;

use super::settings::Reader;

/// The table's name.
pub(super) const TABLE: &str = "provider";

/// Reads them; what is wrong with any of them is noted in `read`, by field and with the fix.
pub(super) fn providers(read: &mut Reader<'_>) -> Vec<Arc<Provider>> {
    let mut rows: Vec<Arc<Provider>> = Vec::new();
    for (at, value) in read.array(TABLE).into_iter().enumerate() {
        let id = value.get("id").and_then(toml::Value::as_str);
        let name = format!(
            "room.toml: [[{TABLE}]] {}",
            id.map_or_else(|| format!("{}", at + 1), ToOwned::to_owned)
        );
        let row: Provider = match value.try_into() {
            Ok(row) => row,
            Err(error) => {
                read.fault_of(name, one_line(&error));
                continue;
            }
        };
        for fault in row.faults() {
            read.fault_of(name.clone(), fault.to_string());
        }
        let known = built_in().iter().chain(&rows).any(|other| other.id == row.id);
        if known {
            read.fault_of(name, "id is another provider's; choose one of its own".to_owned());
        }
        rows.push(Arc::new(row));
    }
    rows
}

/// What the reader says, and where, on one line.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment, Flags};

    const DOCUMENT: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers.md"));

    /// The worked example, as it stands in the document.
    fn example() -> &'static str {
        let start = DOCUMENT.find("[[provider]]").unwrap();
        let length = DOCUMENT[start..].find("```").unwrap();
        &DOCUMENT[start..start + length]
    }

    fn load(toml: &str) -> Result<Config, Vec<(String, String)>> {
        let environment = Environment::from([("HOME".to_owned(), "/home/ada".to_owned())]);
        Config::load(&Flags::new(), &environment, Some(toml))
            .map_err(|faults| faults.0.into_iter().map(|fault| (fault.name, fault.text)).collect())
    }

    #[test]
    fn the_worked_example_is_taken() {
        let config = load(example()).unwrap();
        assert_eq!(config.providers.len(), 1);
        assert_eq!(config.providers[0].id, "acme");
        assert!(load("").unwrap().providers.is_empty());
    }

    #[test]
    fn each_fault_names_the_row_the_field_and_the_fix() {
        for (from, to, words) in [
            ("id = \"acme\"", "id = \"codex\"", vec!["id is another provider's", "choose"]),
            ("hosts = [\"login.acme.example\"]", "hosts = []", vec!["hosts is empty", "name the"]),
            ("folder = \".acme\"", "folder = \"../../etc\"", vec!["home.folder", "relative path"]),
            ("folder = \".acme\"", "folder = \"/etc\"", vec!["home.folder", "relative path"]),
            ("plans =", "plan =", vec!["unknown field `plan`", "plans"]),
            ("code = '", "code = '[", vec!["regex parse error", "`scan.code`"]),
            ("kind = \"device_code\"", "kind = \"magic\"", vec!["magic", "device_code"]),
        ] {
            assert!(example().contains(from), "{from}");
            let faults = load(&example().replacen(from, to, 1)).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            let (name, text) = &faults[0];
            assert!(name.starts_with("room.toml: [[provider]] "), "{name}");
            assert!(!text.contains('\n'), "{text}");
            for word in words {
                assert!(text.contains(word), "{word:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn all_rows_are_told_of_at_once() {
        let twice = format!(
            "{0}\n{0}",
            example().replace("hosts = [\"login.acme.example\"]", "hosts = []")
        );
        let faults = load(&twice).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        let faults = load("provider = 1").unwrap_err();
        assert_eq!(faults[0].0, "room.toml: provider");
    }
}
