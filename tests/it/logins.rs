//! Signing in and out through the API, with fake programs.

use reqwest::{Method, StatusCode};
use room_tests::app::{Answer, Setup, files_with};
use room_tests::fake::Scenario;
use serde_json::json;

use crate::room::{Room, asks_for_input, good_code, id, state, text};

#[tokio::test]
async fn codex_is_signed_in_once_the_code_is_approved() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    assert_eq!(session["verificationUrl"], "https://auth.openai.com/codex/device");
    assert_eq!(session["step"], "awaiting_approval", "{session:#}");
    assert_eq!(session["status"], "running");
    assert_eq!(session["active"], true);
    assert_eq!(session["awaitingInput"], false);
    let code = session["deviceCode"].as_str().unwrap();
    // A line is one once the program has gone on to the next.
    room.app.session_until(id(&session), |view| text(view).contains(code)).await;
    room.control.approve();
    let session = room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    assert_eq!(session["step"], "done");
    assert_eq!(session["exitCode"], 0);
    assert_eq!(session["active"], false);
    assert!(session["endedAt"].is_string(), "{session:#}");
    assert!(session["failure"].is_null(), "{session:#}");
    let status = room.app.provider_status("codex").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert_eq!(status["installed"], true, "{status:#}");
    assert_eq!(status["version"], "0.169.0", "{status:#}");
    assert!(room.app.home().codex().join("auth.json").exists());
}

