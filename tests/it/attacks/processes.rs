//! What is typed into programs, and many who want to start and end them at once.

use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Answer, SOON};
use room_tests::eventually;
use room_tests::fake::Scenario;
use rustix::process::Signal;
use serde_json::json;

use super::{MODES, Mode, Rig};
use crate::room::{asks_for_input, id, state, text};

/// Pastes, commands and the rest of what is no code, with the keys that would send them.
fn not_a_code(state: &str) -> Vec<String> {
    let with = |middle: &str| format!("good-{middle}#{state}");
    vec![
        with("\u{1b}[200~x\u{1b}[201~"),
        with("\u{1b}]0;title\u{7}"),
        with("\u{1b}[A"),
        with("é"),
        with("$(touch x)"),
        with("`id`"),
        with(&"x".repeat(600)),
        format!("{state}\r/logout\r"),
    ]
}

#[tokio::test]
async fn only_what_can_be_a_code_is_typed_into_a_program() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        let app = &rig.room.app;
        let session = rig.room.claude_prompt().await;
        for wrong in not_a_code(&state(&session)) {
            let answer = app.input(id(&session), &wrong).await;
            let code = answer.status.as_u16();
            assert!(matches!(code, 400 | 422), "{mode} {wrong:?}: {answer:?}");
            assert!(!answer.body.to_string().contains(&state(&session)), "{mode}: {answer:?}");
        }
        let view = app.session(id(&session)).await;
        assert!(asks_for_input(&view), "{mode}: it saw none of it: {view:#}");
        // Typing past Room's own rules is for owners, and only where Room understands nothing.
        let path = format!("/api/providers/sessions/{}/input", id(&session));
        let raw = json!({"text": "\u{3}", "raw": true});
        let answer = app.post(&path, &raw).await;
        assert!(answer.status.is_client_error(), "{mode}: {answer:?}");
        if mode == Mode::Cloud {
            for role in [Role::Admin, Role::Member, Role::Viewer] {
                let token = rig.plane.token(role);
                let request = app.client().bearing(&token, Method::POST, &path).json(&raw);
                let answer = Answer::of(request).await;
                assert_eq!(answer.status, 403, "{mode} {role:?}: {answer:?}");
            }
        }
        // Keys that came with a code are dropped: the program reads one line, and it is the code.
        let woven =
            format!("\u{3}\u{4}good-\r\nabcdef\0code\u{7f}\u{8}\u{202e}#{}\r", state(&session));
        let answer = app.input(id(&session), &woven).await;
        assert_eq!(answer.status, 200, "{mode}: {answer:?}");
        let over = |view: &serde_json::Value| view["active"] == false;
        let view = app.session_until(id(&session), over).await;
        assert_eq!(view["status"], "completed", "{mode}: {view:#}");
    }
}

/// Whoever connects, cancels and signs out all at once has one program at a time, and at the end
/// none.
#[tokio::test]
async fn many_at_once_start_one_program_and_leave_none() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        let app = &rig.room.app;
        let nothing = json!({});
        let connect = || app.post("/api/providers/codex/connect", &nothing);
        let mut known = std::collections::BTreeSet::new();
        for round in 0..4 {
            rig.room.control.play("codex", &Scenario::Grandchildren);
            let all = futures_util::future::join_all((0..12).map(|_| connect())).await;
            for answer in &all {
                assert_eq!(answer.status, 200, "{mode}: {answer:?}");
            }
            let ids: std::collections::BTreeSet<String> =
                all.iter().map(|answer| id(&answer.body["session"]).to_owned()).collect();
            assert_eq!(ids.len(), 1, "{mode}: one sign-in: {ids:?}");
            let session = ids.first().unwrap().clone();
            assert!(known.insert(session.clone()), "{mode}: a new one each time");
            let cancels = futures_util::future::join_all((0..6).map(|_| app.cancel(&session)));
            let (cancels, others) = tokio::join!(
                cancels,
                futures_util::future::join_all(
                    (0..3).map(|_| { app.post("/api/providers/codex/disconnect", &nothing) })
                )
            );
            assert!(
                cancels.iter().all(|answer| answer.status == 200),
                "{mode} {round}: {cancels:?}"
            );
            let fine = |answer: &Answer| !answer.status.is_server_error();
            assert!(others.iter().all(fine), "{mode} {round}: {others:?}");
            assert_eq!(app.session(&session).await["status"], "canceled", "{mode} {round}");
            assert_eq!(app.descendants(), [], "{mode} {round}");
        }
        // A sign-in that is cancelled at once may not have come to its program.
        assert!(rig.room.logins("codex").len() <= 4, "{mode}: one program a round");
    }
}

/// A hosted server that is killed leaves as little behind as one on a person's machine.
#[tokio::test]
async fn a_hosted_server_that_is_killed_in_a_login_leaves_nothing() {
    let mut rig = Rig::start(Mode::Cloud).await;
    for scenario in [Scenario::Grandchildren, Scenario::BareGrandchildren, Scenario::Stubborn] {
        rig.room.control.play("codex", &scenario);
        let session = rig.room.codex_code().await;
        rig.room.app.signal(Signal::KILL);
        rig.room.app.wait();
        // The launcher ends its tree by itself; what hides even from it, the next start finds.
        rig.room.app.start().await.unwrap();
        eventually(SOON, || rig.room.app.descendants().is_empty().then_some(()));
        crate::cloud::embedded::keys_are_there(rig.room.app.client()).await;
        let view = rig.room.app.session(id(&session)).await;
        assert_eq!(view["failure"]["code"], "server_restarted", "{scenario}: {view:#}");
    }
}

/// Without a file to spare no program can be started; that is said, and passes.
#[tokio::test]
async fn a_program_that_cannot_be_started_for_want_of_files_is_a_plain_failure() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        let app = &rig.room.app;
        let pid = rustix::process::Pid::from_raw(app.pid().try_into().unwrap());
        // Over a connection that is there already: no other would be accepted.
        assert_eq!(app.get("/api/status").await.status, 200, "{mode}");
        // From here on not one more, whatever is let go meanwhile: a limit is on a file's number and
        // not on how many there are. What is open stays open, the client's connection with it.
        let limit = |files: u64| {
            use rustix::process::{Resource, Rlimit, prlimit};
            let wanted = Rlimit { current: Some(files), maximum: Some(20_000) };
            prlimit(pid, Resource::Nofile, wanted).unwrap();
        };
        limit(3);
        let answer = app.post("/api/providers/codex/connect", &json!({})).await;
        if answer.status.is_success() {
            let session = answer.body["session"].clone();
            let view = app.session_until(id(&session), |view| view["active"] == false).await;
            assert_eq!(view["status"], "failed", "{mode}: {view:#}");
            assert!(view["failure"]["action"].is_string(), "{mode}: {view:#}");
            assert!(!text(&view).contains("panicked"), "{mode}: {view:#}");
        }
        limit(10_000);
        let session = rig.room.codex_code().await;
        app.cancel(id(&session)).await;
        assert_eq!(app.descendants(), [], "{mode}");
    }
}
