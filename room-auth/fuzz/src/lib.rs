//! What the targets share: an issuer with fixed keys, a verifier that trusts it, a clock that
//! stands still, and the second reading.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use room_auth::cloudflare::CloudflareAccess;
use room_auth::issuer::IssuerKey;
use room_auth::{
    Algorithm, AuthError, Clock, Credential, IssuerPolicy, KeySet, Principal, Role, Standing,
    Verifier,
};
use serde_json::{Map, Value};

/// The time of all targets, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

/// The issuer of the bearers.
pub const ISSUER: &str = "https://issuer.example";

/// The tag of the Cloudflare Access application.
pub const TAG: &str = "tag-1";

/// A header that is right.
pub const HEADER: &str = r#"{"alg":"EdDSA","kid":"key-1","typ":"JWT"}"#;

/// Claims that are right.
pub const CLAIMS: &str = r#"{"iss":"https://issuer.example","aud":"quoroom-runtime","sub":"user-1","instanceId":"inst-1","role":"member","iat":1800000000,"exp":1800000600}"#;

/// The header of an assertion that is right.
pub const ASSERTION_HEADER: &str = r#"{"alg":"RS256","kid":"key-2"}"#;

/// Everything that is made once.
pub struct Bench {
    /// Signs bearers.
    pub key: IssuerKey,
    /// Signs assertions.
    pub access_key: IssuerKey,
    verifier: Verifier,
}

/// Made at the first use.
pub static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

struct Still(Instant);

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn monotonic(&self) -> Instant {
        self.0
    }
}

impl Bench {
    fn new() -> Self {
        let make = |algorithm, kid: &str| IssuerKey::generate(algorithm).unwrap().with_kid(kid);
        let key = make(Algorithm::EdDsa, "key-1");
        let access_key = make(Algorithm::Rs256, "key-2");
        let set = |key: &IssuerKey| {
            let document = format!(r#"{{"keys":[{}]}}"#, key.public_jwk());
            KeySet::parse(document.as_bytes()).unwrap().keys
        };
        let access = CloudflareAccess::static_keys("team", TAG, set(&access_key))
            .person("ada@example.com", Role::Viewer)
            .service_token("client-1", Standing::Person(Role::Viewer));
        let verifier = Verifier::builder("inst-1")
            .issuer(IssuerPolicy::static_keys(ISSUER, set(&key)))
            .cloudflare_access(access)
            .clock(Arc::new(Still(Instant::now())))
            .build()
            .unwrap();
        Self { key, access_key, verifier }
    }

    /// Verifies a bearer twice, for the second answer comes from memory, and has to be the same.
    pub fn bearer(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        let first = self.verifier.verify(Credential::Bearer(token));
        assert_eq!(first, self.verifier.verify(Credential::Bearer(token)));
        let _not_one_of_these = self.verifier.verify_logout(token).unwrap_err();
        first
    }

    /// Verifies an assertion.
    pub fn assertion(&self, assertion: &str) -> Result<Arc<Principal>, AuthError> {
        self.verifier.verify(Credential::CloudflareAccess { assertion, email_header: None })
    }
}

/// The second reading: what was accepted is a JSON object to `serde_json`, too.
pub fn reread(bytes: &[u8]) -> Map<String, Value> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => object,
        other => panic!("accepted, and read as {other:?}"),
    }
}

/// A date in the second reading.
pub fn seconds(claims: &Map<String, Value>, name: &str) -> f64 {
    claims[name].as_f64().unwrap()
}
