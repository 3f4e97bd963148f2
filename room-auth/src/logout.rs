//! `OpenID` Connect Back-Channel Logout 1.0: the issuer itself says that someone has signed out.
//!
//! A logout token looks much like any other one of the same issuer, so the rules keep the two
//! apart for good: it has a `typ` of its own, an event, no `nonce`, and no place where a caller is
//! expected; [`Verifier::verify`] in turn refuses that `typ`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::error::{AuthError, Reason};
use crate::issuers::Family;
use crate::jwks::Now;
use crate::jwt::claims::{self, Expected};
use crate::jwt::json::{Object, Value};
use crate::revocation::{Revocation, Target, unix_seconds};
use crate::verifier::{Failure, Parts, Verifier, examine};

/// The only type that is taken (section 2.4).
const TYPE: &str = "logout+jwt";

/// The member of `events` that says what this is.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How many used tokens are remembered until they expire.
const MAX_USED: usize = 10_000;

/// Who has signed out, as the issuer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    issuer: String,
    whom: Whom,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    /// Everywhere.
    Subject(String),
    /// One session at the issuer.
    Session { id: String, subject: Option<String> },
}

impl Logout {
    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The person, if the token names one.
    pub fn subject(&self) -> Option<&str> {
        match &self.whom {
            Whom::Subject(subject) => Some(subject),
            Whom::Session { subject, .. } => subject.as_deref(),
        }
    }

    /// The issuer's session, if the token names one; then only that session has ended.
    pub fn session_id(&self) -> Option<&str> {
        match &self.whom {
            Whom::Subject(_) => None,
            Whom::Session { id, .. } => Some(id),
        }
    }

    /// What is to be revoked.
    pub fn revocation(&self, now: SystemTime) -> Revocation {
        let target = match &self.whom {
            Whom::Subject(subject) => Target::Subject(subject.clone()),
            Whom::Session { id, .. } => Target::Session(id.clone()),
        };
        Revocation::now(self.issuer.clone(), target, now)
    }
}

/// The tokens that were used, by issuer and `jti`, and until when each could be used again.
#[derive(Debug, Default)]
pub(crate) struct UsedTokens(Mutex<HashMap<(String, String), u64>>);

impl UsedTokens {
    /// Uses a token up. Past the bound nothing is used: forgetting one would let it in twice.
    fn use_up(&self, issuer: &str, id: &str, until: u64, now: u64) -> Result<(), Reason> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_USED {
            used.retain(|_, until| *until > now);
        }
        let key = (issuer.to_owned(), id.to_owned());
        if used.len() >= MAX_USED || used.contains_key(&key) {
            return Err(Reason::Replayed);
        }
        used.insert(key, until);
        Ok(())
    }
}

impl Verifier {
    /// Verifies a logout token of a trusted issuer with public keys, and uses it up.
    ///
    /// The caller of this applies [`Logout::revocation`] to whatever it keeps open.
    ///
    /// # Errors
    /// Says what is wrong with it. Section 2.8 has every fault answered with 400.
    pub fn verify_logout(&self, token: &str) -> Result<Logout, AuthError> {
        self.attempt_logout(token).map_err(AuthError::from)
    }

    /// The same; waits for an unknown key as [`Verifier::authenticate`] does.
    ///
    /// # Errors
    /// As [`Verifier::verify_logout`].
    pub async fn authenticate_logout(&self, token: &str) -> Result<Logout, AuthError> {
        match self.attempt_logout(token) {
            Err(Failure::UnknownKey(unknown)) => {
                if unknown.store.wait_for(&unknown.kid).await {
                    self.verify_logout(token)
                } else {
                    Err(unknown.error)
                }
            }
            answer => answer.map_err(AuthError::from),
        }
    }

    fn attempt_logout(&self, token: &str) -> Result<Logout, Failure> {
        let now = self.now();
        examine(token, |parts| self.logout(parts, &now))
    }

    fn logout(&self, parts: &Parts<'_>, now: &Now) -> Result<Logout, Failure> {
        let Parts { compact, header, claims, facts } = parts;
        let issuer = facts.issuer.unwrap_or_default();
        if header.public_algorithm().is_none() {
            return Err(facts.refuse(Reason::Algorithm));
        }
        let (_, policy) = self
            .issuers()
            .select(Family::Public, issuer)
            .ok_or_else(|| facts.refuse(Reason::UnknownIssuer))?;
        policy.check_algorithm(header).map_err(|reason| facts.refuse(reason))?;
        if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
            return Err(facts.refuse(Reason::Type));
        }
        let (key, _) = policy
            .keys
            .verify(compact, header, now)
            .map_err(|refusal| facts.key_refusal(&refusal, &policy.keys))?;
        let facts = facts.with_key(key);
        let refuse = |reason| facts.refuse_proven(reason, claims::text(claims, "jti"));
        let expected = Expected {
            issuer: &policy.issuer,
            audiences: policy.logout_audiences(),
            instance: None,
            lifetime: policy.lifetime(),
        };
        let seconds = unix_seconds(now.wall);
        let dates = claims::check(claims, &expected, seconds).map_err(refuse)?;
        // The protocol has no such claim; a control plane of many instances may add it.
        let other_instance =
            claims.has("instanceId") && claims::text(claims, "instanceId") != Some(self.instance());
        if other_instance {
            return Err(refuse(Reason::Instance));
        }
        let (whom, id) = read(claims).map_err(refuse)?;
        let until = dates.expires_at.saturating_add(policy.leeway.as_secs());
        self.used_logouts().use_up(issuer, id, until, seconds).map_err(refuse)?;
        Ok(Logout { issuer: issuer.to_owned(), whom })
    }
}