#[tokio::test]
async fn claude_is_signed_in_once_the_right_code_is_pasted() {
    let room = Room::start().await;
    let session = room.claude_prompt().await;
    let link = session["verificationUrl"].as_str().unwrap();
    assert!(link.starts_with("https://claude.com/cai/oauth/authorize?code=true&"), "{link}");
    assert_eq!(session["step"], "awaiting_input", "{session:#}");
    let answer = room.app.input(id(&session), &good_code(&session)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let session = room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    assert!(!text(&session).contains("good-abcdefcode"), "the pasted code is masked");
    assert!(!room.app.log().contains("good-abcdefcode"));
    let status = room.app.provider_status("claude").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert!(room.app.home().claude().join(".credentials.json").exists());
}

#[tokio::test]
async fn a_code_that_cannot_be_right_is_refused_before_the_program_sees_it() {
    let room = Room::start().await;
    let session = room.claude_prompt().await;
    let state = state(&session);
    let wrong = [
        "foo".to_owned(),
        "123456".to_owned(),
        "https://claude.ai/settings".to_owned(),
        "http://localhost:54545/callback?code=a&state=b".to_owned(),
        format!("#{state}"),
        "code#".to_owned(),
        format!("a#b#{state}"),
        format!("code#{}", "A".repeat(43)),
        String::new(),
        "code#\u{1b}[200~".to_owned(),
    ];
    for (index, text) in wrong.iter().enumerate() {
        let answer = room.app.input(id(&session), text).await;
        // The tenth attempt within a minute may meet the limit, which is a refusal as well.
        let limited = index >= 9 && answer.status == StatusCode::TOO_MANY_REQUESTS;
        assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY || limited, "{text}: {answer:?}");
        assert!(
            answer.body["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{answer:?}"
        );
        assert!(!answer.body.to_string().contains(&state), "{answer:?}");
    }
    let view = room.app.session(id(&session)).await;
    assert!(asks_for_input(&view), "{view:#}");
    assert!(!text(&view).contains("That doesn't look like the full code"), "{view:#}");
}

#[tokio::test]
async fn after_a_refused_text_the_same_process_takes_the_right_code() {
    let room = Room::start().await;
    let session = room.claude_prompt().await;
    let answer = room.app.input(id(&session), "foo").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    // As a phone's clipboard gives it: blanks and a line's end within.
    let code = good_code(&session);
    let (head, tail) = code.split_at(20);
    let answer = room.app.input(id(&session), &format!("  {head}\n{tail} \r\n")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    assert_eq!(room.logins("claude").len(), 1);
}

#[tokio::test]
async fn a_code_of_an_earlier_sign_in_is_refused() {
    let room = Room::start().await;
    let earlier = room.claude_prompt().await;
    let code = good_code(&earlier);
    assert_eq!(room.app.cancel(id(&earlier)).await.status, StatusCode::OK);
    let session = room.claude_prompt().await;
    let answer = room.app.input(id(&session), &code).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let answer = room.app.input(id(&earlier), &code).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
}

#[tokio::test]
async fn input_that_nobody_asked_for_is_a_conflict() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let answer = room.app.input(id(&session), "anything").await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    let answer = room.app.input("00000000-0000-4000-8000-000000000000", "anything").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
}

#[tokio::test]
async fn a_code_that_the_vendor_refuses_ends_the_sign_in() {
    let room = Room::start().await;
    let session = room.claude_prompt().await;
    let answer = room.app.input(id(&session), &format!("bad-abc#{}", state(&session))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let session = room.app.session_until(id(&session), |view| view["status"] == "failed").await;
    assert_eq!(session["exitCode"], 1, "{session:#}");
    for part in ["code", "title", "action"] {
        assert!(
            session["failure"][part].as_str().is_some_and(|text| !text.is_empty()),
            "{session:#}"
        );
    }
    assert_eq!(room.app.provider_status("claude").await["connected"], false);
}

#[tokio::test]
async fn a_failed_or_cancelled_sign_in_leaves_the_earlier_one() {
    let room = Room::start().await;
    room.sign_in_codex().await;
    room.sign_in_claude().await;
    let files = [
        room.app.home().codex().join("auth.json"),
        room.app.home().claude().join(".credentials.json"),
    ];
    let before = files.clone().map(|file| std::fs::read(file).unwrap());

    let codex = room.codex_code().await;
    room.control.decline();
    let codex = room.app.session_until(id(&codex), |view| view["status"] == "failed").await;
    assert!(codex["failure"]["action"].is_string(), "{codex:#}");
    let codex = room.codex_code().await;
    room.control.expire();
    room.app.session_until(id(&codex), |view| view["active"] == false).await;
    let codex = room.codex_code().await;
    assert_eq!(room.app.cancel(id(&codex)).await.status, StatusCode::OK);

    let claude = room.claude_prompt().await;
    room.app.input(id(&claude), &format!("bad-abc#{}", state(&claude))).await;
    room.app.session_until(id(&claude), |view| view["status"] == "failed").await;
    let claude = room.claude_prompt().await;
    assert_eq!(room.app.cancel(id(&claude)).await.status, StatusCode::OK);

    assert_eq!(files.map(|file| std::fs::read(file).unwrap()), before);
    for provider in ["codex", "claude"] {
        assert_eq!(room.app.provider_status(provider).await["connected"], true, "{provider}");
    }
    let left = std::fs::read_dir(room.app.home().codex()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.len() <= 2, "no scratch home stays: {left:?}");
}

#[tokio::test]
async fn cancelling_ends_at_once_and_may_be_repeated() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    for _ in 0..2 {
        let answer = room.app.cancel(id(&session)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let session = room.app.session(id(&session)).await;
        assert_eq!(session["status"], "canceled", "{session:#}");
        assert_eq!(session["active"], false);
    }
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn a_second_sign_in_joins_the_first() {
    let room = Room::start().await;
    let first = room.codex_code().await;
    let answer = room.app.post("/api/providers/codex/connect", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.body["reused"], true, "{answer:?}");
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    assert_eq!(answer.body["session"]["sessionId"], first["sessionId"]);
    let channel = format!("provider-auth:{}", id(&first));
    assert_eq!(answer.body["channel"], channel.as_str());
    let answer = room.app.get("/api/providers/codex/session").await;
    assert_eq!(answer.body["session"]["sessionId"], first["sessionId"]);
    assert_eq!(room.logins("codex").len(), 1);
}

#[tokio::test]
async fn disconnecting_signs_out_and_checks_it() {
    let room = Room::start().await;
    room.sign_in_codex().await;
    room.sign_in_claude().await;
    for provider in ["codex", "claude"] {
        let path = format!("/api/providers/{provider}/disconnect");
        let answer = room.app.post(&path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.body["ok"], true, "{answer:?}");
        assert_eq!(answer.body["status"], "disconnected", "{answer:?}");
        assert_eq!(room.app.provider_status(provider).await["connected"], false);
    }
    assert!(!room.app.home().codex().join("auth.json").exists());
    assert!(!room.app.home().claude().join(".credentials.json").exists());
}

#[tokio::test]
async fn disconnecting_ends_a_sign_in_that_is_open() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let answer = room.app.post("/api/providers/codex/disconnect", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(room.app.session(id(&session)).await["active"], false);
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_conflict_that_says_how_to_get_it() {
    let app = Setup::new().unwrap().start().await.unwrap();
    for (provider, package) in [("codex", "@openai/codex"), ("claude", "@anthropic-ai/claude-code")]
    {
        let status = app.provider_status(provider).await;
        assert_eq!(status["installed"], false, "{status:#}");
        let answer = app.post(&format!("/api/providers/{provider}/connect"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
        assert_eq!(answer.code(), "not_installed");
        assert!(answer.body["detail"].as_str().unwrap().contains(package), "{answer:?}");
    }
}

#[tokio::test]
async fn a_sign_in_that_stored_nothing_is_not_called_complete() {
    for program in ["codex", "claude"] {
        let room = Room::playing(program, &Scenario::NoCredentials).await;
        let session = if program == "codex" {
            let session = room.codex_code().await;
            room.control.approve();
            session
        } else {
            let session = room.claude_prompt().await;
            room.app.input(id(&session), &good_code(&session)).await;
            session
        };
        let session = room.app.session_until(id(&session), |view| view["active"] == false).await;
        assert_eq!(session["status"], "failed", "{session:#}");
        assert_eq!(session["exitCode"], 0, "{session:#}");
        assert_eq!(room.app.provider_status(program).await["connected"], false);
    }
}

#[tokio::test]
async fn a_login_gets_a_terminal_and_nothing_of_the_server() {
    let canaries = [
        ("ANTHROPIC_API_KEY", "sk-ant-canary"),
        ("OPENAI_API_KEY", "sk-canary"),
        ("CODEX_ACCESS_TOKEN", "canary"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "canary"),
        ("CLAUDECODE", "1"),
        ("ANTHROPIC_AUTH_TOKEN", "canary"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("DISPLAY", ":0"),
        ("LD_PRELOAD", ""),
    ];
    let env = canaries.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let room = Room::with(|setup| setup.env(env).var("HTTPS_PROXY", "http://127.0.0.1:9")).await;
    let codex = room.codex_code().await;
    let claude = room.claude_prompt().await;
    for run in [room.logins("codex"), room.logins("claude")].concat() {
        for (name, _) in canaries {
            assert!(!run.env.contains_key(name), "{name} in {:?}", run.env);
        }
        assert!(run.env.values().all(|value| !value.contains(room.app.token())));
        assert_eq!(run.env.get("HOME").map(String::as_str), Some(room.app.home().text()));
        assert_eq!(run.env.get("HTTPS_PROXY").map(String::as_str), Some("http://127.0.0.1:9"));
        assert_eq!(run.terminal, Some((1000, 60)));
        assert_eq!(run.fds, [0, 1, 2], "{}", run.program);
    }
    room.app.cancel(id(&codex)).await;
    room.app.cancel(id(&claude)).await;
}

#[tokio::test]
async fn nothing_secret_is_written_down() {
    let room = Room::start().await;
    let session = room.claude_prompt().await;
    room.app.input(id(&session), &good_code(&session)).await;
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    let codex = room.codex_code().await;
    let token = room.app.token().to_owned();
    let code = codex["deviceCode"].as_str().unwrap();
    let secrets = ["good-abcdefcode", code, token.as_str()];
    let found = files_with(room.app.data(), &secrets, &["api.token"]);
    assert_eq!(found, [""; 0].map(std::path::PathBuf::from));
    let log = room.app.log();
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}

#[tokio::test]
async fn the_table_of_providers_says_how_each_signs_in() {
    let room = Room::start().await;
    let answer = room.app.get("/api/providers").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let table = answer.body.to_string();
    for word in ["codex", "claude", "device", "subscription"] {
        assert!(table.contains(word), "{word} in {table}");
    }
    assert!(!table.contains("gemini"), "shown only where it is installed: {table}");
    let unknown = room.app.post("/api/providers/nobody/connect", &json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{unknown:?}");
    let method = json!({"method": "by-post"});
    let answer = room.app.post("/api/providers/codex/connect", &method).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(room.logins("codex").len(), 0);
}

#[tokio::test]
async fn strangers_learn_nothing_of_providers() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let paths = [
        (Method::GET, "/api/status".to_owned()),
        (Method::GET, "/api/providers".to_owned()),
        (Method::GET, "/api/providers/status".to_owned()),
        (Method::GET, "/api/providers/codex/session".to_owned()),
        (Method::GET, format!("/api/providers/sessions/{}", id(&session))),
        (Method::POST, format!("/api/providers/sessions/{}/input", id(&session))),
        (Method::POST, format!("/api/providers/sessions/{}/cancel", id(&session))),
        (Method::POST, "/api/providers/codex/connect".to_owned()),
        (Method::POST, "/api/providers/codex/disconnect".to_owned()),
        (Method::POST, "/api/providers/codex/verify".to_owned()),
        (Method::GET, "/api/auth/verify".to_owned()),
        (Method::DELETE, "/api/auth/session".to_owned()),
    ];
    for (method, path) in paths {
        let answer = Answer::of(room.app.anonymous(method.clone(), &path)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {answer:?}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{method} {path}: {challenge}");
        let wrong = room.app.anonymous(method, &path).bearer_auth("not-the-token");
        assert_eq!(Answer::of(wrong).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(room.app.session(id(&session)).await["active"], true);
}

#[tokio::test]
async fn a_sign_in_leaves_the_persons_other_files_alone() {
    let room = Room::start().await;
    let codex = room.app.home().codex();
    std::fs::create_dir(codex.join("sessions")).unwrap();
    let files = [
        (codex.join("config.toml"), "model = \"gpt-5\"\n# mine\n"),
        (codex.join("history.jsonl"), "{\"text\":\"hello\"}\n"),
        (codex.join("sessions/one.jsonl"), "{}\n"),
        (room.app.home().path().join(".claude.json"), "{\"projects\":{\"/a\":{}}}"),
    ];
    for (file, content) in &files {
        std::fs::write(file, content).unwrap();
    }
    room.sign_in_codex().await;
    let other = room.codex_code().await;
    room.app.cancel(id(&other)).await;
    for (file, content) in &files {
        assert_eq!(&std::fs::read_to_string(file).unwrap(), content, "{}", file.display());
    }
    let home = codex.to_str().unwrap();
    for run in room.logins("codex") {
        let scratch = run.env.get("CODEX_HOME").unwrap();
        assert_ne!(scratch, home, "not where the earlier sign-in is");
        assert!(scratch.starts_with(home), "below it, so that a rename will do: {scratch}");
        assert!(!std::path::Path::new(scratch).exists(), "{scratch} stayed");
    }
}

#[tokio::test]
async fn programs_are_signed_in_where_the_person_keeps_them() {
    let setup = Setup::new().unwrap();
    let (codex, claude) =
        (setup.home().path().join("own/codex"), setup.home().path().join("own/claude"));
    std::fs::create_dir_all(&codex).unwrap();
    let setup = setup
        .var("CODEX_HOME", codex.to_str().unwrap())
        .var("CLAUDE_CONFIG_DIR", claude.to_str().unwrap());
    let room = Room::from(setup).await;
    room.sign_in_codex().await;
    room.sign_in_claude().await;
    assert!(codex.join("auth.json").exists());
    assert!(claude.join(".credentials.json").exists());
    assert!(!room.app.home().codex().join("auth.json").exists());
    assert!(!room.app.home().claude().exists());
}

#[tokio::test]
async fn where_the_earlier_sign_in_would_be_lost_the_person_is_asked() {
    let room = Room::start().await;
    room.sign_in_codex().await;
    let file = room.app.home().codex().join("auth.json");
    let elsewhere = room.app.home().path().join("shared-auth.json");
    std::fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let answer = room.app.post("/api/providers/codex/connect", &json!({})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    assert_eq!(answer.code(), "would_sign_out", "{answer:?}");
    assert_eq!(room.logins("codex").len(), 1, "nothing was started");
    assert!(elsewhere.exists());
    let agreed = json!({"inPlace": true});
    let answer = room.app.post("/api/providers/codex/connect", &agreed).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    room.app.cancel(id(&answer.body["session"])).await;
}
