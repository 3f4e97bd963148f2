//! Each rule with a token that breaks it and nothing else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::error::LogText;
use crate::identity::{Role, Standing};
use crate::issuer::{Grant, Issuer, IssuerKey};
use crate::jws::Algorithm;

const ISSUER: &str = "https://issuer.example";
const INSTANCE: &str = "inst-1";

/// An issuer, a verifier that trusts it, and a clock that stands still.
struct Bench {
    issuer: Issuer,
    verifier: Verifier,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new(algorithm: Algorithm) -> Self {
        Self::with(algorithm, |policy| policy)
    }

    fn with(algorithm: Algorithm, set: impl FnOnce(IssuerPolicy) -> IssuerPolicy) -> Self {
        let issuer = Issuer::new(ISSUER, IssuerKey::generate(algorithm).unwrap());
        let clock = Arc::new(ManualClock::default());
        let policy = set(IssuerPolicy::static_keys(ISSUER, issuer.key_set().unwrap()));
        let verifier =
            Verifier::builder(INSTANCE).issuer(policy).clock(clock.clone()).build().unwrap();
        Self { issuer, verifier, clock }
    }

    fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }

    fn claims(&self) -> Map<String, Value> {
        let now = self.now();
        let claims = json!({
            "iss": ISSUER, "aud": "quoroom-runtime", "sub": "user-1", "instanceId": INSTANCE,
            "role": "admin", "iat": now, "exp": now + 600, "jti": "t-1",
        });
        claims.as_object().unwrap().clone()
    }

    fn header(&self) -> String {
        let key = self.issuer.key();
        json!({ "alg": key.algorithm().as_str(), "kid": key.kid(), "typ": "JWT" }).to_string()
    }

    fn signed(&self, payload: &str) -> String {
        self.issuer.key().sign(self.header(), payload).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        self.verifier.verify(Credential::Bearer(token))
    }

    /// Verifies the good claims with `change` made to them.
    fn with_claims(
        &self,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<Arc<Principal>, AuthError> {
        let mut claims = self.claims();
        change(&mut claims);
        self.verify(&self.signed(&Value::Object(claims).to_string()))
    }

    /// Verifies the good claims with one replaced by a piece of JSON as written, or left out.
    fn with_raw(&self, name: &str, value: Option<&str>) -> Result<Arc<Principal>, AuthError> {
        let mut members: Vec<String> = self
            .claims()
            .iter()
            .filter(|(key, _)| *key != name)
            .map(|(key, value)| format!("{}:{value}", json!(key)))
            .collect();
        members.extend(value.map(|value| format!("{}:{value}", json!(name))));
        self.verify(&self.signed(&format!("{{{}}}", members.join(","))))
    }

    #[track_caller]
    fn refuses(&self, name: &str, values: &[&str], reason: Reason) {
        for value in values {
            let refused = self.with_raw(name, Some(value)).map_err(|error| error.reason());
            assert_eq!(refused.err(), Some(reason), "{name}: {value}");
        }
    }

    #[track_caller]
    fn accepts(&self, name: &str, values: &[&str]) {
        for value in values {
            let answer = self.with_raw(name, Some(value));
            assert!(answer.is_ok(), "{name}: {value}: {answer:?}");
        }
    }
}

#[test]
fn a_token_of_each_algorithm_names_its_caller() {
    for algorithm in Algorithm::ALL {
        let bench = Bench::new(algorithm);
        let grant = Grant::person("user-1", Role::Admin)
            .claim("email", "a@b.example")
            .claim("email_verified", true)
            .claim("name", "Ada")
            .claim("sid", "s-1")
            .token_id("t-9");
        let token = bench.issuer.mint(INSTANCE, &grant, bench.clock.now()).unwrap();
        let principal = bench.verify(&token).unwrap();
        assert_eq!(principal.identity().issuer, ISSUER);
        assert_eq!(principal.identity().subject, "user-1");
        assert_eq!(principal.standing(), Standing::Person(Role::Admin));
        assert_eq!(principal.instance(), INSTANCE);
        assert_eq!(principal.token_id(), Some("t-9"));
        assert_eq!(principal.session_id(), Some("s-1"));
        assert_eq!(principal.profile().email.as_deref(), Some("a@b.example"));
        assert!(principal.profile().email_verified);
        assert_eq!(principal.profile().name.as_deref(), Some("Ada"));
        let keys = bench.issuer.key_set().unwrap();
        let thumbprint = keys.keys().next().unwrap().thumbprint();
        assert_eq!(principal.key(), SigningKey::Public(thumbprint));
        let life = principal.expires_at().duration_since(principal.issued_at().unwrap());
        assert_eq!(life.unwrap(), crate::issuer::DEFAULT_LIFETIME);
    }
}