/// Section 2.6, from the events on.
fn read<'c>(claims: &'c Object<'_>) -> Result<(Whom, &'c str), Reason> {
    let events = claims.get("events").and_then(Value::as_object).ok_or(Reason::LogoutEvent)?;
    events.get(EVENT).and_then(Value::as_object).ok_or(Reason::LogoutEvent)?;
    if claims.has("nonce") {
        return Err(Reason::LogoutNonce);
    }
    let id = claims::identifier(claims, "jti")?.ok_or(Reason::Claim)?;
    let subject = if claims.has("sub") { Some(claims::subject(claims)?.to_owned()) } else { None };
    let whom = match (claims::identifier(claims, "sid")?, subject) {
        (Some(session), subject) => Whom::Session { id: session.to_owned(), subject },
        (None, Some(subject)) => Whom::Subject(subject),
        (None, None) => return Err(Reason::Subject),
    };
    Ok((whom, id))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Map, json};

    use super::*;
    use crate::clock::{Clock as _, ManualClock};
    use crate::identity::Role;
    use crate::issuer::{Grant, Issuer, IssuerKey};
    use crate::issuers::IssuerPolicy;
    use crate::jws::Algorithm;
    use crate::verifier::Credential;

    struct Bench {
        issuer: Issuer,
        verifier: Verifier,
        clock: Arc<ManualClock>,
    }

    fn bench() -> Bench {
        let key = IssuerKey::generate(Algorithm::EdDsa).unwrap();
        let issuer = Issuer::new("https://issuer.example", key);
        let clock = Arc::new(ManualClock::default());
        let policy = IssuerPolicy::static_keys(issuer.name(), issuer.key_set().unwrap())
            .logout_audience("client-1");
        let verifier =
            Verifier::builder("inst-1").issuer(policy).clock(clock.clone()).build().unwrap();
        Bench { issuer, verifier, clock }
    }

    impl Bench {
        fn token(
            &self,
            typ: &str,
            change: impl FnOnce(&mut Map<String, serde_json::Value>),
        ) -> String {
            let now = unix_seconds(self.clock.now());
            let mut claims = json!({
                "iss": "https://issuer.example", "aud": "client-1", "iat": now, "exp": now + 120,
                "jti": "l-1", "sub": "user-1", "sid": "s-1", "events": { EVENT: {} },
            });
            change(claims.as_object_mut().unwrap());
            let key = self.issuer.key();
            let header = json!({ "alg": "EdDSA", "kid": key.kid(), "typ": typ });
            key.sign(header.to_string(), claims.to_string()).unwrap()
        }

        #[track_caller]
        fn refused(&self, token: &str, reason: Reason) {
            let error = self.verifier.verify_logout(token).unwrap_err();
            assert_eq!(error.reason(), reason);
        }
    }

    #[test]
    fn a_session_or_a_person_is_signed_out() {
        let bench = bench();
        let logout = bench.verifier.verify_logout(&bench.token(TYPE, |_| ())).unwrap();
        assert_eq!(logout.issuer(), "https://issuer.example");
        assert_eq!((logout.subject(), logout.session_id()), (Some("user-1"), Some("s-1")));
        let revocation = logout.revocation(bench.clock.now());
        assert_eq!(revocation.target, Target::Session("s-1".into()));
        let token = bench.token(TYPE, |claims| {
            claims.remove("sid");
            claims.insert("jti".into(), "l-2".into());
        });
        let logout = bench.verifier.verify_logout(&token).unwrap();
        assert_eq!((logout.subject(), logout.session_id()), (Some("user-1"), None));
        let revocation = logout.revocation(bench.clock.now());
        assert_eq!(revocation.target, Target::Subject("user-1".into()));
        assert_eq!(revocation.issuer, "https://issuer.example");
    }

    #[test]
    fn what_the_logout_names_is_refused_from_then_on() {
        let bench = bench();
        let mint = |session: &str| {
            let grant = Grant::person("user-1", Role::Owner).claim("sid", session);
            bench.issuer.mint("inst-1", &grant, bench.clock.now()).unwrap()
        };
        let (ended, other) = (mint("s-1"), mint("s-2"));
        let verify = |token: &str| bench.verifier.verify(Credential::Bearer(token));
        assert!(verify(&ended).is_ok() && verify(&other).is_ok());
        let logout = bench.verifier.verify_logout(&bench.token(TYPE, |_| ())).unwrap();
        let now = bench.clock.now();
        bench.verifier.revocations().apply(logout.revocation(now), now).unwrap();
        assert_eq!(verify(&ended).unwrap_err().reason(), Reason::Revoked);
        assert!(verify(&other).is_ok());
        bench.clock.advance(Duration::from_secs(2));
        assert!(verify(&mint("s-1")).is_ok(), "signed in again");
    }

    #[test]
    fn a_logout_token_works_once() {
        let bench = bench();
        let token = bench.token(TYPE, |_| ());
        assert!(bench.verifier.verify_logout(&token).is_ok());
        bench.refused(&token, Reason::Replayed);
        bench.refused(
            &bench.token(TYPE, |claims| {
                claims.insert("sid".into(), "s-2".into());
            }),
            Reason::Replayed,
        );
    }

    #[test]
    fn each_rule_of_the_specification_is_asked() {
        let bench = bench();
        for typ in ["JWT", "at+jwt", "", "logout"] {
            bench.refused(&bench.token(typ, |_| ()), Reason::Type);
        }
        let key = bench.issuer.key();
        let header = json!({ "alg": "EdDSA", "kid": key.kid() }).to_string();
        let token = bench.token(TYPE, |_| ());
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        bench.refused(&key.sign(header, payload).unwrap(), Reason::Type);

        let with = |name: &str, value: serde_json::Value| {
            bench.token(TYPE, |claims| {
                claims.insert(name.into(), value);
            })
        };
        let without = |names: &[&str]| {
            bench.token(TYPE, |claims| claims.retain(|name, _| !names.contains(&name.as_str())))
        };
        for (token, reason) in [
            (with("nonce", json!("n")), Reason::LogoutNonce),
            (with("nonce", json!(null)), Reason::LogoutNonce),
            (with("aud", json!("quoroom-runtime")), Reason::Audience),
            (with("iss", json!("https://other.example")), Reason::UnknownIssuer),
            (with("instanceId", json!("inst-2")), Reason::Instance),
            (with("events", json!({})), Reason::LogoutEvent),
            (with("events", json!([EVENT])), Reason::LogoutEvent),
            (with("events", json!({ EVENT: null })), Reason::LogoutEvent),
            (with("events", json!({ EVENT: "x" })), Reason::LogoutEvent),
            (with("sub", json!("")), Reason::Subject),
            (with("sid", json!(7)), Reason::Claim),
            (with("jti", json!("")), Reason::Claim),
            (without(&["events"]), Reason::LogoutEvent),
            (without(&["jti"]), Reason::Claim),
            (without(&["iat"]), Reason::Dates),
            (without(&["exp"]), Reason::Dates),
            (without(&["aud"]), Reason::Audience),
            (without(&["sub", "sid"]), Reason::Subject),
        ] {
            bench.refused(&token, reason);
        }
        bench.clock.advance(Duration::from_secs(150));
        bench.refused(&token, Reason::Expired);
    }

    #[test]
    fn neither_kind_of_token_passes_for_the_other() {
        let bench = bench();
        let grant = Grant::person("user-1", Role::Owner);
        let caller = bench.issuer.mint("inst-1", &grant, bench.clock.now()).unwrap();
        bench.refused(&caller, Reason::Type);
        let logout = bench.token(TYPE, |claims| {
            claims.insert("aud".into(), json!(["client-1", "quoroom-runtime"]));
            claims.insert("instanceId".into(), "inst-1".into());
            claims.insert("role".into(), "owner".into());
        });
        let error = bench.verifier.verify(Credential::Bearer(&logout)).unwrap_err();
        assert_eq!(error.reason(), Reason::Type);
    }

    #[test]
    fn what_was_used_is_forgotten_only_when_it_has_expired() {
        let used = UsedTokens::default();
        for n in 0..MAX_USED {
            assert_eq!(used.use_up("i", &n.to_string(), 100 + n as u64 % 2, 0), Ok(()));
        }
        assert_eq!(used.use_up("i", "new", 200, 0), Err(Reason::Replayed));
        assert_eq!(used.use_up("i", "new", 200, 100), Ok(()), "half of them have expired");
        assert_eq!(used.use_up("i", "1", 200, 100), Err(Reason::Replayed));
        assert_eq!(used.use_up("other issuer", "1", 200, 100), Ok(()));
    }
}
