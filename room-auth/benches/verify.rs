//! What one verification costs, in CPU time of one thread, beside the crates people usually take.
//!
//! `cargo bench -p room-auth --bench verify`. CPU time and not the clock on the wall, for the
//! machine may have other work.
#![expect(clippy::print_stdout, reason = "a benchmark speaks to a terminal")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{DecodingKey, Validation};
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, Credential, IssuerPolicy, Role, Verifier};

const ISSUER: &str = "https://issuer.example";

/// How many tokens take turns where each is to be a new one: more than the cache keeps.
const DISTINCT: usize = 8192;

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "read, as a service would read them")]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: u64,
    iat: u64,
    role: String,
    #[serde(rename = "instanceId")]
    instance: String,
}

/// CPU time of this thread. It moves in steps of some milliseconds.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The best of five rounds of 200 ms or more, in microseconds a call.
fn measure(name: &str, mut call: impl FnMut(usize)) {
    let mut round = |calls: u32| {
        let start = cpu();
        for n in 0..calls {
            call(n as usize);
        }
        cpu().saturating_sub(start)
    };
    let mut calls = 64;
    while round(calls) < Duration::from_millis(200) {
        calls *= 2;
    }
    let best = (0..5).map(|_| round(calls)).min().unwrap_or_default();
    let micros = best.as_secs_f64() * 1e6 / f64::from(calls);
    println!("{name:<44} {micros:>8.2} µs {:>10.0} /s", 1e6 / micros);
}

fn verifier(issuer: &Issuer) -> room_auth::VerifierBuilder {
    Verifier::builder("inst-1").issuer(IssuerPolicy::static_keys(ISSUER, issuer.key_set().unwrap()))
}

fn main() {
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(ISSUER, IssuerKey::generate(algorithm).unwrap());
        let name = algorithm.as_str();
        let grant = Grant::person("user-1", Role::Admin)
            .lifetime(Duration::from_hours(1))
            .claim("email", "ada@example.com")
            .claim("name", "Ada");
        let tokens: Vec<String> = (0..DISTINCT)
            .map(|_| issuer.mint("inst-1", &grant, SystemTime::now()).unwrap())
            .collect();
        let ours = verifier(&issuer).build().unwrap();
        let plain = verifier(&issuer).without_cache().build().unwrap();
        println!("{name}, tokens of {} bytes", tokens[0].len());
        measure("  room-auth, distinct tokens", |n| {
            let token = Credential::Bearer(&tokens[n % DISTINCT]);
            assert!(black_box(ours.verify(token)).is_ok());
        });
        measure("  room-auth, without its cache", |_| {
            assert!(black_box(plain.verify(Credential::Bearer(&tokens[0]))).is_ok());
        });
        measure("  room-auth, the same token again", |_| {
            assert!(black_box(ours.verify(Credential::Bearer(&tokens[0]))).is_ok());
        });
        let bad = format!("{}{}", &tokens[0][..tokens[0].len() - 6], "AAAAAA");
        measure("  room-auth, bad signature", |_| {
            assert!(black_box(ours.verify(Credential::Bearer(&bad))).is_err());
        });
        let header = format!(r#"{{"alg":"{name}","kid":"unknown"}}"#);
        let unknown = format!("{}.{}", base64(&header), tokens[0].split_once('.').unwrap().1);
        measure("  room-auth, unknown key", |_| {
            assert!(black_box(ours.verify(Credential::Bearer(&unknown))).is_err());
        });
        let jwk: jsonwebtoken::jwk::Jwk =
            serde_json::from_value(issuer.key().public_jwk()).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let mut validation = Validation::new(match algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        });
        validation.set_audience(&["quoroom-runtime"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        measure("  jsonwebtoken 11 decode (fewer checks)", |n| {
            let token = &tokens[n % DISTINCT];
            assert!(jsonwebtoken::decode::<Claims>(token, &key, &validation).is_ok());
        });
        let (content, signature) = tokens[0].rsplit_once('.').unwrap();
        measure("  jsonwebtoken 11 crypto::verify alone", |_| {
            let verified = jsonwebtoken::crypto::verify(
                signature,
                content.as_bytes(),
                &key,
                validation.algorithms[0],
            );
            assert!(verified.unwrap());
        });
        let keys = issuer.key_set().unwrap();
        measure("  room-auth jws::verify (no claims)", |_| {
            assert!(room_auth::jws::verify(&tokens[0], &keys).is_ok());
        });
    }
    let issuer = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let ours = verifier(&issuer).build().unwrap();
    let long = "x".repeat(9000);
    println!("what is no token");
    measure("  room-auth, oversized", |_| {
        assert!(black_box(ours.verify(Credential::Bearer(&long))).is_err());
    });
    measure("  room-auth, malformed", |_| {
        assert!(black_box(ours.verify(Credential::Bearer("a.b"))).is_err());
    });
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
