//! The legacy issuer: shared secrets, a role table, an end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::hmac::LegacySecrets;
use crate::identity::Role;

const INSTANCE: &str = "inst-1";

fn legacy_token(secret: &[u8], claims: &Value, header: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    let content = format!("{}.{}", B64.encode(header), B64.encode(claims.to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let signature = aws_lc_rs::hmac::sign(&key, content.as_bytes());
    format!("{content}.{}", B64.encode(signature.as_ref()))
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OLD_SECRET: &str = "abcdef0123456789abcdef0123456789";

fn legacy(clock: &Arc<ManualClock>, sunset: Option<SystemTime>) -> (Verifier, Arc<LegacySecrets>) {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let mut secrets =
        LegacySecrets::new(&secret(SECRET)).unwrap().with_previous(&secret(OLD_SECRET)).unwrap();
    if let Some(sunset) = sunset {
        secrets = secrets.with_sunset(sunset);
    }
    let secrets = Arc::new(secrets);
    let verifier = Verifier::builder(INSTANCE)
        .issuer(IssuerPolicy::legacy_hmac(secrets.clone()))
        .clock(clock.clone())
        .build()
        .unwrap();
    (verifier, secrets)
}

fn legacy_claims(now: u64) -> Value {
    json!({
        "iss": "quoroom-cloud", "aud": "quoroom-runtime", "sub": "user-1",
        "instanceId": INSTANCE, "role": "user", "exp": now + 600,
    })
}

#[test]
fn the_legacy_issuer_has_two_secrets_and_counts_them() {
    let clock = Arc::new(ManualClock::default());
    let (verifier, secrets) = legacy(&clock, None);
    let claims = legacy_claims(unix_seconds(clock.now()));
    for (secret, key) in
        [(SECRET, SigningKey::CurrentSecret), (OLD_SECRET, SigningKey::PreviousSecret)]
    {
        let token = legacy_token(secret.as_bytes(), &claims, HS256);
        let principal = verifier.verify(Credential::Bearer(&token)).unwrap();
        assert_eq!(principal.standing(), Standing::Person(Role::Owner));
        assert_eq!(principal.key(), key);
        assert_eq!(principal.issued_at(), None);
    }
    assert_eq!(secrets.uses(), crate::hmac::LegacyUses { current: 1, previous: 1 });
    for secret in [&b""[..], b"x", &SECRET.as_bytes()[..31], b"ABCDEF0123456789abcdef0123456789"] {
        let token = legacy_token(secret, &claims, HS256);
        let error = verifier.verify(Credential::Bearer(&token)).unwrap_err();
        assert_eq!(error.reason(), Reason::Signature);
    }
    assert_eq!(secrets.uses(), crate::hmac::LegacyUses { current: 1, previous: 1 });
}

#[test]
fn the_legacy_issuer_keeps_the_other_rules() {
    let clock = Arc::new(ManualClock::default());
    let (verifier, _) = legacy(&clock, None);
    let now = unix_seconds(clock.now());
    let check = |name: &str, value: Option<Value>| {
        let mut claims = legacy_claims(now);
        let members = claims.as_object_mut().unwrap();
        members.remove(name);
        members.extend(value.map(|value| (name.to_owned(), value)));
        let token = legacy_token(SECRET.as_bytes(), &claims, HS256);
        verifier.verify(Credential::Bearer(&token)).map_err(|error| error.reason())
    };
    let day = 24 * 60 * 60;
    for (name, value, reason) in [
        ("instanceId", None, Reason::Instance),
        ("instanceId", Some(json!("inst-2")), Reason::Instance),
        ("aud", None, Reason::Audience),
        ("sub", None, Reason::Subject),
        ("exp", None, Reason::Dates),
        ("exp", Some(json!(now - 30)), Reason::Expired),
        ("exp", Some(json!(now + day + 31)), Reason::Lifetime),
        ("iat", Some(json!(now + 31)), Reason::IssuedInFuture),
        ("role", Some(json!("root")), Reason::Role),
        ("role", Some(json!(null)), Reason::Role),
        ("role", Some(json!("control")), Reason::ServiceNotAllowed),
    ] {
        assert_eq!(check(name, value.clone()).err(), Some(reason), "{name} {value:?}");
    }
    assert!(check("exp", Some(json!(now + day))).is_ok());
    assert!(check("exp", Some(json!(now + day + 30))).is_ok(), "the leeway counts here, too");
    for (role, expected) in [
        (None, Role::Owner),
        (Some(json!("member")), Role::Member),
        (Some(json!("user")), Role::Owner),
    ] {
        assert_eq!(check("role", role).unwrap().standing(), Standing::Person(expected));
    }
    let other = legacy_token(SECRET.as_bytes(), &legacy_claims(now), r#"{"alg":"HS512"}"#);
    let error = verifier.verify(Credential::Bearer(&other)).unwrap_err();
    assert_eq!(error.reason(), Reason::Algorithm);
}

#[test]
fn the_legacy_issuer_ends_with_its_sunset() {
    let clock = Arc::new(ManualClock::default());
    let (verifier, _) = legacy(&clock, Some(clock.now() + Duration::from_mins(1)));
    let token = legacy_token(SECRET.as_bytes(), &legacy_claims(unix_seconds(clock.now())), HS256);
    let caller = verifier.verify(Credential::Bearer(&token)).unwrap();
    assert!(verifier.recheck(&caller).is_ok());
    clock.advance(Duration::from_mins(1));
    assert_eq!(verifier.recheck(&caller).unwrap_err().reason(), Reason::UnknownKey);
    assert_eq!(
        verifier.verify(Credential::Bearer(&token)).unwrap_err().reason(),
        Reason::Algorithm
    );
}
