//! Cloudflare Access in front: its word is a gate on every request, and signs in at one place.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use room_auth::credential::QueryToken;
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, CloudflareAccess, IssuerPolicy, KeySet, ManualClock, Verifier};
use serde_json::json;

use super::arrivals::{ArrivalError, Arrived};
use super::*;
use crate::server::{self, Server};
use crate::state::AppState;

const TAG: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const INSTANCE: &str = "instance-1";

struct Gated {
    app: AppState,
    cloud: Cloud,
    key: IssuerKey,
    issuer: Issuer,
    now: SystemTime,
    _server: Server,
    _directory: tempfile::TempDir,
}

impl Gated {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let settings = [
            ("ROOM_MODE", "cloud"),
            ("ROOM_BIND", "127.0.0.1"),
            ("ROOM_PUBLIC_URL", "https://room.example"),
            ("ROOM_CLIENT_IP", "direct"),
            ("ROOM_ALLOW_ROOT", "1"),
            ("ROOM_STANDALONE", "1"),
        ];
        let (app, server) =
            server::for_tests_with(directory.path(), &settings, clock.clone()).await;
        let key = IssuerKey::generate(Algorithm::Rs256).unwrap();
        let document = json!({ "keys": [key.public_jwk()] }).to_string();
        let keys = KeySet::parse(document.as_bytes()).unwrap().keys;
        let access = CloudflareAccess::static_keys("team", TAG, keys)
            .person("ada@example.com", Role::Owner)
            .person("bob@example.com", Role::Viewer);
        let issuer = IssuerKey::generate(Algorithm::EdDsa).unwrap();
        let issuer = Issuer::new("https://id.example", issuer);
        let policy = IssuerPolicy::static_keys("https://id.example", issuer.key_set().unwrap());
        let verifier = Verifier::builder(INSTANCE)
            .clock(clock.clone())
            .cloudflare_access(access)
            .issuer(policy)
            .build()
            .unwrap();
        let settings = (**app.config.cloud.as_ref().unwrap()).clone();
        let clock: Arc<dyn Clock> = clock;
        let rows = CloudRows::default();
        let mut cloud = Cloud::new(settings, directory.path(), &clock, rows).unwrap();
        cloud.trust = Trust::of(verifier);
        let now = clock.now();
        Self { app, cloud, key, issuer, now, _server: server, _directory: directory }
    }

    /// What Cloudflare writes on a request of this person.
    fn assertion(&self, person: &str) -> String {
        let now = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "aud": [TAG], "email": format!("{person}@example.com"), "exp": now + 86_400, "iat": now,
            "nbf": now, "iss": "https://team.cloudflareaccess.com", "type": "app",
            "sub": format!("cf-{person}"),
        });
        let header = json!({ "alg": "RS256", "kid": self.key.kid(), "typ": "JWT" });
        self.key.sign(header.to_string(), claims.to_string()).unwrap()
    }

    fn token(&self, person: &str) -> String {
        let grant = Grant::person(person, Role::Admin)
            .claim("email", format!("{person}@example.com"))
            .claim("email_verified", true);
        self.issuer.mint(INSTANCE, &grant, self.now).unwrap()
    }

    async fn sign_in(&self, presented: &Presented<'_>) -> Result<Arrived, ArrivalError> {
        let guest = self.cloud.guest_by_token(&self.app, presented).await?;
        self.cloud.arrive(&self.app, guest, None, "phone").await
    }

    async fn by_cookie(&self, cookie: &str, presented: &Presented<'_>) -> Result<String, Reason> {
        let caller = self.cloud.by_cookie(&self.app, cookie, presented).await;
        caller.map(|caller| caller.identity.subject.clone()).map_err(|error| error.reason())
    }
}

fn request(lines: &[(&'static str, &str)]) -> Presented<'static> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let (headers, target) = (Box::leak(Box::new(headers)), Box::leak(Box::default()));
    Presented::from_request(headers, target, QueryToken::Refused).unwrap()
}

#[tokio::test]
async fn cloudflares_word_signs_its_person_in_and_stays_a_gate() {
    let gated = Gated::new().await;
    let (ada, bob) = (gated.assertion("ada"), gated.assertion("bob"));
    let with = |assertion: &str| request(&[("cf-access-jwt-assertion", assertion)]);
    let arrived = gated.sign_in(&with(&ada)).await.unwrap();
    assert_eq!(arrived.caller.standing, Standing::Person(Role::Owner));
    let cookie = arrived.cookie.expose();
    assert_eq!(gated.by_cookie(cookie, &with(&ada)).await, Ok("cf-ada".into()));
    let missing = gated.by_cookie(cookie, &request(&[])).await;
    assert_eq!(missing, Err(Reason::AssertionMissing), "the cookie alone is not enough");
    assert_eq!(gated.by_cookie(cookie, &with(&bob)).await, Err(Reason::DifferentPeople));
    let header = request(&[("cf-access-authenticated-user-email", "ada@example.com")]);
    assert_eq!(gated.by_cookie(cookie, &header).await, Err(Reason::EmailHeader));
    let unknown = gated.assertion("eve");
    assert!(gated.sign_in(&with(&unknown)).await.is_err(), "nobody who is not on the list");
    assert!(gated.sign_in(&request(&[])).await.is_err());
}

#[tokio::test]
async fn a_token_behind_cloudflare_is_of_the_person_it_let_in() {
    let gated = Gated::new().await;
    let both = |assertion: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        request(&[("cf-access-jwt-assertion", assertion), ("authorization", &bearer)])
    };
    let (ada, bob) = (gated.assertion("ada"), gated.assertion("bob"));
    let token = gated.token("ada");
    let other = gated.sign_in(&both(&bob, &token)).await;
    assert!(matches!(other, Err(ArrivalError::Auth(_))));
    let arrived = gated.sign_in(&both(&ada, &token)).await.unwrap();
    assert_eq!(arrived.caller.identity.issuer, "https://id.example");
    let by = |assertion: &str| request(&[("cf-access-jwt-assertion", assertion)]);
    let cookie = arrived.cookie.expose();
    assert_eq!(gated.by_cookie(cookie, &by(&ada)).await, Ok("ada".into()));
    assert_eq!(gated.by_cookie(cookie, &by(&bob)).await, Err(Reason::DifferentPeople));
}

#[tokio::test]
async fn a_code_made_behind_cloudflare_is_for_the_same_person() {
    let gated = Gated::new().await;
    let with = |assertion: &str| request(&[("cf-access-jwt-assertion", assertion)]);
    let (ada, bob) = (gated.assertion("ada"), gated.assertion("bob"));
    let arrived = gated.sign_in(&with(&ada)).await.unwrap();
    let invitation = Invitation::From { device: arrived.caller.session.clone() };
    let invite = || gated.cloud.invite(&gated.app, &invitation).unwrap().0;
    let code = invite();
    let stolen = gated.cloud.guest_by_code(&gated.app, &with(&bob), code.link.expose()).await;
    assert!(matches!(stolen, Err(ArrivalError::Auth(_))));
    let code = invite();
    let guest = gated.cloud.guest_by_code(&gated.app, &with(&ada), code.link.expose()).await;
    assert!(guest.is_ok());
}
