//! The table of settings, and how a value is looked up.

use std::collections::BTreeMap;

use super::{Effective, Environment, Fault, Faults, Flags};

/// One setting.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// Its variable.
    pub(super) name: &'static str,
    /// What the predecessor called it.
    older: &'static [&'static str],
    /// Whether those names count in cloud mode alone: on a person's own machine they are that
    /// person's, and not meant for Room.
    older_in_cloud: bool,
    /// Where it may stand.
    scope: Scope,
    /// Whether its value is shown to nobody.
    secret: bool,
}

/// What a setting is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Both modes.
    Both,
    /// Local mode alone.
    Local,
    /// Cloud mode alone: in local mode it would promise what is not done.
    Cloud,
}

const fn both(name: &'static str, older: &'static [&'static str]) -> Setting {
    Setting { name, older, older_in_cloud: false, scope: Scope::Both, secret: false }
}

const fn cloud(name: &'static str, older: &'static [&'static str]) -> Setting {
    Setting { scope: Scope::Cloud, ..both(name, older) }
}

const fn both_older_in_cloud(name: &'static str, older: &'static [&'static str]) -> Setting {
    Setting { older_in_cloud: true, ..both(name, older) }
}

const fn secret(setting: Setting) -> Setting {
    Setting { secret: true, ..setting }
}

/// All settings, in the order `room config` shows them.
pub(super) const SETTINGS: &[Setting] = &[
    both("ROOM_MODE", &["QUOROOM_DEPLOYMENT_MODE"]),
    both("ROOM_BIND", &["QUOROOM_BIND_HOST"]),
    both("ROOM_PORT", &["PORT"]),
    both("ROOM_DATA_DIR", &["QUOROOM_DATA_DIR"]),
    Setting { scope: Scope::Local, ..both("ROOM_LOCAL_HANDSHAKE", &[]) },
    both("ROOM_AUTH_FAILURES_PER_MINUTE", &[]),
    both("ROOM_PROVIDER_HOME", &[]),
    both("ROOM_PROVIDER_AUTH_TIMEOUT_MS", &["QUOROOM_PROVIDER_AUTH_TIMEOUT_MS"]),
    both("ROOM_PROVIDER_AUTH_MAX_LINES", &["QUOROOM_PROVIDER_AUTH_MAX_LINES"]),
    both("ROOM_PROVIDER_AUTH_TTL_MS", &["QUOROOM_PROVIDER_AUTH_TTL_MS"]),
    both("ROOM_NPM_REGISTRY", &[]),
    both("ROOM_INSTALL_TIMEOUT_MS", &[]),
    both("ROOM_NAME", &[]),
    both("ROOM_GOAL", &[]),
    both("ROOM_REGION", &["FLY_REGION"]),
    both("ROOM_PLAN", &[]),
    both("ROOM_INSTANCE_ID", &["QUOROOM_CLOUD_INSTANCE_ID"]),
    both("ROOM_CONTROL_PLANE_URL", &["VITE_CLOUD_CONTROL_ORIGIN"]),
    both("ROOM_FRAME_ANCESTORS", &[]),
    both("ROOM_SERVICE_WORKER", &[]),
    both("ROOM_LOG", &[]),
    both("ROOM_LOG_FORMAT", &[]),
    both("ROOM_METRICS_BIND", &[]),
    cloud("ROOM_PUBLIC_URL", &[]),
    cloud("ROOM_ALLOWED_ORIGINS", &["QUOROOM_ALLOWED_ORIGINS"]),
    cloud("ROOM_JWT_ISSUER", &[]),
    cloud("ROOM_JWKS_URL", &[]),
    cloud("ROOM_JWT_AUDIENCE", &[]),
    cloud("ROOM_JWT_ALGORITHMS", &[]),
    cloud("ROOM_ALLOW_LOOPBACK_JWKS", &[]),
    cloud("ROOM_STANDALONE", &[]),
    secret(cloud("ROOM_JWT_SECRET", &["QUOROOM_CLOUD_JWT_SECRET"])),
    cloud("ROOM_ALLOW_LEGACY_HMAC", &[]),
    cloud("ROOM_ALLOW_QUERY_TOKEN", &[]),
    cloud("ROOM_CF_ACCESS_TEAM", &[]),
    cloud("ROOM_CF_ACCESS_AUD", &[]),
    cloud("ROOM_JWT_SERVICE", &[]),
    cloud("ROOM_CLIENT_IP", &[]),
    cloud("ROOM_ALLOW_ROOT", &[]),
    cloud("ROOM_IDLE_CLOSE", &[]),
    cloud("ROOM_IDLE_EXIT", &[]),
    secret(both("ROOM_ENCRYPTION_KEY", &["QUOROOM_SECRET_KEY", "BYOK_ENCRYPTION_SECRET"])),
    secret(both_older_in_cloud("ROOM_CODEX_API_KEY", &["OPENAI_API_KEY"])),
    secret(both_older_in_cloud("ROOM_CLAUDE_API_KEY", &["ANTHROPIC_API_KEY"])),
];

/// What only `room.toml` can say, for it takes more than one line: further issuers, who gets in
/// through Cloudflare Access, and programs of the person's own.
const TABLES: [&str; 3] = ["issuer", "cloudflare_people", super::providers::TABLE];

/// A variable of ours that is no setting: it marks the processes of a sign-in.
const MARKER: &str = "ROOM_SESSION";

/// Where a value was found.
struct Found {
    /// As the person wrote it, for faults.
    named: String,
    value: String,
    source: String,
}

/// Looks settings up and collects what is wrong with them.
pub(super) struct Reader<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    file: BTreeMap<String, String>,
    /// What `room.toml` says in more than one line.
    tables: toml::Table,
    faults: Vec<Fault>,
    effective: Vec<Effective>,
    /// Known once the mode has been read.
    is_cloud: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        flags: &'a Flags,
        environment: &'a Environment,
        room_toml: Option<&str>,
    ) -> Self {
        let mut reader = Self {
            flags,
            environment,
            file: BTreeMap::new(),
            tables: toml::Table::new(),
            faults: Vec::new(),
            effective: Vec::new(),
            is_cloud: false,
        };
        reader.refuse_unknown_variables();
        reader.read_file(room_toml.unwrap_or(""));
        reader
    }

    fn refuse_unknown_variables(&mut self) {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
        for name in self.environment.keys() {
            if name.starts_with("ROOM_") && name != MARKER && !known(name) {
                self.faults.push(unknown(name.clone(), name));
            }
        }
    }

    fn read_file(&mut self, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| {
                    text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
                });
                let text = format!("line {line}: {}", error.message());
                self.faults.push(Fault { name: "room.toml".into(), text });
                return;
            }
        };
        for (key, value) in table {
            if TABLES.contains(&key.as_str()) {
                self.tables.insert(key, value);
                continue;
            }
            let named = format!("room.toml: {key}");
            let name = format!("ROOM_{}", key.to_ascii_uppercase());
            if key != key.to_ascii_lowercase()
                || !SETTINGS.iter().any(|setting| setting.name == name)
            {
                self.faults.push(unknown(named, &name));
                continue;
            }
            if name == "ROOM_DATA_DIR" {
                let text =
                    "the file lies in that directory, so it cannot move it; set ROOM_DATA_DIR";
                self.faults.push(Fault { name: named, text: text.into() });
                continue;
            }
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(true) => "1".into(),
                toml::Value::Boolean(false) => String::new(),
                toml::Value::Float(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => {
                    let text = "write a text, a number, true or false".into();
                    self.faults.push(Fault { name: named, text });
                    continue;
                }
            };
            self.file.insert(name, value);
        }
    }

    /// Reports every setting that is set and belongs to the other mode. The predecessor's names do
    /// not count: there they meant something that this mode does not do.
    pub(super) fn refuse_outside(&mut self, mode: Scope) {
        self.is_cloud = mode == Scope::Cloud;
        let elsewhere = |scope| scope != Scope::Both && scope != mode;
        for setting in SETTINGS.iter().filter(|setting| elsewhere(setting.scope)) {
            if let Some(found) = self.find(&Setting { older: &[], ..*setting }) {
                let text = match setting.scope {
                    Scope::Cloud => "belongs to cloud mode; remove it",
                    Scope::Local | Scope::Both => "belongs to local mode; remove it",
                };
                self.faults.push(Fault { name: found.named, text: text.into() });
            }
        }
        if mode == Scope::Local {
            for key in self.tables.keys().filter(|key| *key != super::providers::TABLE) {
                let name = format!("room.toml: {key}");
                let text = "belongs to cloud mode; remove it".into();
                self.faults.push(Fault { name, text });
            }
        }
    }

    /// A table of `room.toml`, if it has one.
    pub(super) fn table<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let read = self.tables.get(key)?.clone().try_into();
        let fault = |error: toml::de::Error| Fault {
            name: format!("room.toml: {key}"),
            text: error.message().to_owned(),
        };
        read.map_err(|error| self.faults.push(fault(error))).ok()
    }

    /// The tables of `room.toml` under that name, `[[key]]`.
    pub(super) fn array(&mut self, key: &str) -> Vec<toml::Value> {
        match self.tables.get(key).cloned() {
            None => Vec::new(),
            Some(toml::Value::Array(rows)) => rows,
            Some(_) => {
                let text = format!("stands once for each; write [[{key}]]");
                self.fault_of(format!("room.toml: {key}"), text);
                Vec::new()
            }
        }
    }

    /// Notes a fault of something that has no setting's name.
    pub(super) fn fault_of(&mut self, name: String, text: String) {
        self.faults.push(Fault { name, text });
    }

    /// A switch: `1`, or not set.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.optional(name, |text| match text {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err("is a switch; write 1, or remove it".to_owned()),
        })
        .unwrap_or(false)
    }

    /// Whether anyone set it.
    pub(super) fn is_set(&self, name: &'static str) -> bool {
        self.find(setting(name)).is_some()
    }

    /// The value in force, read by `read`; the default must be readable, or it is the fault.
    pub(super) fn value<T: Default>(
        &mut self,
        name: &'static str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let setting = setting(name);
        let found = self.find(setting).unwrap_or_else(|| Found {
            named: name.into(),
            value: default.into(),
            source: "default".into(),
        });
        let result = read(&found.value);
        self.note(setting, found, result).unwrap_or_default()
    }

    /// The value in force, if anyone set it.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = setting(name);
        let Some(found) = self.find(setting) else {
            let source = "default".into();
            self.effective.push(Effective { name, value: String::new(), source });
            return None;
        };
        let result = read(&found.value);
        self.note(setting, found, result)
    }

    fn note<T>(&mut self, of: &Setting, found: Found, result: Result<T, String>) -> Option<T> {
        let value = if of.secret { "…".into() } else { found.value };
        self.effective.push(Effective { name: of.name, value, source: found.source });
        match result {
            Ok(value) => Some(value),
            Err(text) => {
                self.faults.push(Fault { name: found.named, text });
                None
            }
        }
    }

    /// Reports something about a setting, under the name it was given by.
    pub(super) fn fault(&mut self, name: &'static str, text: impl Into<String>) {
        let named = self.find(setting(name)).map_or_else(|| name.to_owned(), |found| found.named);
        self.faults.push(Fault { name: named, text: text.into() });
    }

    /// What is in force, or all that is wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Effective>, Faults> {
        if !self.faults.is_empty() {
            return Err(Faults(self.faults));
        }
        let place = |name| SETTINGS.iter().position(|setting| setting.name == name);
        self.effective.sort_by_key(|row| place(row.name));
        Ok(self.effective)
    }

    /// An empty value is none: that is how a variable is unset in most files and interfaces.
    fn find(&self, setting: &Setting) -> Option<Found> {
        let found = |named: &str, value: &String, source: String| {
            let named = named.to_owned();
            (!value.is_empty()).then(|| Found { named, value: value.clone(), source })
        };
        let flag = || found(setting.name, self.flags.get(setting.name)?, "flag".into());
        let variable =
            || found(setting.name, self.environment.get(setting.name)?, "environment".into());
        let older = || {
            let older = if setting.older_in_cloud && !self.is_cloud { &[] } else { setting.older };
            older.iter().find_map(|older| {
                found(older, self.environment.get(*older)?, format!("environment, as {older}"))
            })
        };
        let file = || {
            let value = self.file.get(setting.name)?;
            let key = setting.name.trim_start_matches("ROOM_").to_ascii_lowercase();
            found(&format!("room.toml: {key}"), value, "room.toml".into())
        };
        flag().or_else(variable).or_else(older).or_else(file)
    }
}

fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).expect("settings are read by their names")
}

/// A name nobody knows, with the one that was probably meant.
fn unknown(named: String, name: &str) -> Fault {
    let near = SETTINGS
        .iter()
        .map(|setting| (distance(setting.name, name), setting.name))
        .min()
        .filter(|(steps, _)| *steps <= 2);
    let text = match near {
        Some((_, meant)) => format!("unknown setting; did you mean {meant}?"),
        None => "unknown setting; remove it (`room config` lists those there are)".into(),
    };
    Fault { name: named, text }
}

/// How many letters two names differ in when letters may be added, dropped, changed or swapped
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            least = least.min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}
