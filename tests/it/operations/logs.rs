//! What the log says, and above all what it does not: secrets are planted everywhere and looked for
//! afterwards.

use std::collections::BTreeSet;
use std::fs;

use reqwest::{Method, StatusCode};
use room_auth::Role;
use room_tests::app::{Answer, Setup, TestApp, files_with};
use room_tests::client::Client;
use room_tests::metrics;
use room_tests::page::Page;
use room_tests::socket::refused;
use serde_json::{Value, json};

use crate::cloud::Hosted;
use crate::room::{Room, good_code, id, state};

/// What a secret was, and what of it may be found nowhere.
type Planted = Vec<(String, String)>;

/// The one line that may have a code in it: it is for the person at the terminal.
const FOR_THE_PERSON: &str = "Sign in once with ";

/// Where each of these texts is found: in the log, the data directory, the metrics.
async fn found(app: &TestApp, texts: &Planted, except: &[&str]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let log = app.log();
    let log: Vec<_> = log.lines().filter(|line| !line.starts_with(FOR_THE_PERSON)).collect();
    let log = log.join("\n");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/metrics", metrics::address(app));
    let numbers = client.get(url).send().await.unwrap().text().await.unwrap();
    for (what, text) in texts {
        assert!(text.len() >= 6, "{what} is too short to be looked for");
        for (place, held) in [("log", &log), ("metrics", &numbers)] {
            if held.contains(text) {
                found.insert((what.clone(), place.to_owned()));
            }
        }
        for file in files_with(app.data(), &[text], except) {
            found.insert((what.clone(), file.display().to_string()));
        }
    }
    found
}

/// Headers, addresses, bodies and socket texts that a stranger and a person send, each with a word
/// of its own in it.
async fn plant(client: &Client, token: &str, planted: &mut Planted) {
    let mut word = |what: &str| {
        let number = planted.len();
        let text = format!("canary{number}Of{}", what.replace([' ', '-'], ""));
        planted.push((what.to_owned(), text.clone()));
        text
    };
    let mut requests = Vec::new();
    for name in ["x-canary", "user-agent", "referer", "x-request-id", "accept-language"] {
        let request = client.bearing(token, Method::GET, "/api/status");
        requests.push(request.header(name, word(&format!("header {name}"))));
    }
    let request = client.anonymous(Method::GET, "/api/status");
    requests.push(request.header("cookie", format!("__Host-room={}", word("cookie"))));
    let wrong = format!("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.{}", word("a wrong bearer"));
    requests.push(client.bearing(&wrong, Method::GET, "/api/status"));
    requests.push(client.bearing(&word("a plain bearer"), Method::GET, "/api/status"));
    requests.push(
        client
            .anonymous(Method::GET, "/api/status")
            .header("authorization", format!("Basic {}", word("another scheme"))),
    );
    for name in ["q", "parts", "token", "access_token", "code"] {
        let path = format!("/api/status?{name}={}", word(&format!("query {name}")));
        requests.push(client.bearing(token, Method::GET, &path));
    }
    let path = format!("/api/activity?kind={}", word("query kind"));
    requests.push(client.bearing(token, Method::GET, &path));
    let path = format!("/{}?x={}", word("a page's path"), word("a page's query"));
    requests.push(client.anonymous(Method::GET, &path));
    let path = format!("/api/{}/{}", word("an unknown path"), word("its end"));
    requests.push(client.bearing(token, Method::GET, &path));
    let path = format!("/api/providers/sessions/{}/input", word("an id"));
    let body = json!({ "text": word("text for no session") });
    requests.push(client.bearing(token, Method::POST, &path).json(&body));
    let path = "/api/providers/codex/connect";
    let body = json!({ "method": word("a method"), "email": word("an address") });
    requests.push(client.bearing(token, Method::POST, path).json(&body));
    let body = format!("{{\"method\": \"{}", word("half a body"));
    let request = client.bearing(token, Method::POST, path);
    requests.push(request.header("content-type", "application/json").body(body));
    let request = client.bearing(token, Method::POST, path);
    requests.push(request.body(word("a body of another kind")));
    for path in ["/api/auth/handshake", "/api/auth/pair/redeem", "/api/auth/session"] {
        let body = json!({ "code": word(&format!("code for {path}")) });
        requests.push(client.anonymous(Method::POST, path).json(&body));
    }
    let key = format!("sk-{}", word("a key of no provider"));
    let request = client.bearing(token, Method::PUT, "/api/providers/codex/api-key");
    requests.push(request.json(&json!({ "key": format!("{key} {key}") })));
    for request in requests {
        let answer = Answer::of(request).await;
        let number = answer.header("x-request-id").unwrap();
        assert!(!number.contains("canary"), "the client's own number: {number}");
    }
    let mut upgrade = client.upgrade(None);
    let protocols = format!("room.v1, room.ticket.{}", word("a ticket"));
    upgrade.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    assert_eq!(refused(upgrade).await, 401);
    let mut socket = room_tests::socket::Socket::by(client.upgrade(Some(token))).await;
    socket.subscribe(&[&word("a channel")]).await;
    socket.send(&json!({ "type": word("a message's type") })).await;
    socket.send(&json!({ "type": "reauth", "token": word("a bearer on a socket") })).await;
    assert!(socket.closed().await.is_some());
}

