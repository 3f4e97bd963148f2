//! Reads the corpus, puts each token before a verifier, and compares what it says with the row.
//!
//! Comparing is apart from verifying, so that the comparison itself can be tested: a checker that
//! never complains would make every corpus green.

#[path = "clock.rs"]
mod clock;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use clock::SetClock;
use room_auth::cloudflare::CloudflareAccess;
use room_auth::hmac::LegacySecrets;
use room_auth::logout::Logout;
use room_auth::revocation::{Revocation, Revocations, Target};
use room_auth::{
    AuthError, Clock, Credential, IssuerPolicy, KeySet, Principal, Role, Standing, Verifier,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// One line of `tokens.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) setup: String,
    pub(crate) jwks: Option<String>,
    pub(crate) source: Source,
    pub(crate) now: u64,
    pub(crate) expect: Expect,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) subject: Option<String>,
    /// The issuer's session that a logout token names.
    pub(crate) sid: Option<String>,
    /// The plain header beside a Cloudflare Access assertion.
    pub(crate) email_header: Option<String>,
    pub(crate) token: String,
}

impl Row {
    /// How a fault names it.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.class, self.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    Bearer,
    Access,
    Logout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expect {
    Accept,
    Reject,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As whom; a logout token in the role `logout`.
    Accepted {
        role: String,
        subject: Option<String>,
        sid: Option<String>,
    },
    Refused {
        status: u16,
        reason: String,
    },
}

/// Where a row and its outcome differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    WronglyAccepted(String),
    WronglyRefused(String, Outcome),
    /// Refused as it should be, for another reason or with another status.
    OtherRefusal(String, Outcome),
    /// Let in as it should be, as somebody else.
    OtherCaller(String, Outcome),
}

/// The row against the outcome; pure.
pub(crate) fn compare(row: &Row, outcome: &Outcome) -> Option<Fault> {
    let name = row.label();
    match (row.expect, outcome) {
        (Expect::Reject, Outcome::Accepted { .. }) => Some(Fault::WronglyAccepted(name)),
        (Expect::Accept, Outcome::Refused { .. }) => {
            Some(Fault::WronglyRefused(name, outcome.clone()))
        }
        (Expect::Reject, Outcome::Refused { status, reason }) => {
            let as_told = row.status == Some(*status) && row.reason.as_ref() == Some(reason);
            (!as_told).then(|| Fault::OtherRefusal(name, outcome.clone()))
        }
        (Expect::Accept, Outcome::Accepted { role, subject, sid }) => {
            let as_told =
                row.role.as_ref() == Some(role) && row.subject == *subject && row.sid == *sid;
            (!as_told).then(|| Fault::OtherCaller(name, outcome.clone()))
        }
    }
}

pub(crate) static TOKENS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    include_str!("../corpus/tokens.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a row"))
        .collect()
});

static KEY_SETS: LazyLock<HashMap<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../corpus/jwks.json")).expect("the key sets are JSON")
});

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../corpus/policy.json")).expect("the policy is JSON")
});

#[derive(Deserialize)]
struct Policy {
    instance: String,
    setups: HashMap<String, Vec<Issuer>>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Issuer {
    Jwks {
        issuer: String,
        audience: String,
        jwks: String,
        #[serde(default)]
        service: bool,
        revoked: Option<Revoked>,
    },
    LegacyHmac {
        issuer: String,
        audience: String,
        secrets: Vec<String>,
    },
    CloudflareAccess {
        team: String,
        audience: String,
        jwks: String,
        roles: HashMap<String, String>,
        service_tokens: HashMap<String, String>,
    },
}

/// What the world `revoked` has revoked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revoked {
    token_id: String,
    subject: String,
    /// For the subject alone.
    not_before: u64,
    key_id: String,
}

/// A key set as its endpoint would serve it.
pub(crate) fn key_set_document(name: &str) -> Vec<u8> {
    match &KEY_SETS[name] {
        Value::String(text) => text.clone().into_bytes(),
        document => document.to_string().into_bytes(),
    }
}

/// The verifiers the corpus speaks of, each made once.
#[derive(Default)]
pub(crate) struct Worlds {
    made: HashMap<(String, Option<String>), World>,
}

enum World {
    /// Its key set holds nothing usable: the source of the keys has failed.
    NoKeys,
    Verifier(Arc<SetClock>, Box<Verifier>),
}

