//! Whether a row makes sense: what its types alone cannot say.

use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::{AccountFile, HomeStrategy, KeyStore, MethodKind, Provider, StatusCommand, Yields};

/// The longest name in a route.
const NAME: usize = 32;
/// Nothing that Room types by itself is longer, in characters.
const ANSWER: usize = 64;
/// A question that comes back more often than this is not understood.
const TIMES: u32 = 20;

/// What is wrong with a row, and how to put it right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Where it stands: `scan.links[0].path`.
    pub field: String,
    /// What is wrong and what to write instead, as a fragment.
    pub problem: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Provider {
    /// What is wrong with the row, all at once; nothing for one that can be used.
    pub fn faults(&self) -> Vec<RowFault> {
        let mut check = Check { faults: Vec::new() };
        check.names(self);
        check.methods(self);
        check.keys(self);
        check.install(self);
        check.home(self);
        check.status(self);
        check.scan(self);
        check.faults
    }
}

struct Check {
    faults: Vec<RowFault>,
}

impl Check {
    fn fault(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.faults.push(RowFault { field: field.into(), problem: problem.into() });
    }

    fn ensure(&mut self, holds: bool, field: impl Into<String>, problem: impl Into<String>) {
        if !holds {
            self.fault(field, problem);
        }
    }

    fn text(&mut self, field: &str, text: &str) {
        let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
        self.ensure(plain, field, "is empty or has control characters; write one line of text");
    }

    fn names(&mut self, row: &Provider) {
        self.ensure(
            is_name(&row.id),
            "id",
            "is part of addresses; write lower-case letters, digits and dashes, a letter first",
        );
        for (field, text) in [("name", &row.name), ("vendor", &row.vendor), ("plans", &row.plans)] {
            self.text(field, text);
        }
        self.text("program", &row.program);
        self.ensure(
            !row.program.contains('/') || row.program.starts_with('/'),
            "program",
            "is a relative path; write a name that is on PATH, or the whole path",
        );
        self.ensure(
            !row.hosts.is_empty(),
            "hosts",
            "is empty, so no link could ever be offered; name the hosts of the sign-in page",
        );
        for (at, host) in row.hosts.iter().enumerate() {
            self.ensure(
                is_host(host),
                format!("hosts[{at}]"),
                format!("{host:?} is no host name; write it without https://, port and path"),
            );
        }
        for name in row.environment.keys() {
            self.ensure(
                is_variable(name),
                "environment",
                format!("{name:?} is no name of a variable; write letters, digits and _"),
            );
        }
        if let Some(first) = &row.prerequisite {
            let url = "prerequisite.url";
            self.ensure(is_https(&first.url), url, "is no https address; write where to do it");
        }
    }

    fn methods(&mut self, row: &Provider) {
        self.ensure(!row.methods.is_empty(), "method", "is missing; add a [[method]]");
        let mut seen = HashSet::new();
        for (at, method) in row.methods.iter().enumerate() {
            let field = |name: &str| format!("method[{at}].{name}");
            self.ensure(
                is_name(&method.id.replace('_', "-")),
                field("id"),
                "is part of the API; write lower-case letters, digits, - and _",
            );
            self.ensure(seen.insert(&method.id), field("id"), "stands there twice; rename one");
            self.text(&field("label"), &method.label);
            if method.takes_email() {
                self.ensure(
                    method.email_args.iter().any(|argument| argument.contains("{email}")),
                    field("email_args"),
                    "has no place for the address; write {email} where it goes",
                );
            }
            let scan = &row.scan;
            self.ensure(
                method.yields != Yields::Token || scan.token.is_some(),
                "scan.token",
                format!("is missing; method {:?} yields one: say what it looks like", method.id),
            );
            let (needs, there) = match method.kind {
                MethodKind::DeviceCode => ("scan.code", scan.code.is_some()),
                MethodKind::PastedCode => ("scan.paste_prompts", !scan.paste_prompts.is_empty()),
                MethodKind::PastedCallback => ("scan.callbacks", !scan.callbacks.is_empty()),
            };
            self.ensure(
                there,
                needs,
                format!("is missing; method {:?} cannot work without it", method.id),
            );
        }
    }

    fn keys(&mut self, row: &Provider) {
        let mut seen = HashSet::new();
        for (at, key) in row.keys.iter().enumerate() {
            let field = |name: &str| format!("key[{at}].{name}");
            self.ensure(seen.insert(&key.id), field("id"), "stands there twice; rename one");
            self.text(&field("label"), &key.label);
            self.text(&field("format"), &key.format);
            let anchored =
                key.pattern.as_str().starts_with('^') && key.pattern.as_str().ends_with('$');
            self.ensure(
                anchored,
                field("pattern"),
                "matches a part; write ^ at its start and $ at its end",
            );
            if let KeyStore::Room { variable } = &key.store {
                let name = field("variable");
                self.ensure(is_variable(variable), name, "is no name of a variable");
            }
            if let Some(check) = &key.check {
                let url = field("check.url");
                self.ensure(is_https(&check.url), url, "is no https address; a key goes there");
                self.ensure(
                    check.value.contains("{key}"),
                    field("check.value"),
                    "has no place for the key; write {key} where it goes",
                );
            }
        }
    }

