//! What one verification costs, beside the crates people usually take:
//! `cargo bench -p room-auth --bench verify`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../../benches/cpu_time.rs"]
mod cpu_time;

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::BenchmarkGroup;
use jsonwebtoken::{DecodingKey, Validation};
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, Credential, IssuerPolicy, Role, Verifier};

use self::cpu_time::CpuTime;

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

/// A row; each call is told its number, so that tokens can take turns.
fn measure(group: &mut BenchmarkGroup<'_, CpuTime>, name: &str, mut call: impl FnMut(usize)) {
    group.bench_function(name, |bencher| {
        let mut n = 0;
        bencher.iter(|| {
            call(n);
            n += 1;
        });
    });
}

fn verifier(issuer: &Issuer) -> room_auth::VerifierBuilder {
    Verifier::builder("inst-1").issuer(IssuerPolicy::static_keys(ISSUER, issuer.key_set().unwrap()))
}

fn main() {
    let mut criterion = cpu_time::criterion();
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
        let mut group = criterion.benchmark_group(name);
        measure(&mut group, "room-auth, without its cache", |n| {
            let token = Credential::Bearer(&tokens[n % DISTINCT]);
            assert!(black_box(plain.verify(token)).is_ok());
        });
        measure(&mut group, "room-auth, the same token again", |_| {
            assert!(black_box(ours.verify(Credential::Bearer(&tokens[0]))).is_ok());
        });
        let bad = format!("{}{}", &tokens[0][..tokens[0].len() - 6], "AAAAAA");
        measure(&mut group, "room-auth, bad signature", |_| {
            assert!(black_box(ours.verify(Credential::Bearer(&bad))).is_err());
        });
        let header = format!(r#"{{"alg":"{name}","kid":"unknown"}}"#);
        let unknown = format!("{}.{}", base64(&header), tokens[0].split_once('.').unwrap().1);
        measure(&mut group, "room-auth, unknown key", |_| {
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
        measure(&mut group, "jsonwebtoken 11 decode (fewer checks)", |n| {
            let token = &tokens[n % DISTINCT];
            assert!(jsonwebtoken::decode::<Claims>(token, &key, &validation).is_ok());
        });
        let (content, signature) = tokens[0].rsplit_once('.').unwrap();
        measure(&mut group, "jsonwebtoken 11 crypto::verify alone", |_| {
            let verified = jsonwebtoken::crypto::verify(
                signature,
                content.as_bytes(),
                &key,
                validation.algorithms[0],
            );
            assert!(verified.unwrap());
        });
        let keys = issuer.key_set().unwrap();
        measure(&mut group, "room-auth jws::verify (no claims)", |_| {
            assert!(room_auth::jws::verify(&tokens[0], &keys).is_ok());
        });
        group.finish();
    }
    let issuer = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let ours = verifier(&issuer).build().unwrap();
    let long = "x".repeat(9000);
    let mut group = criterion.benchmark_group("no token");
    measure(&mut group, "room-auth, oversized", |_| {
        assert!(black_box(ours.verify(Credential::Bearer(&long))).is_err());
    });
    measure(&mut group, "room-auth, malformed", |_| {
        assert!(black_box(ours.verify(Credential::Bearer("a.b"))).is_err());
    });
    group.finish();
    criterion.final_summary();
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
