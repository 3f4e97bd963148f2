//! Today's Quoroom control plane, unchanged: a shared secret, HS256, the token in the address.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, LOCATION};
use room_tests::app::{Answer, Setup, TestApp, files_with};
use room_tests::page::Page;
use room_tests::socket::{Socket, refused};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::Request;

use super::INSTANCE;

const SECRET: &str = "a-secret-of-this-instance-alone-0123456789";
const OLD_SECRET: &str = "the-secret-before-it-was-rolled-0123456789";

/// A token as that control plane makes it: no `iat`, no `jti`, role `user`.
pub(crate) fn token(change: &Value) -> String {
    signed_with(SECRET, change)
}

fn signed_with(secret: &str, change: &Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut claims = json!({
        "sub": "user-7",
        "email": "ada@example.com",
        "instanceId": INSTANCE,
        "role": "user",
        "iss": "quoroom-cloud",
        "aud": "quoroom-runtime",
        "exp": (now + Duration::from_hours(1)).as_secs(),
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed =
        format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(crate) fn setup() -> Setup {
    let setup = Setup::new().unwrap().cloud().var("ROOM_INSTANCE_ID", INSTANCE);
    setup.var("ROOM_JWT_SECRET", &format!("{SECRET},{OLD_SECRET}"))
}

async fn room() -> TestApp {
    setup().var("ROOM_ALLOW_QUERY_TOKEN", "1").start().await.unwrap()
}

fn socket_with(app: &TestApp, query: &str, origin: Option<&str>) -> Request<()> {
    let mut request = app.client().upgrade(None);
    *request.uri_mut() = format!("ws://127.0.0.1:{}/ws?{query}", app.port()).parse().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn its_link_its_bearer_and_its_socket_let_in_as_before() {
    let app = room().await;
    let token = token(&json!({}));
    let answer = Answer::of(app.anonymous(Method::GET, &format!("/?token={token}"))).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.header(LOCATION.as_str()), Some(format!("/#token={token}").as_str()));
    assert_eq!(answer.header(CACHE_CONTROL.as_str()), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));

    let verify = app.client().bearing(&token, Method::GET, "/api/auth/verify");
    let verify = Answer::of(verify).await;
    assert_eq!(verify.status, 200, "{verify:?}");
    for (name, expected) in [
        ("role", json!("owner")),
        ("subject", json!("user-7")),
        ("issuer", json!("quoroom-cloud")),
        ("instanceId", json!(INSTANCE)),
        ("deploymentMode", json!("cloud")),
    ] {
        assert_eq!(verify.body[name], expected, "{name}");
    }
    for origin in [None, Some("https://room.test")] {
        let mut socket = Socket::by(socket_with(&app, &format!("token={token}"), origin)).await;
        let answer = socket.subscribe(&["providers"]).await;
        assert_eq!(answer["channels"], json!(["providers"]));
    }
    let foreign = socket_with(&app, &format!("token={token}"), Some("https://evil.test"));
    assert_eq!(refused(foreign).await, 403);

    // The page trades it like any other; without `jti` it is known by what was signed.
    let mut page = Page::signed_in(app.client(), &token, "desk").await;
    assert_eq!(page.get("/api/auth/verify").await.body["role"], "owner");
    let again = page.sign_in(&token, "desk").await;
    assert_eq!((again.status.as_u16(), again.code()), (401, "token_used"), "{again:?}");
}

#[tokio::test]
async fn the_token_in_the_address_is_written_nowhere() {
    let app =
        setup().var("ROOM_ALLOW_QUERY_TOKEN", "1").var("ROOM_LOG", "trace").start().await.unwrap();
    let token = token(&json!({}));
    Answer::of(app.anonymous(Method::GET, &format!("/?token={token}"))).await;
    let mut socket = Socket::by(socket_with(&app, &format!("token={token}"), None)).await;
    socket.subscribe(&["providers"]).await;
    let verify = app.client().bearing(&token, Method::GET, "/api/auth/verify");
    assert_eq!(Answer::of(verify).await.status, 200);
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert!(!app.log().is_empty());
    assert!(!app.log().contains(signature), "{}", app.log());
    assert_eq!(files_with(app.data(), &[signature], &[]), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn roles_instances_and_secrets_are_as_strict_as_anywhere() {
    let app = room().await;
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    let hour_ago = hour_ago.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for (what, token, status, role) in [
        ("no role", token(&json!({ "role": null })), 200, "owner"),
        ("a role of ours", token(&json!({ "role": "viewer" })), 200, "viewer"),
        ("an unknown role", token(&json!({ "role": "users" })), 403, ""),
        ("a program", token(&json!({ "role": "control" })), 403, ""),
        ("the secret before", signed_with(OLD_SECRET, &json!({})), 200, "owner"),
        ("another secret", signed_with(&SECRET.replace('0', "1"), &json!({})), 401, ""),
        ("another instance", token(&json!({ "instanceId": "inst-2" })), 401, ""),
        ("no instance", token(&json!({ "instanceId": null })), 401, ""),
        ("another audience", token(&json!({ "aud": "quoroom" })), 401, ""),
        ("another issuer", token(&json!({ "iss": "quoroom" })), 401, ""),
        ("long over", token(&json!({ "exp": hour_ago })), 401, ""),
        ("for ever", token(&json!({ "exp": null })), 401, ""),
    ] {
        let request = app.client().bearing(&token, Method::GET, "/api/auth/verify");
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {answer:?}");
        assert_eq!(answer.body["role"].as_str().unwrap_or_default(), role, "{what}");
    }
}

#[tokio::test]
async fn a_token_in_any_other_address_is_400() {
    let (with, without) = (room().await, setup().start().await.unwrap());
    let token = token(&json!({}));
    for path in ["/api/status", "/api/auth/verify", "/api/auth/ws-ticket", "/index.html"] {
        let answer =
            Answer::of(with.anonymous(Method::GET, &format!("{path}?token={token}"))).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
    let twice = format!("/?token={token}&token={token}");
    assert_eq!(Answer::of(with.anonymous(Method::GET, &twice)).await.status, 400);
    let both = with.client().bearing(&token, Method::GET, &format!("/?token={token}"));
    assert_ne!(Answer::of(both).await.status, 200);
    // It takes both settings.
    let link = without.anonymous(Method::GET, &format!("/?token={token}"));
    assert_eq!(Answer::of(link).await.status, 400);
    assert_eq!(refused(socket_with(&without, &format!("token={token}"), None)).await, 400);
    let bearer = without.client().bearing(&token, Method::GET, "/api/auth/verify");
    assert_eq!(Answer::of(bearer).await.status, 200);
}

/// The names under which the predecessor's machines have their settings.
#[tokio::test]
async fn the_predecessors_settings_start_a_hosted_room() {
    let setup = Setup::new().unwrap().cloud();
    let app = setup
        .var("ROOM_MODE", "")
        .var("QUOROOM_DEPLOYMENT_MODE", "cloud")
        .var("QUOROOM_CLOUD_INSTANCE_ID", INSTANCE)
        .var("QUOROOM_CLOUD_JWT_SECRET", SECRET)
        .var("ROOM_ALLOW_QUERY_TOKEN", "1")
        .start()
        .await
        .unwrap();
    let token = token(&json!({}));
    let answer = Answer::of(app.client().bearing(&token, Method::GET, "/api/auth/verify")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
