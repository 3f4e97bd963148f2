//! `jsonwebtoken` 11.1 as it is used with care. It verifies signatures well; what a token may say
//! beyond that is left to its caller, and that is where the difference lies.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use room_auth::Reason;
use room_auth::issuer::IssuerKey;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bench::{
    AUDIENCE, EC, ISSUER, careful, claims, header, now, ours, set, set_with, signed, theirs,
    theirs_with, token,
};

/// They take the token, this crate refuses it for `reason`.
#[track_caller]
fn they_accept_we_refuse(set: &Value, token: &str, reason: Reason) {
    if let Err(error) = theirs(set, token) {
        panic!("jsonwebtoken refuses it by now: {error}");
    }
    assert_eq!(ours(set, token), Err(reason));
}

/// They refuse the token or the whole set, this crate takes the token.
#[track_caller]
fn they_refuse_we_accept(set: &Value, token: &str) {
    assert!(theirs(set, token).is_err(), "jsonwebtoken takes it by now");
    assert_eq!(ours(set, token), Ok(()));
}

#[test]
fn a_plain_token_is_taken_by_both() {
    let token = token(json!({}));
    assert!(theirs(&set(), &token).is_ok());
    assert_eq!(ours(&set(), &token), Ok(()));
}

/// RFC 7515, section 4.1.11: what is not understood and critical makes the token invalid.
#[test]
fn a_critical_extension_is_ignored_by_them() {
    for (member, reason) in [
        (json!({ "crit": ["exp"], "exp": 1 }), Reason::Extension),
        (json!({ "crit": ["b64"], "b64": false }), Reason::Extension),
        (json!({ "zip": "DEF" }), Reason::Extension),
        (json!({ "enc": "A256GCM" }), Reason::Extension),
        (json!({ "cty": "JWT" }), Reason::Extension),
        (json!({ "typ": "logout+jwt" }), Reason::Type),
        (json!({ "typ": "dpop+jwt" }), Reason::Type),
    ] {
        let token = signed(&header(member), &claims(json!({})).to_string());
        they_accept_we_refuse(&set(), &token, reason);
    }
}

/// RFC 7517, sections 4.2 to 4.4: what the key is for.
#[test]
fn the_purpose_of_a_key_is_ignored_by_them() {
    for changes in [
        json!({ "use": "enc" }),
        json!({ "use": null, "key_ops": ["encrypt"] }),
        json!({ "alg": "ECDH-ES" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "ES384" }),
    ] {
        they_accept_we_refuse(&set_with(changes), &token(json!({})), Reason::NoKeys);
    }
}

#[test]
fn a_published_private_key_is_taken_by_them() {
    they_accept_we_refuse(&set_with(json!({ "d": "AQAB" })), &token(json!({})), Reason::NoKeys);
}

/// The class of CVE-2025-30144: an array that holds a trusted issuer beside the attacker's.
#[test]
fn an_issuer_array_is_taken_by_them() {
    let token = token(json!({ "iss": ["https://attacker.example", ISSUER] }));
    they_accept_we_refuse(&set(), &token, Reason::UnknownIssuer);
}

#[test]
fn dates_are_mostly_not_asked_by_them() {
    for (changes, reason) in [
        (json!({ "iat": null }), Reason::Dates),
        (json!({ "iat": "yesterday" }), Reason::Dates),
        (json!({ "iat": now() + 3600, "exp": now() + 7200 }), Reason::IssuedInFuture),
        (json!({ "exp": now() + 315_360_000 }), Reason::Lifetime),
        (json!({ "iat": now() - 3600, "exp": now() - 45 }), Reason::Expired), // leeway 60
        (json!({ "nbf": now() + 300 }), Reason::NotYetValid),
    ] {
        they_accept_we_refuse(&set(), &token(changes), reason);
    }
}

/// Not theirs to know, and easily forgotten by their callers.
#[test]
fn instance_role_and_a_sound_subject_are_not_asked_by_them() {
    for (changes, reason) in [
        (json!({ "instanceId": "inst-2" }), Reason::Instance),
        (json!({ "instanceId": null }), Reason::Instance),
        (json!({ "role": "root" }), Reason::Role),
        (json!({ "sub": " " }), Reason::Subject),
        (json!({ "sub": "user-1\r\nX-Role: owner" }), Reason::Subject),
    ] {
        they_accept_we_refuse(&set(), &token(changes), reason);
    }
}

