//! What a row of the activity log says. Every text in it is short and plain, and there is no field
//! that a code, a link or a secret could be put in.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use room_auth::{Caller, Identity, Role, Standing};
use serde::{Deserialize, Serialize};

/// The longest text of a row, in characters. Names of devices and subjects come from outside.
const TEXT_CHARS: usize = 200;

/// What was done. The first part of the name is its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is what its name on the wire says")]
pub enum Action {
    SignIn,
    SignOut,
    Pair,
    Redeem,
    /// A bearer for a program, made on this machine.
    Token,
    EndSession,
    Revoke,
    BackchannelLogout,
    /// Refused sign-ins and credentials: counted, not one row each.
    AccessRefused,
    Connect,
    Input,
    /// A line typed into a program that Room does not understand.
    Answer,
    Cancel,
    Disconnect,
    Verify,
    SetKey,
    RemoveKey,
    /// What became of a provider's sign-in.
    Finished,
    Install,
    /// What became of an install.
    Installed,
    Start,
    Stop,
    Backup,
    Restore,
    /// Old rows of this log were removed.
    Trim,
    /// A damaged database was set aside.
    SetAside,
    Wipe,
    /// The set of keys of an issuer is degraded, stale or back.
    Keys,
}

impl Action {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "access.sign_in",
            Self::SignOut => "access.sign_out",
            Self::Pair => "access.pair",
            Self::Redeem => "access.redeem",
            Self::Token => "access.token",
            Self::EndSession => "access.end_session",
            Self::Revoke => "access.revoke",
            Self::BackchannelLogout => "access.backchannel_logout",
            Self::AccessRefused => "access.refused",
            Self::Connect => "provider.connect",
            Self::Input => "provider.input",
            Self::Answer => "provider.answer",
            Self::Cancel => "provider.cancel",
            Self::Disconnect => "provider.disconnect",
            Self::Verify => "provider.verify",
            Self::SetKey => "provider.set_key",
            Self::RemoveKey => "provider.remove_key",
            Self::Finished => "provider.finished",
            Self::Install => "provider.install",
            Self::Installed => "provider.installed",
            Self::Start => "instance.start",
            Self::Stop => "instance.stop",
            Self::Backup => "instance.backup",
            Self::Restore => "instance.restore",
            Self::Trim => "instance.trim",
            Self::SetAside => "instance.set_aside",
            Self::Wipe => "instance.wipe",
            Self::Keys => "instance.keys",
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// About to be done.
    Intent,
    /// Done.
    Ok,
    /// Not done, for a reason that is the caller's.
    Refused,
    /// Tried, and it did not work.
    Failed,
    /// Begun, and nobody was left to say how it went.
    Unknown,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Intent, Self::Ok, Self::Refused, Self::Failed, Self::Unknown];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome of that exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Who did it, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Actor {
    /// Who vouches for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Who they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As what they acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// From which device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// From which network: an IPv4 /24 or an IPv6 /64, never a whole address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Actor {
    /// Somebody of whom only the address is known.
    pub fn stranger(address: IpAddr) -> Self {
        Self::default().at(address)
    }

    /// The person whose machine this is.
    pub fn owner(device: &str) -> Self {
        let Identity { issuer, subject } = Identity::local_owner();
        Self {
            issuer: Some(issuer),
            subject: Some(subject),
            role: Some(Role::Owner.as_str().to_owned()),
            device: Some(clipped(device)),
            ..Self::default()
        }
    }

    /// The same, called so.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(clipped(name));
        self
    }

    /// The same, from this address, of which the network is kept.
    #[must_use]
    pub fn at(mut self, address: IpAddr) -> Self {
        self.address = Some(network(address));
        self
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        let role = match caller.standing {
            Standing::Person(role) => role.as_str(),
            Standing::Service => "control",
        };
        Self {
            issuer: Some(clipped(&caller.identity.issuer)),
            subject: Some(clipped(&caller.identity.subject)),
            name: caller.profile.as_ref().and_then(|profile| {
                profile.name.as_deref().or(profile.email.as_deref()).map(clipped)
            }),
            role: Some(role.to_owned()),
            device: Some(clipped(&caller.device)),
            address: None,
        }
    }
}

