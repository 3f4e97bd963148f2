//! One issuer, its tokens, and the three verifiers.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use room_auth::issuer::IssuerKey;
use room_auth::{Algorithm, Credential, IssuerPolicy, KeySet, Reason, Verifier};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "quoroom-runtime";
pub(crate) const INSTANCE: &str = "inst-1";

pub(crate) static EC: LazyLock<IssuerKey> =
    LazyLock::new(|| IssuerKey::generate(Algorithm::Es256).expect("a key").with_kid("ec-1"));

/// Seconds since 1970, now: `jsonwebtoken` asks the system's clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The claims of a plain valid token with one member set, or removed where it is null.
#[expect(clippy::needless_pass_by_value, reason = "tests write the changes in place")]
pub(crate) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "instanceId": INSTANCE, "role": "owner",
        "iat": now() - 5, "exp": now() + 600,
    });
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// A header of the EC key with further members.
#[expect(clippy::needless_pass_by_value, reason = "tests write the changes in place")]
pub(crate) fn header(more: Value) -> Value {
    let mut header = json!({ "alg": "ES256", "kid": "ec-1" });
    let members = header.as_object_mut().expect("an object");
    members.extend(more.as_object().cloned().unwrap_or_default());
    header
}

/// A token rightly signed by the EC key, whatever it says.
pub(crate) fn signed(header: &Value, payload: &str) -> String {
    EC.sign(header.to_string(), payload).expect("signed")
}

pub(crate) fn token(changes: Value) -> String {
    signed(&header(json!({})), &claims(changes).to_string())
}

/// The key set with the EC key, its members changed.
#[expect(clippy::needless_pass_by_value, reason = "tests write the changes in place")]
pub(crate) fn set_with(changes: Value) -> Value {
    let mut key = EC.public_jwk();
    let members = key.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    json!({ "keys": [key] })
}

pub(crate) fn set() -> Value {
    set_with(json!({}))
}

/// What this crate says, with the key set as published.
pub(crate) fn ours(set: &Value, token: &str) -> Result<(), Reason> {
    let keys = KeySet::parse(set.to_string().as_bytes()).map_err(|_| Reason::NoKeys)?;
    let verifier = Verifier::builder(INSTANCE)
        .issuer(IssuerPolicy::static_keys(ISSUER, keys.keys))
        .build()
        .expect("a sound policy");
    verifier.verify(Credential::Bearer(token)).map(drop).map_err(|error| error.reason())
}

/// `jsonwebtoken` with care: the key by `kid`, its own algorithm pinned, issuer and audience set,
/// four claims required.
pub(crate) fn careful(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// What `jsonwebtoken` says to a token under the key of the set that its `kid` names.
pub(crate) fn theirs_with<T: DeserializeOwned + Clone>(
    set: &Value,
    token: &str,
    validation: &Validation,
) -> Result<T, String> {
    let set: JwkSet = serde_json::from_value(set.clone()).map_err(|error| error.to_string())?;
    let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
    let kid = header.kid.ok_or("no kid")?;
    let key = set.find(&kid).ok_or("no such key")?;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    jsonwebtoken::decode::<T>(token, &key, validation)
        .map(|data| data.claims)
        .map_err(|error| error.to_string())
}

pub(crate) fn theirs(set: &Value, token: &str) -> Result<Value, String> {
    theirs_with(set, token, &careful(jsonwebtoken::Algorithm::ES256))
}