fn setup_with_secrets(setup: Setup, planted: &mut Planted) -> Setup {
    let mut setup = setup.var("ROOM_METRICS_BIND", "127.0.0.1:0").var("ROOM_LOG", "trace");
    for (name, value) in [
        ("ROOM_ENCRYPTION_KEY", "canary-encryption-0123456789abcdefghijkl"),
        ("ROOM_CLAUDE_API_KEY", "sk-ant-api03-canary0123456789abcdefghijklm"),
        ("SOMETHING_OF_THE_PERSONS", "canary-of-the-environment"),
        ("AWS_SECRET_ACCESS_KEY", "canary-of-another-program"),
    ] {
        setup = setup.var(name, value);
        planted.push((name.to_owned(), value.to_owned()));
    }
    setup
}

#[tokio::test]
async fn no_secret_of_a_local_room_is_found_anywhere() {
    let mut planted = Planted::new();
    for format in ["json", "pretty"] {
        let room = Room::with(|setup| {
            setup_with_secrets(setup, &mut planted).var("ROOM_LOG_FORMAT", format)
        })
        .await;
        let app = &room.app;
        let mut keep = |what: &str, text: &str| planted.push((what.to_owned(), text.to_owned()));
        // The way in: a link's code, and the bearer it is traded for.
        let link = app.command(&["open", "--no-open"]).unwrap().output().unwrap();
        let link = String::from_utf8(link.stdout).unwrap();
        let code = link.trim().split_once("#code=").unwrap().1.to_owned();
        let body = json!({ "code": code });
        let request = app.anonymous(Method::POST, "/api/auth/handshake").json(&body);
        let request =
            request.header("x-room-handshake", "1").header("sec-fetch-site", "same-origin");
        let arrived = Answer::of(request.header("origin", app.url(""))).await;
        assert_eq!(arrived.status, StatusCode::OK, "{arrived:?}");
        keep("a launch code", &code);
        keep("a browser's bearer", arrived.body["token"].as_str().unwrap());
        keep("the programs' bearer", app.token());
        let ticket = app.post("/api/auth/ws-ticket", &json!({})).await;
        keep("a socket's ticket", ticket.body["ticket"].as_str().unwrap());
        // Sign-ins: a device code, a pasted code, a key.
        let session = room.codex_code().await;
        keep("a device code", session["deviceCode"].as_str().unwrap());
        room.control.approve();
        app.session_until(id(&session), |view| view["status"] == "completed").await;
        let session = room.claude_prompt().await;
        keep("the state of a link", &state(&session));
        keep("a pasted code", "good-abcdefcode");
        let wrong = app.input(id(&session), "canaryPastedWrong#0").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
        keep("a wrong pasted code", "canaryPastedWrong");
        let answer = app.input(id(&session), &good_code(&session)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        app.session_until(id(&session), |view| view["status"] == "completed").await;
        let key = "sk-ant-api03-anothercanary0123456789abcdefghijk";
        keep("a key", key);
        let path = "/api/providers/claude/api-key";
        let put = app.send(Method::PUT, path, &json!({ "key": key })).await;
        assert!(put.status.is_success(), "{put:?}");
        plant(app.client(), app.token(), &mut planted).await;

        assert_eq!(found(app, &planted, &["api.token"]).await, BTreeSet::new(), "{}", app.log());
        assert_eq!(app.log().matches(FOR_THE_PERSON).count(), 1);
        check_that_a_look_finds(app).await;
        check_numbers(app, format).await;
    }
}

/// What may be found is found in each place, so nothing found above does mean something.
async fn check_that_a_look_finds(app: &TestApp) {
    let texts = [("log", "activity"), ("metrics", "room_build_info"), ("database", "provider.")];
    let texts = texts.map(|(what, text)| (what.to_owned(), text.to_owned())).to_vec();
    let seen = found(app, &texts, &[]).await;
    for (what, place) in [("log", "log"), ("metrics", "metrics"), ("database", "room.db")] {
        let is_there = |(own, at): &(String, String)| own == what && at.contains(place);
        assert!(seen.iter().any(is_there), "{what}: {seen:?}");
    }
    let planted = app.data().join("planted");
    fs::write(&planted, "a canary-of-the-environment in a file").unwrap();
    let text = vec![("planted".to_owned(), "canary-of-the-environment".to_owned())];
    assert_eq!(found(app, &text, &[]).await.len(), 1);
    fs::remove_file(planted).unwrap();
}

/// Every answer has a number of ours, and the log has it too.
async fn check_numbers(app: &TestApp, format: &str) {
    let answer = app.post("/api/providers/nobody/connect", &json!({})).await;
    let number = answer.header("x-request-id").unwrap().to_owned();
    let written = match format {
        "json" => format!("\"request\":\"{number}\""),
        _ => format!("request={number}"),
    };
    let log = app.log();
    assert!(log.contains(&written), "{written}: {log}");
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.is_empty(), format == "pretty");
    for line in lines {
        for name in ["timestamp", "level", "message", "target"] {
            assert!(line[name].is_string(), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn no_secret_of_a_hosted_room_is_found_anywhere() {
    let mut planted = Planted::new();
    let room = Hosted::with(|setup| {
        let legacy = "canary-of-the-legacy-issuer-0123456789";
        planted.push(("the legacy secret".to_owned(), legacy.to_owned()));
        setup_with_secrets(setup, &mut planted)
            .var("ROOM_JWT_SECRET", legacy)
            .var("ROOM_ALLOW_LEGACY_HMAC", "1")
            .var("ROOM_ALLOW_QUERY_TOKEN", "1")
            .var("ROOM_LOG_FORMAT", "json")
    })
    .await;
    let client = room.app.client();
    let mut keep = |what: &str, text: &str| planted.push((what.to_owned(), text.to_owned()));
    let signature = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    let arriving = room.plane.token(Role::Owner);
    keep("an arriving token", &signature(&arriving));
    let owner = Page::signed_in(client, &arriving, "canaryDevice").await;
    let cookie = owner.cookie().unwrap();
    keep("a cookie", cookie.split_once('=').unwrap().1);
    let pair = owner.post("/api/auth/pair", &json!({})).await;
    keep("a pairing code", pair.body["code"].as_str().unwrap());
    let link = pair.body["url"].as_str().unwrap();
    keep("a pairing link", link.split_once("#pair=").unwrap().1);
    let mut phone = Page::open(client);
    assert_eq!(phone.redeem(pair.body["code"].as_str().unwrap(), "phone").await.status, 200);
    keep("a paired device's cookie", phone.cookie().unwrap().split_once('=').unwrap().1);
    let ticket = owner.post("/api/auth/ws-ticket", &json!({})).await;
    keep("a socket's ticket", ticket.body["ticket"].as_str().unwrap());
    let bearer = room.plane.token(Role::Owner);
    keep("a bearer", &signature(&bearer));
    let service = room.plane.service_token();
    keep("a service's token", &signature(&service));
    let asked = client.bearing(&service, Method::POST, "/api/access/revoke");
    Answer::of(asked.json(&json!({ "subject": "nobody-at-all" }))).await;
    let logout = room.plane.logout_token("nobody-at-all");
    keep("a logout token", &signature(&logout));
    let request = client.anonymous(Method::POST, "/api/auth/backchannel-logout");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(room_tests::issuer::form(&logout))).await;
    let old = room.plane.token(Role::Viewer);
    keep("a token in the address", &signature(&old));
    let answer = Answer::of(client.anonymous(Method::GET, &format!("/?token={old}"))).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    plant(client, &bearer, &mut planted).await;

    assert_eq!(found(&room.app, &planted, &[]).await, BTreeSet::new(), "{}", room.app.log());
    // The name of a device is no secret, and would be found.
    let name = vec![("a device's name".to_owned(), "canaryDevice".to_owned())];
    let seen = found(&room.app, &name, &[]).await;
    assert!(seen.iter().any(|(_, place)| place == "log"), "{seen:?}");
    assert!(seen.iter().any(|(_, place)| place.contains("room.db")), "{seen:?}");
}
