//! The settings: flags, then `ROOM_*`, then the predecessor's names, then `room.toml`, then defaults.
//!
//! Pure: what the process was given is handed in, and every fault is reported at once, by name and
//! with the fix. `settings.rs` has the table of names; what each value means is documented here, on
//! its field.

mod cloud;
mod metrics;
mod providers;
mod settings;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use provider_sessions::{InstallSettings, Provider};
use secrecy::SecretString;

pub use self::cloud::{Cloud, Cloudflare, Issuer};
pub use self::metrics::MetricsBind;
use self::settings::{Reader, SETTINGS, Scope};

/// Names and values the process was started with.
pub type Environment = BTreeMap<String, String>;

/// Settings given as flags, by the name of the setting.
pub type Flags = BTreeMap<&'static str, String>;

/// Everything the server may be told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The loopback addresses to listen on (`ROOM_BIND`): both by default, for a stranger on one of
    /// them could read the sign-in link.
    pub bind: Bind,
    /// The port, the same on all addresses (`ROOM_PORT`); 0 picks a free one.
    pub port: u16,
    /// Where everything is kept (`ROOM_DATA_DIR`): mode 0700, ours alone.
    pub data_dir: PathBuf,
    /// Whose credentials are managed (`ROOM_PROVIDER_HOME`): the person's own home by default.
    pub provider_home: PathBuf,
    /// Programs of the person's own (`[[provider]]` in `room.toml`), beside those Room knows.
    pub providers: Vec<Arc<Provider>>,
    /// Whether the home is the person's own, where their own variables for it hold.
    pub own_home: bool,
    /// How long a provider sign-in may take (`ROOM_PROVIDER_AUTH_TIMEOUT_MS`), at least 30 s.
    pub login_timeout: Duration,
    /// How many lines of a sign-in are kept (`ROOM_PROVIDER_AUTH_MAX_LINES`).
    pub login_lines: usize,
    /// How long a finished sign-in stays readable (`ROOM_PROVIDER_AUTH_TTL_MS`).
    pub login_kept: Duration,
    /// Where programs are installed from (`ROOM_NPM_REGISTRY`): https, or http to this machine.
    pub npm_registry: String,
    /// How long an install may take (`ROOM_INSTALL_TIMEOUT_MS`).
    pub install_timeout: Duration,
    /// How a browser gets in (`ROOM_LOCAL_HANDSHAKE`).
    pub handshake: LocalHandshake,
    /// Failed sign-ins a minute and address (`ROOM_AUTH_FAILURES_PER_MINUTE`); `None` is `off`,
    /// which also lifts the cap of sockets a person.
    pub auth_failures_per_minute: Option<u32>,
    /// What providers' keys are sealed with, and the one before it (`ROOM_ENCRYPTION_KEY`); without
    /// one they are held in memory only.
    pub encryption_keys: Vec<SecretString>,
    /// Keys that whoever runs this Room gives it, by provider (`ROOM_CODEX_API_KEY`,
    /// `ROOM_CLAUDE_API_KEY`).
    pub provider_keys: Vec<(&'static str, SecretString)>,
    /// What the dashboard shows of the instance (`ROOM_NAME`).
    pub name: Option<String>,
    /// What the instance is for (`ROOM_GOAL`).
    pub goal: Option<String>,
    /// Where it runs (`ROOM_REGION`).
    pub region: Option<String>,
    /// What it costs (`ROOM_PLAN`).
    pub plan: Option<String>,
    /// How a control plane knows this Room (`ROOM_INSTANCE_ID`).
    pub instance_id: Option<String>,
    /// Where the page sends people for another Room (`ROOM_CONTROL_PLANE_URL`).
    pub control_plane_url: Option<String>,
    /// The origins whose pages may show ours in a frame (`ROOM_FRAME_ANCESTORS`); none by default.
    pub frame_ancestors: Vec<String>,
    /// Whether browsers keep the page for when Room is away (`ROOM_SERVICE_WORKER`); `off` also
    /// takes it from those that do.
    pub service_worker: bool,
    /// How much is logged (`ROOM_LOG`).
    pub log: LogLevel,
    /// In which form (`ROOM_LOG_FORMAT`); `None` asks whether a person is looking.
    pub log_format: Option<LogFormat>,
    /// Where the numbers of [`crate::metrics`] are read (`ROOM_METRICS_BIND`); nowhere by default.
    pub metrics_bind: Option<MetricsBind>,
    /// What a hosted Room is told beside (`ROOM_MODE=cloud`); none is local mode.
    pub cloud: Option<Box<Cloud>>,
    /// Every setting with its value and where it comes from, secrets masked.
    pub effective: Vec<Effective>,
}

