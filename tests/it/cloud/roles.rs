//! A member and an owner at the same moment, while providers are signed in: what only managers may
//! see does not reach the member in any byte.

use reqwest::Method;
use room_auth::Role;
use room_tests::app::Setup;
use room_tests::fake::Scenario;
use room_tests::issuer::ControlPlane;
use room_tests::page::Page;
use room_tests::socket::Socket;
use serde_json::{Value, json};

use super::INSTANCE;
use super::embedded::keys_are_there;
use crate::room::{Room, good_code, id, state};

/// All that a member may think of asking, the names of live sign-ins included.
fn questions(sessions: &[&str]) -> Vec<(Method, String)> {
    let mut all: Vec<(Method, String)> = [
        "/api/bootstrap",
        "/api/status",
        "/api/status?parts=providers",
        "/api/providers",
        "/api/providers/status",
        "/api/providers/status?refresh=1",
        "/api/providers/codex/session",
        "/api/providers/claude/session",
        "/api/auth/verify",
        "/api/access/sessions",
        "/api/activity",
        "/api/activity?kind=provider",
        "/api/activity.ndjson",
        "/readyz",
    ]
    .map(|path| (Method::GET, path.to_owned()))
    .into();
    for provider in ["codex", "claude"] {
        for what in ["connect", "verify", "disconnect"] {
            all.push((Method::POST, format!("/api/providers/{provider}/{what}")));
        }
    }
    for session in sessions {
        all.push((Method::GET, format!("/api/providers/sessions/{session}")));
        for what in ["input", "cancel"] {
            all.push((Method::POST, format!("/api/providers/sessions/{session}/{what}")));
        }
    }
    all
}

/// Everything a member heard, as text.
#[derive(Default)]
struct Heard(Vec<String>);

impl Heard {
    async fn ask(&mut self, page: &Page<'_>, sessions: &[&str]) {
        for (method, path) in questions(sessions) {
            let mut request = page.request(method.clone(), &path);
            if method == Method::POST {
                request = request.json(&json!({ "text": "x" }));
            }
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
            let body = answer.text().await.unwrap();
            if method == Method::POST {
                assert_eq!(status, 403, "{path}: {body}");
            }
            self.0.push(format!("{method} {path}\n{headers}\n{body}"));
        }
    }

    /// What came over the socket until now.
    async fn listen(&mut self, socket: &mut Socket) {
        socket.send(&json!({ "type": "ping", "id": "now" })).await;
        loop {
            let message = socket.next().await;
            if message["type"] == "pong" {
                return;
            }
            self.0.push(message.to_string());
        }
    }

    #[track_caller]
    fn does_not_hold(&self, secret: &str) {
        assert!(secret.len() >= 4, "{secret:?} would be found anywhere");
        let found = self.0.iter().find(|text| text.contains(secret));
        assert!(found.is_none(), "{secret:?} in {}", found.map_or("", String::as_str));
    }
}

/// The secrets of a sign-in's view: its code, its link, its lines.
fn secrets(view: &Value) -> Vec<String> {
    let mut all: Vec<String> = ["deviceCode", "verificationUrl"]
        .iter()
        .filter_map(|name| view[name].as_str().map(str::to_owned))
        .collect();
    let lines = view["lines"].as_array().unwrap().iter();
    let texts = lines.filter_map(|line| line["text"].as_str().map(|text| text.trim().to_owned()));
    all.extend(texts.filter(|text| text.len() > 12));
    all
}

#[tokio::test]
async fn a_member_learns_nothing_of_a_sign_in_but_that_it_was_asked_for() {
    let plane = ControlPlane::start(INSTANCE).unwrap();
    let setup = Setup::new().unwrap().cloud().env(plane.settings());
    let home = setup.home().text().to_owned();
    let mut room = Room::from(setup.var("ROOM_PROVIDER_HOME", &home)).await;
    keys_are_there(room.app.client()).await;
    room.app.act_as(plane.token(Role::Owner));
    room.control.play("codex", &Scenario::Normal);

    let client = room.app.client();
    let owner = Page::signed_in(client, &plane.token(Role::Owner), "desk").await;
    let mut owners = owner.socket().await;
    let member = Page::signed_in(client, &plane.token(Role::Member), "phone").await;
    let mut members = member.socket().await;
    members.subscribe(&["providers", "activity", "access"]).await;
    let mut heard = Heard::default();
    heard.ask(&member, &[]).await;

    // The owner's own view has it all; the member asks at the same moment.
    let codex = room.codex_code().await;
    let claude = room.claude_prompt().await;
    let names = [id(&codex), id(&claude)];
    let channels = names.map(|name| format!("provider-auth:{name}"));
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    let joined = owners.subscribe(&channels).await;
    assert_eq!(joined["channels"].as_array().unwrap().len(), 2, "{joined}");
    let denied = members.subscribe(&channels).await;
    assert_eq!(denied["channels"].as_array().unwrap().len(), 0, "{denied}");
    let mut secret = [secrets(&codex), secrets(&claude)].concat();
    assert!(secret.iter().any(|text| Some(text.as_str()) == codex["deviceCode"].as_str()));
    secret.push(state(&claude));
    heard.listen(&mut members).await;
    // Up to here nobody has told them the names of the sign-ins.
    for name in names {
        heard.does_not_hold(name);
    }
    let before = heard.0.len();
    heard.ask(&member, &names).await;
    heard.listen(&mut members).await;
    assert!(heard.0.len() > before + 20);

    room.control.approve();
    let code = good_code(&claude);
    let typed = room.app.input(id(&claude), &code).await;
    assert_eq!(typed.status, 200, "{typed:?}");
    for view in [&codex, &claude] {
        let done = room.app.session_until(id(view), |view| view["status"] == "completed").await;
        secret.extend(secrets(&done));
    }
    secret.push(code);
    let status = room.app.provider_status("claude").await;
    let account = status["account"].as_str().expect("managers see the account").to_owned();
    secret.push(account);
    heard.ask(&member, &names).await;
    heard.listen(&mut members).await;

    // What the member does see: that it is signed in now.
    let seen = member.get("/api/providers/status").await;
    let seen = &seen.body["providers"]["claude"];
    assert_eq!(seen["connected"], true, "{seen:#}");
    assert!(seen["account"].is_null() && seen["authSession"].is_null(), "{seen:#}");
    assert!(heard.0.iter().any(|text| text.contains("providers:")), "the channel was heard");
    for text in &secret {
        heard.does_not_hold(text);
    }
}