impl Worlds {
    /// The worlds of this process, for tests that ask in small pieces.
    pub(crate) fn shared() -> std::sync::MutexGuard<'static, Self> {
        static SHARED: LazyLock<Mutex<Worlds>> = LazyLock::new(Mutex::default);
        SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What the row's world says to the row's token.
    pub(crate) fn judge(&mut self, row: &Row) -> Outcome {
        let world = self
            .made
            .entry((row.setup.clone(), row.jwks.clone()))
            .or_insert_with(|| World::make(&row.setup, row.jwks.as_deref()));
        match world {
            World::NoKeys => Outcome::Refused { status: 503, reason: "no_keys".to_owned() },
            World::Verifier(clock, verifier) => {
                clock.set(row.now);
                let (token, email_header) = (&row.token, row.email_header.as_deref());
                match row.source {
                    Source::Bearer => caller(verifier.verify(Credential::Bearer(token))),
                    Source::Access => {
                        caller(verifier.verify(Credential::CloudflareAccess {
                            assertion: token,
                            email_header,
                        }))
                    }
                    Source::Logout => logout(verifier.verify_logout(token)),
                }
            }
        }
    }
}

impl World {
    fn make(setup: &str, jwks: Option<&str>) -> Self {
        let clock = SetClock::at(0);
        let mut builder = Verifier::builder(POLICY.instance.as_str())
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .allow_legacy_beside_keys();
        for issuer in &POLICY.setups[setup] {
            let keys = |usual: &str| {
                let document = key_set_document(jwks.unwrap_or(usual));
                KeySet::parse(&document).map(|parsed| parsed.keys)
            };
            builder = match issuer {
                Issuer::Jwks { issuer, audience, jwks, service, revoked } => {
                    let Ok(keys) = keys(jwks) else { return Self::NoKeys };
                    let policy = IssuerPolicy::static_keys(issuer, keys);
                    let builder = builder.issuer(policy.audience(audience).service(*service));
                    match revoked {
                        Some(revoked) => builder.revocations(revoked.apply(issuer)),
                        None => builder,
                    }
                }
                Issuer::LegacyHmac { issuer, audience, secrets } => {
                    let secret = |at: usize| SecretString::from(secrets[at].as_str());
                    let secrets = LegacySecrets::new(&secret(0))
                        .and_then(|made| made.with_previous(&secret(1)))
                        .expect("the secrets are long enough");
                    let policy = IssuerPolicy::legacy_hmac(Arc::new(secrets));
                    builder.issuer(policy.issuer(issuer).audience(audience))
                }
                Issuer::CloudflareAccess { team, audience, jwks, roles, service_tokens } => {
                    let Ok(keys) = keys(jwks) else { return Self::NoKeys };
                    let role = |name: &str| Role::parse(name).expect("a role");
                    let mut access = CloudflareAccess::static_keys(team, audience, keys);
                    for (email, name) in roles {
                        access = access.person(email, role(name));
                    }
                    for (token, name) in service_tokens {
                        access = access.service_token(token, Standing::Person(role(name)));
                    }
                    builder.cloudflare_access(access)
                }
            };
        }
        let verifier = builder.build().expect("the corpus has a sound policy");
        Self::Verifier(clock, Box::new(verifier))
    }
}

impl Revoked {
    fn apply(&self, issuer: &str) -> Arc<Revocations> {
        let revocations = Revocations::default();
        let not_before = SystemTime::UNIX_EPOCH + Duration::from_secs(self.not_before);
        for target in [
            Target::Token(self.token_id.clone()),
            Target::Subject(self.subject.clone()),
            Target::Key(self.key_id.clone()),
        ] {
            let issuer = issuer.to_owned();
            let revocation = Revocation { issuer, target, not_before };
            revocations.apply(revocation, not_before).expect("there is room");
        }
        Arc::new(revocations)
    }
}

fn caller(verdict: Result<Arc<Principal>, AuthError>) -> Outcome {
    match verdict {
        Ok(principal) => Outcome::Accepted {
            role: match principal.standing() {
                Standing::Person(role) => role.as_str().to_owned(),
                Standing::Service => "service".to_owned(),
            },
            subject: Some(principal.identity().subject.clone()),
            sid: None,
        },
        Err(error) => refused(&error),
    }
}

fn logout(verdict: Result<Logout, AuthError>) -> Outcome {
    match verdict {
        Ok(logout) => Outcome::Accepted {
            role: "logout".to_owned(),
            subject: logout.subject().map(str::to_owned),
            sid: logout.session_id().map(str::to_owned),
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &AuthError) -> Outcome {
    Outcome::Refused { status: error.status().as_u16(), reason: error.reason().code().to_owned() }
}
