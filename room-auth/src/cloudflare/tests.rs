//! Assertions as Cloudflare writes them, and as it does not.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::issuer::{Grant, Issuer, IssuerKey, any_key};
use crate::issuers::{ConfigError, IssuerPolicy};
use crate::revocation::unix_seconds;
use crate::verifier::{Credential, Verifier};

const TAG: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const CLIENT: &str = "e367826f93b8d71185e03fe518aff3b4.access";

struct Bench {
    key: IssuerKey,
    verifier: Verifier,
    clock: Arc<ManualClock>,
}

fn bench() -> Bench {
    let key = any_key(Algorithm::Rs256);
    let clock = Arc::new(ManualClock::default());
    let document = json!({ "keys": [key.public_jwk()], "public_certs": [] }).to_string();
    let keys = KeySet::parse(document.as_bytes()).unwrap().keys;
    let access = CloudflareAccess::static_keys("team", TAG, keys)
        .person("Ada@Example.com", Role::Owner)
        .person("bob@example.com", Role::Viewer)
        .service_token(CLIENT, Standing::Person(Role::Member));
    let verifier =
        Verifier::builder("inst-1").cloudflare_access(access).clock(clock.clone()).build().unwrap();
    Bench { key, verifier, clock }
}

impl Bench {
    fn sign(&self, change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let now = unix_seconds(self.clock.now());
        let mut claims = json!({
            "aud": [TAG], "email": "ada@example.com", "exp": now + 86_400, "iat": now, "nbf": now,
            "iss": "https://team.cloudflareaccess.com", "type": "app", "identity_nonce": "6ei69k",
            "sub": "7335d417-61da-459d-899c-0a01c76a2f94", "country": "NL",
        });
        change(claims.as_object_mut().unwrap());
        let header = json!({ "alg": "RS256", "kid": self.key.kid(), "typ": "JWT" });
        self.key.sign(header.to_string(), claims.to_string()).unwrap()
    }

    fn verify(
        &self,
        assertion: &str,
        email_header: Option<&str>,
    ) -> Result<Arc<Principal>, AuthError> {
        self.verifier.verify(Credential::CloudflareAccess { assertion, email_header })
    }

    #[track_caller]
    fn refused(&self, token: &str, reason: Reason) {
        assert_eq!(self.verify(token, None).unwrap_err().reason(), reason);
    }
}

#[test]
fn a_person_on_the_list_gets_their_role() {
    let bench = bench();
    let principal = bench.verify(&bench.sign(|_| ()), Some("ada@example.com")).unwrap();
    assert_eq!(principal.standing(), Standing::Person(Role::Owner));
    assert_eq!(principal.identity().issuer, "https://team.cloudflareaccess.com");
    assert_eq!(principal.identity().subject, "7335d417-61da-459d-899c-0a01c76a2f94");
    assert_eq!(principal.profile().email.as_deref(), Some("ada@example.com"));
    assert_eq!(principal.instance(), "inst-1");
    assert!(bench.verifier.recheck(&principal).is_ok());
    bench.clock.advance(Duration::from_hours(25));
    assert_eq!(bench.verifier.recheck(&principal).unwrap_err().reason(), Reason::Expired);
}

#[test]
fn each_claim_is_asked() {
    let bench = bench();
    let with = |name: &str, value: Value| {
        bench.sign(|claims| {
            claims.insert(name.into(), value);
        })
    };
    let without = |name: &str| {
        bench.sign(|claims| {
            claims.remove(name);
        })
    };
    let now = unix_seconds(bench.clock.now());
    for (token, reason) in [
        (with("iss", json!("https://other.cloudflareaccess.com")), Reason::UnknownIssuer),
        (with("iss", json!("https://team.cloudflareaccess.com/")), Reason::UnknownIssuer),
        (with("iss", json!("http://team.cloudflareaccess.com")), Reason::UnknownIssuer),
        (with("aud", json!(["other"])), Reason::Audience),
        (with("aud", json!([])), Reason::Audience),
        (with("aud", json!([&TAG[..63]])), Reason::Audience),
        (with("type", json!("org")), Reason::AssertionType),
        (with("type", json!(["app"])), Reason::AssertionType),
        (without("type"), Reason::AssertionType),
        (with("email", json!("eve@example.com")), Reason::NotMapped),
        (with("email", json!("")), Reason::AssertionEmail),
        (with("email", json!(["ada@example.com"])), Reason::AssertionEmail),
        (with("email", json!("ada@example.com\u{0}")), Reason::AssertionEmail),
        (with("email", json!("ada@example.com ")), Reason::AssertionEmail),
        (with("email", json!("@example.com")), Reason::AssertionEmail),
        (without("email"), Reason::AssertionEmail),
        (with("sub", json!("")), Reason::Subject),
        (without("sub"), Reason::Subject),
        (with("exp", json!(now - 31)), Reason::Lifetime),
        (with("nbf", json!(now + 31)), Reason::NotYetValid),
        (without("iat"), Reason::Dates),
        (without("exp"), Reason::Dates),
    ] {
        bench.refused(&token, reason);
    }
}

#[test]
fn a_service_token_needs_a_place_on_its_own_list() {
    let bench = bench();
    let service = |name: &str, sub: &str| {
        bench.sign(|claims| {
            claims.remove("email");
            claims.insert("sub".into(), sub.into());
            claims.insert("common_name".into(), name.into());
        })
    };
    let principal = bench.verify(&service(CLIENT, ""), None).unwrap();
    assert_eq!(principal.standing(), Standing::Person(Role::Member));
    assert_eq!(principal.identity().subject, format!("service-token:{CLIENT}"));
    bench.refused(&service("other.access", ""), Reason::NotMapped);
    bench.refused(&service(CLIENT, "someone"), Reason::Subject);
    bench.refused(&service("", ""), Reason::Claim);
    let both = bench.sign(|claims| {
        claims.insert("sub".into(), "".into());
        claims.insert("common_name".into(), CLIENT.into());
    });
    bench.refused(&both, Reason::AssertionEmail);
    let error = bench.verify(&service(CLIENT, ""), Some("ada@example.com")).unwrap_err();
    assert_eq!(error.reason(), Reason::EmailHeader);
}