/// The addresses to listen on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bind {
    /// `127.0.0.1` and `::1`, both or no start, unless the machine has no IPv6.
    #[default]
    Both,
    /// This one alone; links then name it instead of `localhost`.
    Only(IpAddr),
}

/// How a browser on this machine gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalHandshake {
    /// With the one-time code of the link.
    Code,
    /// By being a program of the same user; every other program of that user gets in too.
    SameUid,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What broke.
    Error,
    /// What may break.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Every request.
    Debug,
    /// Everything.
    Trace,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For eyes.
    Pretty,
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its `ROOM_*` name.
    pub name: &'static str,
    /// Its value, `…` when it is a secret, empty when there is none.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name a person used.
    pub name: String,
    /// What is wrong and how to put it right.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.text)
    }
}

/// All that is wrong with the settings; one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{fault}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Where `room.toml` would be, by flags and environment alone.
    pub fn data_dir(flags: &Flags, environment: &Environment) -> Option<PathBuf> {
        let named = flags.get("ROOM_DATA_DIR");
        let named = named.or_else(|| filled(environment, "ROOM_DATA_DIR"));
        let named = named.or_else(|| filled(environment, "QUOROOM_DATA_DIR"));
        named.map(PathBuf::from).or_else(|| home(environment).map(|home| home.join(".room")))
    }

    /// Puts the settings together.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        flags: &Flags,
        environment: &Environment,
        room_toml: Option<&str>,
    ) -> Result<Self, Faults> {
        let mut read = Reader::new(flags, environment, room_toml);
        let mode = read.value("ROOM_MODE", "local", value::word(&["local", "cloud"]));
        let is_cloud = mode == "cloud";
        read.refuse_outside(if is_cloud { Scope::Cloud } else { Scope::Local });
        let fly_app = filled(environment, "FLY_APP_NAME");
        if let Some(app) = fly_app.filter(|_| !is_cloud) {
            read.fault(
                "ROOM_MODE",
                format!("`local` on a Fly machine ({app}) would be reachable by nobody; local mode is for a person's own computer"),
            );
        }
        let home = home(environment);
        let data_dir = Self::data_dir(flags, environment);
        let shown = data_dir.as_deref().map(Path::display).map(|path| path.to_string());
        let data_dir =
            read.value("ROOM_DATA_DIR", shown.as_deref().unwrap_or(""), value::directory);
        // A hosted Room has nobody's own home; its people's credentials lie with its data.
        let home = if is_cloud { Some(data_dir.join("home")) } else { home };
        let home_shown = home.as_deref().map(Path::display).map(|path| path.to_string());
        let own_home = !is_cloud && !read.is_set("ROOM_PROVIDER_HOME");
        let provider_home =
            read.value("ROOM_PROVIDER_HOME", home_shown.as_deref().unwrap_or(""), value::directory);
        let bind = if is_cloud {
            read.value("ROOM_BIND", "0.0.0.0", cloud::bind)
        } else {
            read.value("ROOM_BIND", "127.0.0.1,::1", value::loopback)
        };
        let auth_failures_per_minute =
            read.value("ROOM_AUTH_FAILURES_PER_MINUTE", "10", value::count_or_off(1, 10_000));
        let cloud = is_cloud.then(|| {
            let limited = auth_failures_per_minute.is_some();
            Box::new(Cloud::read(&mut read, &bind, limited, fly_app.is_some()))
        });
        let instance_id = match &cloud {
            Some(cloud) => Some(cloud.instance_id.clone()),
            None => read.optional("ROOM_INSTANCE_ID", value::text),
        };
        let config = Self {
            bind,
            port: read.value("ROOM_PORT", "3700", value::port),
            data_dir,
            provider_home,
            providers: providers::providers(&mut read),
            own_home,
            login_timeout: read.value(
                "ROOM_PROVIDER_AUTH_TIMEOUT_MS",
                "900000",
                value::milliseconds(30_000, 86_400_000),
            ),
            login_lines: read.value(
                "ROOM_PROVIDER_AUTH_MAX_LINES",
                "500",
                value::count(10, 10_000),
            ),
            login_kept: read.value(
                "ROOM_PROVIDER_AUTH_TTL_MS",
                "7200000",
                value::milliseconds(60_000, 604_800_000),
            ),
            npm_registry: read.value(
                "ROOM_NPM_REGISTRY",
                InstallSettings::REGISTRY,
                value::registry,
            ),
            install_timeout: read.value(
                "ROOM_INSTALL_TIMEOUT_MS",
                "900000",
                value::milliseconds(1_000, 86_400_000),
            ),
            handshake: handshake(&mut read),
            auth_failures_per_minute,
            encryption_keys: read
                .optional("ROOM_ENCRYPTION_KEY", value::secrets)
                .unwrap_or_default(),
            provider_keys: provider_keys(&mut read),
            name: read.optional("ROOM_NAME", value::text),
            goal: read.optional("ROOM_GOAL", value::text),
            region: read.optional("ROOM_REGION", value::text),
            plan: read.optional("ROOM_PLAN", value::text),
            instance_id,
            control_plane_url: read.optional("ROOM_CONTROL_PLANE_URL", value::page_url),
            frame_ancestors: read.value("ROOM_FRAME_ANCESTORS", "none", value::origins_or_none),
            service_worker: read.value("ROOM_SERVICE_WORKER", "on", value::word(&["on", "off"]))
                == "on",
            log: read.value("ROOM_LOG", "info", value::log_level),
            log_format: read.value("ROOM_LOG_FORMAT", "auto", value::log_format),
            metrics_bind: MetricsBind::read(&mut read, is_cloud, fly_app.is_some()),
            cloud,
            effective: Vec::new(),
        };
        let effective = read.finish()?;
        Ok(Self { effective, ..config })
    }

    /// The mode's name on the wire.
    pub fn mode(&self) -> &'static str {
        if self.cloud.is_some() { "cloud" } else { "local" }
    }

    /// Whose state this is: the instance, or this mode where nobody gave it a name.
    pub fn owner(&self) -> &str {
        self.instance_id.as_deref().unwrap_or(self.mode())
    }

    /// The addresses as the sign-in link may name them.
    pub fn addresses(&self) -> Vec<IpAddr> {
        match self.bind {
            Bind::Both => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Bind::Only(address) => vec![address],
        }
    }

    /// The names of all settings, for the documentation's test.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SETTINGS.iter().map(|setting| setting.name)
    }
}