#[test]
fn a_refusal_tells_the_log_what_was_proven_and_no_more() {
    let bench = Bench::new(Algorithm::EdDsa);
    let kid = bench.issuer.key().kid().to_owned();
    let thumbprint = bench.issuer.key_set().unwrap().keys().next().unwrap().thumbprint();
    let proven = bench.with_raw("role", Some("\"root\"")).unwrap_err();
    let detail = proven.detail().unwrap();
    assert_eq!(detail.issuer.as_ref().map(LogText::as_str), Some(ISSUER));
    assert_eq!(detail.kid.as_ref().map(LogText::as_str), Some(kid.as_str()));
    assert_eq!(detail.thumbprint, Some(thumbprint));
    assert_eq!(detail.token_id.as_ref().map(LogText::as_str), Some("t-1"));
    let stranger = IssuerKey::generate(Algorithm::EdDsa).unwrap();
    let payload = Value::Object(bench.claims()).to_string();
    let forged = bench.verify(&stranger.sign(bench.header(), payload).unwrap()).unwrap_err();
    let detail = forged.detail().unwrap();
    assert_eq!(detail.kid.as_ref().map(LogText::as_str), Some(kid.as_str()));
    assert_eq!((detail.thumbprint, &detail.token_id), (None, &None));
}

#[test]
fn every_byte_of_a_token_counts() {
    let bench = Bench::new(Algorithm::EdDsa);
    let token = bench.signed(&Value::Object(bench.claims()).to_string());
    assert!(bench.verify(&token).is_ok());
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(bench.verify(&changed).is_err(), "byte {at}");
        assert!(bench.verify(&token[..at]).is_err(), "cut at {at}");
    }
    for around in
        [format!(" {token}"), format!("{token} "), format!("{token}."), format!("{token}\n")]
    {
        assert!(bench.verify(&around).is_err(), "{around:?}");
    }
}