#[test]
fn the_plain_header_must_not_contradict() {
    let bench = bench();
    let token = bench.sign(|_| ());
    assert!(bench.verify(&token, None).is_ok());
    for header in ["bob@example.com", "Ada@example.com", "", "ada@example.com, bob@example.com"] {
        let error = bench.verify(&token, Some(header)).unwrap_err();
        assert_eq!(error.reason(), Reason::EmailHeader, "{header}");
    }
}

#[test]
fn an_assertion_is_signed_by_cloudflare_with_rs256() {
    let bench = bench();
    let payload = bench.sign(|_| ());
    let payload = URL_SAFE_NO_PAD.decode(payload.split('.').nth(1).unwrap()).unwrap();
    let other = IssuerKey::generate(Algorithm::Es256).unwrap();
    for (header, reason) in [
        (json!({ "alg": "ES256", "kid": bench.key.kid() }), Reason::Algorithm),
        (json!({ "alg": "HS256", "kid": bench.key.kid() }), Reason::Algorithm),
        (json!({ "alg": "none" }), Reason::Algorithm),
        (json!({ "alg": "RS256", "kid": "x" }), Reason::UnknownKey),
        (json!({ "alg": "RS256", "kid": bench.key.kid() }), Reason::Signature),
    ] {
        bench.refused(&other.sign(header.to_string(), &payload).unwrap(), reason);
    }
    let with_type = |typ: &str| {
        let header = json!({ "alg": "RS256", "kid": bench.key.kid(), "typ": typ });
        bench.key.sign(header.to_string(), &payload).unwrap()
    };
    assert!(bench.verify(&with_type("jwt"), None).is_ok());
    for typ in ["at+jwt", "logout+jwt", ""] {
        bench.refused(&with_type(typ), Reason::Type);
    }
}

#[test]
fn an_assertion_is_no_bearer_and_a_bearer_no_assertion() {
    let bench = bench();
    let error = bench.verifier.verify(Credential::Bearer(&bench.sign(|_| ()))).unwrap_err();
    assert_eq!(error.reason(), Reason::UnknownIssuer);
    // Even with the same key and the same issuer name on both sides.
    let key = IssuerKey::from_pkcs8(Algorithm::Rs256, &bench.key.to_pkcs8().unwrap()).unwrap();
    let issuer = Issuer::new("https://issuer.example", key);
    let grant = Grant::person("user-1", Role::Owner);
    let token = issuer.mint("inst-1", &grant, bench.clock.now()).unwrap();
    bench.refused(&token, Reason::UnknownIssuer);
}

#[test]
fn two_credentials_name_one_person() {
    let bench = bench();
    let ada = bench.verify(&bench.sign(|_| ()), None).unwrap();
    let bob = bench.verify(
        &bench.sign(|claims| {
            claims.insert("email".into(), "bob@example.com".into());
            claims.insert("sub".into(), "2".into());
        }),
        None,
    );
    let bob = bob.unwrap();
    let issuer =
        Issuer::new("https://issuer.example", IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let verifier = Verifier::builder("inst-1")
        .issuer(IssuerPolicy::static_keys(issuer.name(), issuer.key_set().unwrap()))
        .clock(bench.clock.clone())
        .build()
        .unwrap();
    let bearer = |email: Option<&str>, is_verified: bool| {
        let grant = Grant::person("user-1", Role::Owner)
            .claim("email", email)
            .claim("email_verified", is_verified);
        let token = issuer.mint("inst-1", &grant, bench.clock.now()).unwrap();
        verifier.verify(Credential::Bearer(&token)).unwrap()
    };
    assert!(check_same_person(&ada, &ada).is_ok());
    assert!(check_same_person(&ada, &bearer(Some("Ada@Example.com"), true)).is_ok());
    for other in [
        bob,
        bearer(Some("ada@example.com"), false),
        bearer(Some("bob@example.com"), true),
        bearer(None, true),
    ] {
        let error = check_same_person(&ada, &other).unwrap_err();
        assert_eq!((error.reason(), error.status().as_u16()), (Reason::DifferentPeople, 401));
    }
}

#[test]
fn half_a_configuration_is_none() {
    let keys = || Issuer::new("i", any_key(Algorithm::Rs256)).key_set().unwrap();
    let check = |access: CloudflareAccess, fault: ConfigFault| {
        let built = Verifier::builder("x").cloudflare_access(access).build();
        assert_eq!(built.err(), Some(ConfigError(vec![fault])));
    };
    let ada = |access: CloudflareAccess| access.person("ada@example.com", Role::Owner);
    for team in ["", "a.b", "team/..", "te am", "https://team", &"x".repeat(64)] {
        let access = ada(CloudflareAccess::static_keys(team, TAG, keys()));
        check(access, ConfigFault::CloudflareTeam);
    }
    let access = ada(CloudflareAccess::static_keys("team", " ", keys()));
    check(access, ConfigFault::CloudflareAudience);
    check(CloudflareAccess::static_keys("team", TAG, keys()), ConfigFault::CloudflareNobody);
    assert_eq!(
        CloudflareAccess::certs_url("team.cloudflareaccess.com"),
        "https://team.cloudflareaccess.com/cdn-cgi/access/certs"
    );
}