impl From<Caller> for Actor {
    fn from(caller: Caller) -> Self {
        Self::from(&caller)
    }
}

impl From<&Arc<Caller>> for Actor {
    fn from(caller: &Arc<Caller>) -> Self {
        Self::from(&**caller)
    }
}

/// What else there is to know: a closed set of short words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl Detail {
    /// Nothing else.
    pub fn none() -> Self {
        Self::default()
    }

    /// The way something was done: a method of sign-in.
    #[must_use]
    pub fn method(self, id: &str) -> Self {
        Self { method: Some(clipped(id)), ..self }
    }

    /// The id of a provider's sign-in, or of a device's session.
    #[must_use]
    pub fn session(self, id: &str) -> Self {
        Self { session: Some(clipped(id)), ..self }
    }

    /// How it stands now: a word of the wire.
    #[must_use]
    pub fn status(self, word: &str) -> Self {
        Self { status: Some(clipped(word)), ..self }
    }

    /// Why: a stable code, never a text for people.
    #[must_use]
    pub fn reason(self, code: &str) -> Self {
        Self { reason: Some(clipped(code)), ..self }
    }

    /// Whom it concerns, if not the actor.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        Self { subject: Some(clipped(subject)), ..self }
    }

    /// With which role.
    #[must_use]
    pub fn role(self, role: &str) -> Self {
        Self { role: Some(clipped(role)), ..self }
    }

    /// Which device it concerns, if not the actor's.
    #[must_use]
    pub fn device(self, name: &str) -> Self {
        Self { device: Some(clipped(name)), ..self }
    }

    /// How many.
    #[must_use]
    pub fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Both; what `more` says wins.
    #[must_use]
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            method: more.method.or(self.method),
            session: more.session.or(self.session),
            status: more.status.or(self.status),
            reason: more.reason.or(self.reason),
            subject: more.subject.or(self.subject),
            role: more.role.or(self.role),
            device: more.device.or(self.device),
            count: more.count.or(self.count),
        }
    }
}

/// A row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// What. A newer Room may have written actions that this one does not know.
    pub action: Cow<'static, str>,
    /// How it went.
    pub outcome: Outcome,
    /// The intent whose outcome this is.
    pub intent: Option<i64>,
    /// Who; none is the server itself.
    pub actor: Option<Actor>,
    /// Of what.
    pub target: Option<String>,
    /// What else.
    pub detail: Detail,
}

/// A row that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; rising, never given twice.
    pub seq: i64,
    /// What it says.
    pub entry: Entry,
}

/// A text of somebody else's as a row may hold it: short, and without anything that could dress up
/// as another text.
pub(super) fn clipped(text: &str) -> String {
    text.chars().filter(|letter| !hides(*letter)).take(TEXT_CHARS).collect()
}

/// Whether a letter is none, or changes how others look: a log's reader and a page's see names that
/// others chose.
pub fn hides(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The network of an address.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_somebody_elses_is_short_and_plain() {
        let long = "x".repeat(10_000);
        assert_eq!(clipped(&long).len(), TEXT_CHARS);
        assert_eq!(clipped("a\r\n\u{1b}[31m\u{202e}b\u{feff}\0"), "a[31mb");
        assert_eq!(clipped("Ada's phone — Zürich"), "Ada's phone — Zürich");
    }

    #[test]
    fn an_address_is_kept_as_its_network() {
        for (address, kept) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            let actor = Actor::stranger(address.parse().unwrap());
            assert_eq!(actor.address.as_deref(), Some(kept), "{address}");
        }
    }

    #[test]
    fn an_outcome_says_what_its_intent_said() {
        let said = Detail::none().method("device").status("starting");
        let both = said.and(Detail::none().status("running").count(2));
        assert_eq!(both, Detail::none().method("device").status("running").count(2));
    }
}