    fn install(&mut self, row: &Provider) {
        self.text("install.command", &row.install.command);
        self.text("install.tested", &row.install.tested);
        for (at, archive) in row.install.archives.iter().enumerate() {
            let field = |name: &str| format!("install.archive[{at}].{name}");
            let digest = archive.integrity.strip_prefix("sha512-");
            let whole = digest.and_then(|digest| STANDARD.decode(digest).ok());
            self.ensure(
                whole.is_some_and(|digest| digest.len() == 64),
                field("integrity"),
                "is no pinned digest; write sha512- and 64 bytes in base 64, as lock files do",
            );
            self.below(&field("program"), &archive.program);
            for file in &archive.extra_files {
                self.below(&field("extra_files"), file);
            }
        }
    }

    /// A path that stays below the folder it is meant for.
    fn below(&mut self, field: &str, path: &str) {
        let inside = !path.is_empty()
            && !path.contains('\0')
            && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        self.ensure(
            inside,
            field,
            format!("{path:?} leads out of its folder; write a relative path without . and .."),
        );
    }

    fn home(&mut self, row: &Provider) {
        let home = &row.home;
        self.below("home.folder", &home.folder);
        self.ensure(
            !home.credentials.is_empty(),
            "home.credentials",
            "is empty, so signing out could not be checked; name the files",
        );
        for (field, files) in
            [("home.credentials", &home.credentials), ("home.settings", &home.settings)]
        {
            for file in files {
                self.below(field, file);
            }
        }
        if let Some(setting) = &home.store_setting {
            self.below("home.store_setting.file", &setting.file);
        }
        if let Some(variable) = &home.variable {
            self.ensure(is_variable(variable), "home.variable", "is no name of a variable");
        }
        self.ensure(
            home.strategy != HomeStrategy::Scratch || home.variable.is_some(),
            "home.variable",
            "is missing; a scratch home needs one that moves the folder",
        );
    }

    fn status(&mut self, row: &Provider) {
        match &row.status {
            StatusCommand::Text { when, account, .. } => {
                self.ensure(!when.is_empty(), "status.when", "is empty; add a [[status.when]]");
                match account {
                    Some(AccountFile::Jwt(jwt)) => self.below("status.account.file", &jwt.file),
                    Some(AccountFile::Text(text)) => self.below("status.account.file", &text.file),
                    None => {}
                }
            }
            StatusCommand::Json { connected, .. } => {
                let pointer = connected.starts_with('/');
                self.ensure(pointer, "status.connected", "is no JSON pointer; write /name");
            }
            StatusCommand::File { file, .. } => self.below("status.file", file),
        }
    }

    fn scan(&mut self, row: &Provider) {
        let scan = &row.scan;
        self.ensure(
            !scan.links.is_empty() || scan.fixed_link.is_some(),
            "scan.links",
            "is empty; say which page of a host is the sign-in's, or name it in scan.fixed_link",
        );
        for (at, link) in scan.links.iter().enumerate() {
            self.ensure(
                link.path.len() > 1 && link.path.starts_with('/'),
                format!("scan.links[{at}].path"),
                "is no path; write it from its / on, whole segments",
            );
        }
        if let Some(link) = &scan.fixed_link {
            let ours = Url::parse(link).is_ok_and(|url| {
                let host = url.host_str();
                url.scheme() == "https" && row.hosts.iter().any(|one| Some(one.as_str()) == host)
            });
            self.ensure(ours, "scan.fixed_link", "is no https address on one of the hosts");
        }
        for (at, callback) in scan.callbacks.iter().enumerate() {
            let known = Url::parse(callback).is_ok_and(|url| match url.scheme() {
                "https" => true,
                "http" => is_loopback(&url) && url.port().is_some(),
                _ => false,
            });
            self.ensure(
                known,
                format!("scan.callbacks[{at}]"),
                "is neither an https address nor http on this machine with its port",
            );
        }
        for (at, answer) in scan.answers.iter().enumerate() {
            let field = |name: &str| format!("scan.answer[{at}].{name}");
            self.ensure(
                !answer.send.is_empty() && answer.send.chars().count() <= ANSWER,
                field("send"),
                format!("is empty or longer than {ANSWER} characters; write what is typed"),
            );
            self.ensure(
                (1..=TIMES).contains(&answer.most),
                field("most"),
                format!("is not between 1 and {TIMES}"),
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A name of more than one label; an address would be no vendor's.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.contains('.')
        && text.split('.').all(label)
        && matches!(Url::parse(&format!("https://{text}/")).as_ref().map(Url::host), Ok(Some(Host::Domain(name))) if name == text)
}

fn is_https(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.host_str().is_some())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