/// How a browser gets in; `same-uid` needs the kernel's word for who owns a socket.
fn handshake(read: &mut Reader<'_>) -> LocalHandshake {
    let words = value::word(&["code", "same-uid"]);
    match read.value("ROOM_LOCAL_HANDSHAKE", "code", words).as_str() {
        "same-uid" if cfg!(not(target_os = "linux")) => {
            read.fault("ROOM_LOCAL_HANDSHAKE", "`same-uid` needs Linux; use `code`");
            LocalHandshake::Code
        }
        "same-uid" => LocalHandshake::SameUid,
        _ => LocalHandshake::Code,
    }
}

/// The keys of providers that whoever runs this Room gives it.
fn provider_keys(read: &mut Reader<'_>) -> Vec<(&'static str, SecretString)> {
    [("codex", "ROOM_CODEX_API_KEY"), ("claude", "ROOM_CLAUDE_API_KEY")]
        .into_iter()
        .filter_map(|(id, name)| Some((id, read.optional(name, value::provider_key(id))?)))
        .collect()
}

fn filled<'a>(environment: &'a Environment, name: &str) -> Option<&'a String> {
    environment.get(name).filter(|value| !value.is_empty())
}

fn home(environment: &Environment) -> Option<PathBuf> {
    filled(environment, "HOME").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(rows: &[(&str, &str)]) -> Environment {
        let rows = [("HOME", "/home/ada")].iter().chain(rows);
        rows.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn load(rows: &[(&str, &str)], toml: &str) -> Result<Config, Faults> {
        Config::load(&Flags::new(), &environment(rows), Some(toml))
    }

    /// Asserts which names are at fault, and what one of the lines says.
    #[track_caller]
    fn check_faults(rows: &[(&str, &str)], toml: &str, expected: &[&str], says: &str) {
        let faults = load(rows, toml).unwrap_err();
        let named: Vec<_> = faults.0.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(named, expected, "{faults}");
        assert!(faults.to_string().contains(says), "{faults}");
    }

    #[test]
    fn nothing_set_is_a_safe_room() {
        let config = load(&[], "").unwrap();
        assert_eq!((config.bind.clone(), config.port), (Bind::Both, 3700));
        assert_eq!(config.data_dir, Path::new("/home/ada/.room"));
        assert_eq!(config.provider_home, Path::new("/home/ada"));
        assert!(config.own_home);
        assert_eq!(config.login_timeout, Duration::from_mins(15));
        assert_eq!(config.handshake, LocalHandshake::Code);
        assert_eq!(config.auth_failures_per_minute, Some(10));
        assert_eq!(config.addresses().len(), 2);
    }

    #[test]
    fn flags_win_over_variables_over_older_names_over_the_file() {
        let toml = "port = 1\nname = \"file\"\nregion = \"file\"";
        let rows = &[
            ("ROOM_PORT", "2"),
            ("PORT", "3"),
            ("FLY_REGION", "older"),
            ("QUOROOM_DATA_DIR", "/srv/older"),
        ];
        let flags = Flags::from([("ROOM_PORT", "4".to_owned())]);
        let config = Config::load(&flags, &environment(rows), Some(toml)).unwrap();
        assert_eq!(config.port, 4);
        let config = load(rows, toml).unwrap();
        assert_eq!(config.port, 2);
        assert_eq!(config.region.as_deref(), Some("older"));
        assert_eq!(config.name.as_deref(), Some("file"));
        assert_eq!(config.data_dir, Path::new("/srv/older"));
        let shown: Vec<_> = config
            .effective
            .iter()
            .filter(|row| ["ROOM_PORT", "ROOM_REGION", "ROOM_NAME", "ROOM_LOG"].contains(&row.name))
            .map(|row| (row.name, row.value.as_str(), row.source.as_str()))
            .collect();
        let expected = [
            ("ROOM_PORT", "2", "environment"),
            ("ROOM_NAME", "file", "room.toml"),
            ("ROOM_REGION", "older", "environment, as FLY_REGION"),
            ("ROOM_LOG", "info", "default"),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        check_faults(
            &[
                ("ROOM_PORT", "seven"),
                ("ROOM_BIND", "0.0.0.0"),
                ("ROOM_PROVIDER_AUTH_TIMEOUT_MS", "5"),
                ("ROOM_PROT", "1"),
            ],
            "colour = 1",
            &[
                "ROOM_PROT",
                "room.toml: colour",
                "ROOM_BIND",
                "ROOM_PORT",
                "ROOM_PROVIDER_AUTH_TIMEOUT_MS",
            ],
            "ROOM_PROT: unknown setting; did you mean ROOM_PORT?",
        );
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_fix() {
        let check = |name, value, says| check_faults(&[(name, value)], "", &[name], says);
        check("ROOM_PORT", "65536", "0 to 65535");
        check("ROOM_PORT", "+1", "0 to 65535");
        check("ROOM_BIND", "192.168.1.4", "loopback");
        check("ROOM_BIND", "::", "loopback");
        check("ROOM_BIND", "example.com", "loopback");
        check("ROOM_MODE", "lokal", "`local` or `cloud`");
        check("ROOM_LOCAL_HANDSHAKE", "none", "`code` or `same-uid`");
        check("ROOM_AUTH_FAILURES_PER_MINUTE", "0", "`off`");
        check("ROOM_DATA_DIR", "relative/dir", "absolute");
        check("ROOM_CONTROL_PLANE_URL", "http://example.com", "https");
        check("ROOM_NAME", "a\u{1b}[31m", "control");
        check("ROOM_JWT_ISSUER", "https://issuer.example", "cloud mode");
        check("ROOM_JWT_SECRET", "hunter2hunter2", "cloud mode");
        check("ROOM_CODEX_API_KEY", "sk-1", "one looks like sk-…");
        check("ROOM_ENCRYPTION_KEY", "hunter2", "at least 32");
        check("ROOM_METRICS_BIND", "10.0.0.1:9091", "this computer alone");
        check_faults(&[("FLY_APP_NAME", "x")], "", &["ROOM_MODE"], "Fly");
        check_faults(&[], "port = [1]", &["room.toml: port"], "a text, a number");
        check_faults(&[], "port = 70000", &["room.toml: port"], "0 to 65535");
        check_faults(&[], "data_dir = \"/x\"", &["room.toml: data_dir"], "cannot");
        check_faults(&[], "port = ", &["room.toml"], "line 1");
        check_faults(&[("HOME", "")], "", &["ROOM_DATA_DIR", "ROOM_PROVIDER_HOME"], "HOME");
    }

    #[test]
    fn a_secret_is_never_repeated() {
        for name in ["ROOM_JWT_SECRET", "ROOM_ENCRYPTION_KEY", "ROOM_CLAUDE_API_KEY"] {
            let faults = load(&[(name, "hunter2hunter2")], "").unwrap_err();
            assert!(!faults.to_string().contains("hunter2"), "{faults}");
        }
    }

    #[test]
    fn a_persons_own_keys_are_not_taken_on_their_own_machine() {
        let tail = "0123456789abcdefghijABCDEFGHIJ";
        let (codex, claude) = (format!("sk-proj-{tail}"), format!("sk-ant-api03-{tail}"));
        let older = [("OPENAI_API_KEY", codex.as_str()), ("ANTHROPIC_API_KEY", &claude)];
        assert!(load(&older, "").unwrap().provider_keys.is_empty());
        let ours = [("ROOM_CODEX_API_KEY", codex.as_str()), ("ROOM_CLAUDE_API_KEY", &claude)];
        let config = load(&ours, "").unwrap();
        let given: Vec<_> = config.provider_keys.iter().map(|(id, _)| *id).collect();
        assert_eq!(given, ["codex", "claude"]);
        assert!(!format!("{config:?}").contains(tail));
        let cloud = [("ROOM_MODE", "cloud"), ("ROOM_PUBLIC_URL", "https://room.example")];
        let more = [("ROOM_STANDALONE", "1"), ("ROOM_CLIENT_IP", "direct")];
        let hosted: Vec<_> = older.into_iter().chain(cloud).chain(more).collect();
        assert_eq!(load(&hosted, "").unwrap().provider_keys.len(), 2);
    }

    #[test]
    fn an_empty_variable_is_no_setting_and_a_marker_is_not_one() {
        let config = load(&[("ROOM_PORT", ""), ("ROOM_SESSION", "0/1")], "").unwrap();
        assert_eq!(config.port, 3700);
    }

    #[test]
    fn one_address_alone_can_be_asked_for() {
        let only = |text: &str| load(&[("ROOM_BIND", text)], "").unwrap().bind;
        assert_eq!(only("127.0.0.1"), Bind::Only(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(only("::1"), Bind::Only(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(only("[::1]"), Bind::Only(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(only("localhost"), Bind::Both);
        assert_eq!(only("::1, 127.0.0.1"), Bind::Both);
    }
}