#[test]
fn the_last_of_two_claims_wins_with_them() {
    let plain = claims(json!({ "role": "viewer" })).to_string();
    let doubled = format!(r#"{},"role":"owner"}}"#, plain.trim_end_matches('}'));
    let token = signed(&header(json!({})), &doubled);
    assert_eq!(theirs(&set(), &token).expect("taken")["role"], "owner");
    assert_eq!(ours(&set(), &token), Err(Reason::Payload));
}

/// The class of CVE-2026-107723: a payload that is no object, read into a struct by position.
#[test]
fn a_positional_payload_is_taken_by_them() {
    #[derive(Debug, Clone, Deserialize)]
    struct Claims {
        exp: u64,
        nbf: u64,
        sub: String,
        iss: String,
        aud: String,
    }
    let payload = json!([now() + 600, now() - 5, "user-1", ISSUER, AUDIENCE]).to_string();
    let token = signed(&header(json!({})), &payload);
    let validation = careful(Algorithm::ES256);
    let read: Claims = theirs_with(&set(), &token, &validation).expect("taken");
    assert_eq!(
        (read.sub.as_str(), read.iss.as_str(), read.aud.as_str()),
        ("user-1", ISSUER, AUDIENCE)
    );
    assert!(read.exp > read.nbf);
    assert_eq!(ours(&set(), &token), Err(Reason::Payload));
}

/// Their defaults require `exp` alone, and a claim of the wrong type counts as absent.
#[test]
fn by_default_a_mistyped_issuer_or_audience_is_no_issuer_or_audience_to_them() {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    for (changes, reason) in [
        (json!({ "iss": 7 }), Reason::UnknownIssuer),
        (json!({ "iss": { "a": 1 } }), Reason::UnknownIssuer),
        (json!({ "iss": null }), Reason::UnknownIssuer),
        (json!({ "aud": 7 }), Reason::Audience),
        (json!({ "aud": { "a": 1 } }), Reason::Audience),
        (json!({ "aud": null }), Reason::Audience),
    ] {
        let token = token(changes.clone());
        let read = theirs_with::<Value>(&set(), &token, &validation);
        assert!(read.is_ok(), "{changes}: {read:?}");
        assert_eq!(ours(&set(), &token), Err(reason), "{changes}");
    }
}

/// The identity point verifies a signature that nobody made, whatever the message.
#[test]
fn an_ed25519_key_of_small_order_is_taken_by_them() {
    let mut point = [0; 32];
    point[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let set = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": "weak", "alg": "EdDSA", "use": "sig", "x": encode(&point) },
        EC.public_jwk(),
    ] });
    let head = encode(br#"{"alg":"EdDSA","kid":"weak"}"#);
    let token = format!(
        "{head}.{}.{}",
        encode(claims(json!({})).to_string().as_bytes()),
        encode(&signature)
    );
    let validation = careful(Algorithm::EdDSA);
    assert!(theirs_with::<Value>(&set, &token, &validation).is_ok());
    assert_eq!(ours(&set, &token), Err(Reason::UnknownKey));
}

/// Whoever reads an `oct` entry can sign, and an empty secret is everybody's.
#[test]
fn symmetric_keys_of_a_set_and_empty_secrets_are_taken_by_them() {
    let validation = careful(Algorithm::HS256);
    for secret in ["", "AQAB"] {
        let set = json!({ "keys": [
            { "kty": "oct", "kid": "shared", "alg": "HS256", "use": "sig", "k": secret },
            EC.public_jwk(),
        ] });
        let secret = decode64(secret);
        let mut head = jsonwebtoken::Header::new(Algorithm::HS256);
        head.kid = Some("shared".to_owned());
        let key = jsonwebtoken::EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&head, &claims(json!({})), &key).expect("signed");
        assert!(theirs_with::<Value>(&set, &token, &validation).is_ok(), "{set}");
        assert_eq!(ours(&set, &token), Err(Reason::UnknownIssuer));
    }
}

/// One entry that they cannot read costs all the others.
#[test]
fn a_set_fails_whole_with_them() {
    for rotten in [
        json!(null),
        json!("ec-2"),
        json!({ "kty": "RSA", "kid": 7, "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB", "key_ops": "verify" }),
    ] {
        let set = json!({ "keys": [rotten, EC.public_jwk()] });
        they_refuse_we_accept(&set, &token(json!({})));
    }
}

/// RFC 9864 names the algorithm by its curve.
#[test]
fn the_name_ed25519_is_unknown_to_them() {
    let key = IssuerKey::generate(room_auth::Algorithm::EdDsa).expect("a key").with_kid("ed-1");
    let set = json!({ "keys": [key.public_jwk()] });
    let token = key
        .sign(r#"{"alg":"Ed25519","kid":"ed-1"}"#, claims(json!({})).to_string())
        .expect("signed");
    assert!(theirs_with::<Value>(&set, &token, &careful(Algorithm::EdDSA)).is_err());
    assert_eq!(ours(&set, &token), Ok(()));
}

/// With two keys under one id they take the first; which was meant is a guess.
#[test]
fn of_two_keys_with_one_id_the_first_is_theirs() {
    let other = IssuerKey::generate(room_auth::Algorithm::Es256).expect("a key").with_kid("ec-1");
    let third = IssuerKey::generate(room_auth::Algorithm::Es256).expect("a key").with_kid("ec-3");
    let set = json!({ "keys": [EC.public_jwk(), other.public_jwk(), third.public_jwk()] });
    let read: JwkSet = serde_json::from_value(set.clone()).expect("a set");
    assert_eq!(read.keys.len(), 3);
    they_accept_we_refuse(&set, &token(json!({})), Reason::AmbiguousKey);
}

/// Their reader of a DER key has no opinion on what it reads; ours has no such door. A PEM as an
/// HMAC secret is refused by both, as long as their caller pins the algorithm.
#[test]
fn a_public_key_as_a_secret_is_refused_by_both() {
    let pem = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let mut head = jsonwebtoken::Header::new(Algorithm::HS256);
    head.kid = Some("ec-1".to_owned());
    let secret = jsonwebtoken::EncodingKey::from_secret(pem);
    let token = jsonwebtoken::encode(&head, &claims(json!({})), &secret).expect("signed");
    assert!(theirs(&set(), &token).is_err());
    assert_eq!(ours(&set(), &token), Err(Reason::UnknownIssuer));
    // Where the caller takes key and algorithm from what is offered, theirs is fooled.
    let naive = DecodingKey::from_secret(pem);
    let mut validation =
        Validation::new(jsonwebtoken::decode_header(&token).expect("a header").alg);
    validation.set_audience(&[AUDIENCE]);
    assert!(decode::<Value>(&token, &naive, &validation).is_ok());
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn decode64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
