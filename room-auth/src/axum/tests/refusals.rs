//! The table of refusals as a client sees it: each with its status and its headers to the letter.

use super::*;
use crate::cloudflare::CloudflareAccess;
use crate::issuer::any_key;
use crate::jwks::KeySet;
use crate::revocation::unix_seconds;

const MISSING: Option<&str> = Some(r#"Bearer realm="room""#);
const MALFORMED: Option<&str> = Some(r#"Bearer realm="room", error="invalid_request""#);
const EXPIRED: Option<&str> =
    Some(r#"Bearer realm="room", error="invalid_token", error_description="expired""#);
const INVALID: Option<&str> = Some(r#"Bearer realm="room", error="invalid_token""#);
const FORBIDDEN: Option<&str> = Some(r#"Bearer realm="room", error="insufficient_scope""#);

impl Bench {
    /// Asks, and compares what a client can tell the refusals apart by.
    async fn refuses(
        &self,
        target: &str,
        lines: &[(&str, &str)],
        (status, challenge): (u16, Option<&str>),
    ) {
        let answer = self.get(target, lines).await;
        let told = (answer.status, answer.header("www-authenticate"));
        assert_eq!(told, (status, challenge), "{target} {lines:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["status"], status);
        let code = match status {
            400 => "invalid_request",
            401 => "unauthorized",
            403 => "forbidden",
            429 => "too_many_attempts",
            _ => "auth_unavailable",
        };
        assert_eq!(body["code"], code);
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["code", "detail", "error", "status", "title", "type"]);
    }

    fn mint_with(&self, grant: &Grant) -> String {
        self.issuer.mint("inst-1", grant, self.clock.now()).unwrap()
    }
}

/// The same token with another signature.
fn spoiled(token: &str) -> String {
    let at = token.len() - 20;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    [&token[..at], other, &token[at + 1..]].concat()
}

fn unlimited(layer: AuthLayer) -> AuthLayer {
    layer.limiter(Arc::new(FailureLimiter::off()))
}

#[tokio::test]
async fn a_request_has_one_credential() {
    let bench = bench(unlimited);
    let token = bench.mint(Role::Viewer);
    let bearer = format!("Bearer {token}");
    let protocol = {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&token);
        format!("room.v1, base64url.bearer.authorization.room.{text}")
    };
    let header = ("authorization", bearer.as_str());
    let subprotocol = ("sec-websocket-protocol", protocol.as_str());
    assert_eq!(bench.get("/hello", &[header]).await.status, 200);
    assert_eq!(bench.get("/hello", &[subprotocol]).await.status, 200);
    let assertion = ("cf-access-jwt-assertion", token.as_str());
    let email = ("cf-access-authenticated-user-email", "ada@example.com");
    for lines in [
        vec![header, header],
        vec![header, ("authorization", "Basic YTpi")],
        vec![("authorization", "Basic YTpi"), header],
        vec![header, subprotocol],
        vec![subprotocol, subprotocol],
        vec![header, assertion, assertion],
        vec![header, email, email],
    ] {
        bench.refuses("/hello", &lines, (400, MALFORMED)).await;
    }
    let beside = format!("Bearer {token}, Bearer {token}");
    bench.refuses("/hello", &[("authorization", &beside)], (400, MALFORMED)).await;
}

#[tokio::test]
async fn a_token_in_the_address_is_refused_whatever_it_is() {
    let bench = bench(unlimited);
    let token = bench.mint(Role::Owner);
    let bearer = format!("Bearer {token}");
    for name in ["token", "access_token", "jwt", "id_token", "%74oken", "Token"] {
        let target = format!("/hello?a=b&{name}={token}");
        bench.refuses(&target, &[], (400, MALFORMED)).await;
        bench.refuses(&target, &[("authorization", &bearer)], (400, MALFORMED)).await;
    }
}

#[tokio::test]
async fn a_malformed_or_oversized_token_is_400() {
    let bench = bench(unlimited);
    let token = bench.mint(Role::Owner);
    let long = "a".repeat(9000);
    for token in [
        "x",
        "a.b",
        "a.b.c.d",
        "a.b.c=",
        &format!("{token}."),
        &format!("{token}="),
        &format!("{token}%"),
        &format!("{long}.a.a"),
        &format!("{}.a.a", &long[..4100]),
    ] {
        let bearer = format!("Bearer {token}");
        bench.refuses("/hello", &[("authorization", &bearer)], (400, MALFORMED)).await;
    }
}

#[tokio::test]
async fn a_role_that_nobody_knows_is_403() {
    let bench = bench(unlimited);
    let grant = || Grant::person("user-1", Role::Owner);
    for grant in [
        grant().claim("role", "root"),
        grant().claim("role", "Owner"),
        grant().claim("role", Value::Null),
        grant().claim("role", json!(["owner"])),
        Grant::service("plane"),
    ] {
        let bearer = format!("Bearer {}", bench.mint_with(&grant));
        bench.refuses("/hello", &[("authorization", &bearer)], (403, FORBIDDEN)).await;
    }
}

#[tokio::test]
async fn other_faults_are_401_and_only_expiry_is_told() {
    let bench = bench(unlimited);
    let token = bench.mint(Role::Owner);
    let grant = || Grant::person("user-1", Role::Owner);
    let elsewhere = bench.issuer.mint("inst-2", &grant(), bench.clock.now()).unwrap();
    for token in [
        spoiled(&token),
        elsewhere,
        bench.mint_with(&grant().claim("aud", "other")),
        bench.mint_with(&grant().claim("iss", "https://other.example")),
        bench.mint_with(&grant().claim("sub", " ")),
        bench.mint_with(&grant().claim("exp", "tomorrow")),
    ] {
        let bearer = format!("Bearer {token}");
        bench.refuses("/hello", &[("authorization", &bearer)], (401, INVALID)).await;
    }
    bench.refuses("/hello", &[], (401, MISSING)).await;
    bench.refuses("/hello", &[("authorization", "Basic YTpi")], (401, MISSING)).await;
    bench.clock.advance(Duration::from_mins(11));
    let bearer = format!("Bearer {token}");
    bench.refuses("/hello", &[("authorization", &bearer)], (401, EXPIRED)).await;
}

/// A bench behind Cloudflare Access, and the key that signs assertions.
fn behind_access() -> (Bench, IssuerKey) {
    let key = any_key(Algorithm::Rs256);
    let document = json!({ "keys": [key.public_jwk()] }).to_string();
    let keys = KeySet::parse(document.as_bytes()).unwrap().keys;
    let access = CloudflareAccess::static_keys("team", "tag", keys)
        .person("ada@example.com", Role::Owner)
        .person("bob@example.com", Role::Viewer);
    let outer = bench(unlimited);
    let verifier = Verifier::builder("inst-1")
        .issuer(IssuerPolicy::static_keys(outer.issuer.name(), outer.issuer.key_set().unwrap()))
        .cloudflare_access(access)
        .clock(outer.clock.clone())
        .build()
        .unwrap();
    let layer = unlimited(AuthLayer::new(Arc::new(verifier)).clock(outer.clock.clone()));
    let app = Router::new().route("/hello", get(hello)).layer(layer);
    (Bench { app, ..outer }, key)
}

fn assert_for(bench: &Bench, key: &IssuerKey, email: &str) -> String {
    let now = unix_seconds(bench.clock.now());
    let claims = json!({
        "iss": "https://team.cloudflareaccess.com", "aud": ["tag"], "type": "app",
        "sub": format!("id of {email}"), "email": email, "iat": now, "exp": now + 600,
    });
    let header = json!({ "alg": "RS256", "kid": key.kid() });
    key.sign(header.to_string(), claims.to_string()).unwrap()
}

#[tokio::test]
async fn an_assertion_is_a_gate_and_its_plain_header_is_nothing() {
    let (bench, key) = behind_access();
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    let ada_asserted = assert_for(&bench, &key, ada);
    let assertion = ("cf-access-jwt-assertion", ada_asserted.as_str());
    let email = |value| ("cf-access-authenticated-user-email", value);
    for lines in [vec![assertion], vec![assertion, email(ada)]] {
        let answer = bench.get("/hello", &lines).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "id of ada@example.com"));
    }
    bench.refuses("/hello", &[], (401, MISSING)).await;
    bench.refuses("/hello", &[email(ada)], (401, INVALID)).await;
    bench.refuses("/hello", &[assertion, email(bob)], (401, INVALID)).await;
    bench.refuses("/hello", &[assertion, email("")], (401, INVALID)).await;
    let forged = spoiled(&ada_asserted);
    bench.refuses("/hello", &[("cf-access-jwt-assertion", &forged)], (401, INVALID)).await;
    let stranger = assert_for(&bench, &key, "eve@example.com");
    bench.refuses("/hello", &[("cf-access-jwt-assertion", &stranger)], (403, FORBIDDEN)).await;
    // In the place of a bearer it is a token of an issuer that signs no bearers.
    let misplaced = format!("Bearer {ada_asserted}");
    bench.refuses("/hello", &[assertion, ("authorization", &misplaced)], (401, INVALID)).await;
}

#[tokio::test]
async fn a_bearer_beside_an_assertion_names_the_same_person() {
    let (bench, key) = behind_access();
    let ada = assert_for(&bench, &key, "ada@example.com");
    let assertion = ("cf-access-jwt-assertion", ada.as_str());
    let token = |email: &str, is_verified: bool| {
        let grant = Grant::person("user-1", Role::Member).claim("email", email);
        format!("Bearer {}", bench.mint_with(&grant.claim("email_verified", is_verified)))
    };
    let same = token("Ada@example.com", true);
    let answer = bench.get("/hello", &[assertion, ("authorization", &same)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "user-1"));
    for other in [token("bob@example.com", true), token("ada@example.com", false)] {
        bench.refuses("/hello", &[assertion, ("authorization", &other)], (401, INVALID)).await;
    }
    // The gate stands before whoever comes with a bearer alone.
    bench.refuses("/hello", &[("authorization", &same)], (401, INVALID)).await;
    let broken = [assertion, ("authorization", "Bearer a.b.c")];
    bench.refuses("/hello", &broken, (400, MALFORMED)).await;
}

#[tokio::test]
async fn a_limited_address_is_told_when_to_come_back() {
    let bench = bench(|layer| layer.limiter(Arc::new(FailureLimiter::new(60, 1))));
    let forged = format!("Bearer {}", spoiled(&bench.mint(Role::Owner)));
    let lines = [("authorization", forged.as_str())];
    bench.refuses("/hello", &lines, (401, INVALID)).await;
    bench.refuses("/hello", &lines, (429, None)).await;
    assert_eq!(bench.get("/hello", &lines).await.header("retry-after"), Some("1"));
    // Not even a hundredth of a second before the next try is "now".
    bench.clock.advance(Duration::from_millis(990));
    assert_eq!(bench.get("/hello", &lines).await.header("retry-after"), Some("1"));
    bench.clock.advance(Duration::from_millis(20));
    bench.refuses("/hello", &lines, (401, INVALID)).await;
}

#[tokio::test]
async fn keys_that_are_too_old_are_503_with_a_time_to_come_back() {
    let outer = bench(unlimited);
    let options = KeyStoreOptions::default().clock(outer.clock.clone());
    let store = Arc::new(KeyStore::new("https://id.example/jwks", options));
    let policy = IssuerPolicy::jwks(outer.issuer.name(), Arc::clone(&store));
    let verifier =
        Verifier::builder("inst-1").issuer(policy).clock(outer.clock.clone()).build().unwrap();
    let layer = unlimited(AuthLayer::new(Arc::new(verifier)));
    let app = Router::new().route("/hello", get(hello)).layer(layer);
    let bench = Bench { app, ..outer };
    store.refresh(&Published(bench.issuer.jwks())).await;
    assert_eq!(bench.with(&bench.mint(Role::Viewer)).await.status, 200);
    bench.clock.advance(Duration::from_hours(24) + Duration::from_secs(1));
    store.refresh(&Published("nonsense".to_owned())).await;
    let bearer = format!("Bearer {}", bench.mint(Role::Viewer));
    let lines = [("authorization", bearer.as_str())];
    bench.refuses("/hello", &lines, (503, None)).await;
    let retry_after = bench.get("/hello", &lines).await;
    let seconds: u64 = retry_after.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds), "{seconds}");
}

/// An endpoint with one document.
struct Published(String);

impl crate::jwks::Fetch for Published {
    async fn fetch(
        &self,
        _request: crate::jwks::FetchRequest,
    ) -> Result<crate::jwks::Fetched, crate::jwks::FetchFault> {
        let body = self.0.clone().into_bytes();
        Ok(crate::jwks::Fetched::Document { body, etag: None, max_age: None })
    }
}