#[test]
fn the_issuer_is_one_exact_string() {
    let bench = Bench::new(Algorithm::EdDsa);
    assert_eq!(bench.with_raw("iss", None).unwrap_err().reason(), Reason::UnknownIssuer);
    bench.refuses(
        "iss",
        &[
            "null",
            "1",
            "{}",
            "\"\"",
            r#"["https://issuer.example"]"#,
            r#""https://issuer.example/""#,
            r#""https://Issuer.example""#,
            r#""https://issuer.example.evil""#,
            r#""https://issuer.example ""#,
            r#""https://issuer.example\u0000""#,
            r#""quoroom-cloud""#,
        ],
        Reason::UnknownIssuer,
    );
    bench.accepts("iss", &[r#""https:\/\/issuer.\u0065xample""#]);
}

#[test]
fn the_audience_holds_ours() {
    let bench = Bench::new(Algorithm::EdDsa);
    assert_eq!(bench.with_raw("aud", None).unwrap_err().reason(), Reason::Audience);
    bench.refuses(
        "aud",
        &[
            "null",
            "7",
            "[]",
            "{}",
            "\"\"",
            "true",
            r#""Quoroom-runtime""#,
            r#""quoroom""#,
            r#""quoroom-runtime2""#,
            r#""quoroom-runtime,other""#,
            r#""quoroom-runtime other""#,
            r#"[["quoroom-runtime"]]"#,
            r#"["quoroom-runtime",1]"#,
            r#"["quoroom-runtime",null]"#,
            r#"{"quoroom-runtime":true}"#,
            r#"["other"]"#,
        ],
        Reason::Audience,
    );
    bench.accepts(
        "aud",
        &[r#"["quoroom-runtime"]"#, r#"["other","quoroom-runtime"]"#, r#""quoroom-runtime""#],
    );
}

#[test]
fn a_token_is_for_this_instance_alone() {
    let bench = Bench::new(Algorithm::EdDsa);
    assert_eq!(bench.with_raw("instanceId", None).unwrap_err().reason(), Reason::Instance);
    bench.refuses(
        "instanceId",
        &[
            "null",
            "\"\"",
            "\"*\"",
            "\"inst-2\"",
            "\"INST-1\"",
            "\"inst-1 \"",
            "\"inst-10\"",
            r#"["inst-1"]"#,
            r#"["inst-1","inst-2"]"#,
            "1",
            "true",
            r#"{"id":"inst-1"}"#,
        ],
        Reason::Instance,
    );
}

#[test]
fn dates_are_numbers_of_seconds() {
    let bench = Bench::new(Algorithm::EdDsa);
    let now = bench.now();
    let malformed = [
        "null",
        "true",
        "\"\"",
        "[]",
        "{}",
        "-1",
        "-0",
        "1e300",
        "18446744073709551616",
        "253402300800",
        "-1e3",
        "99999999999999999999999999",
        &format!("\"{now}\""),
        "\"0x7fffffff\"",
    ];
    for name in ["exp", "iat", "nbf"] {
        bench.refuses(name, &malformed, Reason::Dates);
    }
    assert_eq!(bench.with_raw("exp", None).unwrap_err().reason(), Reason::Dates);
    assert_eq!(bench.with_raw("iat", None).unwrap_err().reason(), Reason::Dates);
    // RFC 7519 lets dates have a fraction, and some issuers write one.
    bench.accepts("exp", &[&format!("{}.5", now + 60), &format!("{}.0", now + 60)]);
    bench.accepts("exp", &[&format!("{}e-1", (now + 60) * 10)]);
    bench.accepts("iat", &[&format!("{now}.25")]);
}

#[test]
fn a_fraction_of_a_second_never_helps() {
    let bench = Bench::new(Algorithm::EdDsa);
    let now = bench.now();
    let expired = bench.with_claims(|claims| {
        claims.insert("iat".into(), (now - 600).into());
        let exp: Value = serde_json::from_str(&format!("{}.9", now - 30)).unwrap();
        claims.insert("exp".into(), exp);
    });
    assert_eq!(expired.unwrap_err().reason(), Reason::Expired);
    bench.refuses("nbf", &[&format!("{}.1", now + 30)], Reason::NotYetValid);
    bench.refuses("iat", &[&format!("{}.1", now + 30)], Reason::IssuedInFuture);
}

#[test]
fn the_leeway_ends_to_the_second() {
    let bench = Bench::new(Algorithm::EdDsa);
    let now = bench.now();
    let expiring = |exp: u64| {
        bench.with_claims(|claims| {
            claims.insert("iat".into(), (now - 600).into());
            claims.insert("exp".into(), exp.into());
        })
    };
    assert!(expiring(now - 29).is_ok());
    let error = expiring(now - 30).unwrap_err();
    assert!(matches!(error, AuthError::Expired(_)), "{error:?}");
    bench.accepts("nbf", &[&(now + 30).to_string(), &(now - 5).to_string(), "0"]);
    bench.refuses("nbf", &[&(now + 31).to_string()], Reason::NotYetValid);
    bench.accepts("iat", &[&(now + 30).to_string()]);
    bench.refuses("iat", &[&(now + 31).to_string()], Reason::IssuedInFuture);
}

#[test]
fn time_ends_a_token() {
    let bench = Bench::new(Algorithm::EdDsa);
    let token = bench.signed(&Value::Object(bench.claims()).to_string());
    bench.clock.advance(Duration::from_secs(629));
    assert!(bench.verify(&token).is_ok());
    bench.clock.advance(Duration::from_secs(1));
    assert!(matches!(bench.verify(&token), Err(AuthError::Expired(_))));
}

#[test]
fn a_life_is_longer_than_nothing_and_no_longer_than_allowed() {
    let bench =
        Bench::with(Algorithm::EdDsa, |policy| policy.max_lifetime(Duration::from_hours(1)));
    let now = bench.now();
    bench.accepts("exp", &[&(now + 3600).to_string()]);
    bench.refuses(
        "exp",
        &[&(now + 3601).to_string(), &now.to_string(), &(now - 1).to_string(), "253402300799"],
        Reason::Lifetime,
    );
}

#[test]
fn the_subject_is_a_name() {
    let bench = Bench::new(Algorithm::EdDsa);
    assert_eq!(bench.with_raw("sub", None).unwrap_err().reason(), Reason::Subject);
    let long = format!("\"{}\"", "x".repeat(256));
    bench.refuses(
        "sub",
        &[
            "null",
            "1",
            "[]",
            "\"\"",
            "\"  \"",
            r#""\u00a0""#,
            r#""a\u0000b""#,
            r#""a\nb""#,
            r#""\u0085""#,
            r#"["user-1"]"#,
            &long,
        ],
        Reason::Subject,
    );
    bench.accepts("sub", &[&format!("\"{}\"", "é".repeat(255)), "\"auth0|123 456\""]);
}

#[test]
fn other_claims_have_their_types() {
    let bench = Bench::new(Algorithm::EdDsa);
    for name in ["jti", "sid"] {
        bench.refuses(name, &["null", "1", "\"\"", "[]", r#""a\u0000""#], Reason::Claim);
    }
    for name in ["email", "name"] {
        bench.refuses(name, &["1", "[]", "{}", "true"], Reason::Claim);
        bench.accepts(name, &["null", "\"x\"", "\"\""]);
    }
    bench.refuses("email_verified", &["1", "\"yes\"", "[]"], Reason::Claim);
    bench.accepts("email_verified", &["null", "true", "false", "\"true\"", "\"false\""]);
}

#[test]
fn an_unknown_role_is_forbidden() {
    let bench = Bench::new(Algorithm::EdDsa);
    let missing = bench.with_raw("role", None).unwrap_err();
    assert!(matches!(missing, AuthError::Forbidden(_)), "{missing:?}");
    bench.refuses(
        "role",
        &[
            "null",
            "1",
            "[]",
            r#"["owner"]"#,
            "\"\"",
            "\"Owner\"",
            "\"owner \"",
            "\"user\"",
            "\"root\"",
            "\"owners\"",
            "{\"owner\":true}",
            "true",
        ],
        Reason::Role,
    );
    for role in Role::ALL {
        let principal = bench.with_raw("role", Some(&format!("\"{role}\""))).unwrap();
        assert_eq!(principal.standing(), Standing::Person(role));
    }
}

#[test]
fn only_a_marked_issuer_speaks_as_a_service() {
    let bench = Bench::new(Algorithm::EdDsa);
    bench.refuses("role", &["\"control\""], Reason::ServiceNotAllowed);
    let bench = Bench::with(Algorithm::EdDsa, |policy| policy.service(true));
    let token = bench.issuer.mint(INSTANCE, &Grant::service("plane"), bench.clock.now()).unwrap();
    assert_eq!(bench.verify(&token).unwrap().standing(), Standing::Service);
}

#[test]
fn the_payload_is_one_strict_object() {
    let bench = Bench::new(Algorithm::EdDsa);
    let good = Value::Object(bench.claims()).to_string();
    let doubled = good.replacen('{', r#"{"role":"owner","#, 1);
    let escaped = good.replacen('{', r#"{"r\u006fle":"owner","#, 1);
    let nested = good.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1);
    let magic = good.replacen('{', r#"{"$serde_json::private::RawValue":"{}","#, 1);
    let positional = r#"["https://issuer.example","quoroom-runtime"]"#.to_owned();
    let marked = format!("\u{feff}{good}");
    let trailing = format!("{good}x");
    for payload in [doubled, escaped, nested, magic, positional, marked, trailing] {
        let error = bench.verify(&bench.signed(&payload)).unwrap_err();
        assert_eq!(error.reason(), Reason::Payload, "{payload}");
    }
    for payload in [&b"\xff\xfe"[..], b"", b"null", b"\"x\"", b"{\"iss\":NaN}"] {
        let token = bench.issuer.key().sign(bench.header(), payload).unwrap();
        assert_eq!(bench.verify(&token).unwrap_err().reason(), Reason::Payload);
    }
}

#[test]
fn the_key_is_the_one_the_issuer_published_for_the_algorithm() {
    let bench = Bench::new(Algorithm::Es256);
    let payload = Value::Object(bench.claims()).to_string();
    let stranger = IssuerKey::generate(Algorithm::Es256).unwrap();
    let forged = stranger.sign(bench.header(), &payload).unwrap();
    assert_eq!(bench.verify(&forged).unwrap_err().reason(), Reason::Signature);
    let kid = bench.issuer.key().kid();
    for (header, reason) in [
        (json!({ "alg": "ES256" }), Reason::KeyId),
        (json!({ "alg": "ES256", "kid": "other" }), Reason::UnknownKey),
        (json!({ "alg": "ES256", "kid": kid.to_lowercase() + " " }), Reason::UnknownKey),
        (json!({ "alg": "RS256", "kid": kid }), Reason::KeyAlgorithm),
        (json!({ "alg": "EdDSA", "kid": kid }), Reason::KeyAlgorithm),
        (json!({ "alg": "HS256", "kid": kid }), Reason::UnknownIssuer),
        (json!({ "alg": "none", "kid": kid }), Reason::Algorithm),
        (json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), Reason::Type),
        (json!({ "alg": "ES256", "kid": kid, "typ": "" }), Reason::Type),
        (json!({ "alg": "ES256", "kid": kid, "crit": ["exp"] }), Reason::Extension),
    ] {
        let token = bench.issuer.key().sign(header.to_string(), &payload).unwrap();
        assert_eq!(bench.verify(&token).unwrap_err().reason(), reason, "{header}");
    }
    for header in [
        json!({ "alg": "ES256", "kid": kid, "typ": "jwt" }),
        json!({ "alg": "ES256", "kid": kid, "x5t": "AAAA", "jku": "https://evil.example" }),
        json!({ "alg": "ES256", "kid": kid, "jwk": stranger.public_jwk() }),
    ] {
        let token = bench.issuer.key().sign(header.to_string(), &payload).unwrap();
        assert!(bench.verify(&token).is_ok(), "{header}");
        let token = stranger.sign(header.to_string(), &payload).unwrap();
        assert_eq!(bench.verify(&token).unwrap_err().reason(), Reason::Signature, "{header}");
    }
}

#[test]
fn a_policy_may_allow_fewer_algorithms() {
    let bench = Bench::with(Algorithm::Es256, |policy| policy.algorithms([Algorithm::EdDsa]));
    let error = bench.with_claims(|_| ()).unwrap_err();
    assert_eq!(error.reason(), Reason::Algorithm);
}

#[test]
fn an_issuer_cannot_sign_for_another() {
    let clock = Arc::new(ManualClock::default());
    let make = |name: &str| Issuer::new(name, IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let (ours, theirs) = (make("https://a.example"), make("https://b.example"));
    let verifier = Verifier::builder(INSTANCE)
        .issuer(IssuerPolicy::static_keys(ours.name(), ours.key_set().unwrap()))
        .issuer(IssuerPolicy::static_keys(theirs.name(), theirs.key_set().unwrap()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let grant = Grant::person("user-1", Role::Owner);
    let honest = theirs.mint(INSTANCE, &grant, clock.now()).unwrap();
    assert!(verifier.verify(Credential::Bearer(&honest)).is_ok());
    let forged = theirs.mint(INSTANCE, &grant.claim("iss", ours.name()), clock.now()).unwrap();
    let error = verifier.verify(Credential::Bearer(&forged)).unwrap_err();
    assert_eq!(error.reason(), Reason::UnknownKey);
}
