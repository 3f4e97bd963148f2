//! The session manager with real terminals, real processes and fake programs.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provider_sessions::{
    ConnectOptions, FailureCode, InMemory, InstallSettings, Launcher, Line, Observer,
    ProviderStatus, SessionError, SessionId, SessionManager, SessionView, Settings, Status, Step,
    provider,
};

const STATE: &str = "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

/// Everything the manager said, in order.
#[derive(Default)]
struct Heard {
    steps: Mutex<Vec<(Status, Step)>>,
    lines: Mutex<Vec<Line>>,
    /// How many lines and bytes came at once.
    batches: Mutex<Vec<(usize, usize)>>,
}

impl Observer for Heard {
    fn status(&self, view: &SessionView) {
        self.steps.lock().unwrap().push((view.status, view.step));
    }

    fn lines(&self, _: &SessionView, new: &[Line]) {
        let bytes = new.iter().map(|line| line.text.len()).sum();
        self.batches.lock().unwrap().push((new.len(), bytes));
        self.lines.lock().unwrap().extend(new.iter().cloned());
    }

    fn provider(&self, _: &ProviderStatus) {}
}

struct Bench {
    manager: SessionManager,
    heard: Arc<Heard>,
    home: PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// A manager over the fake programs, with a home of its own.
    fn new() -> Self {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fakes");
        Self::with_programs(&fakes)
    }

    fn with_programs(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [home, data_dir] = ["home", "data"].map(|name| folder.path().join(name));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&data_dir).unwrap();
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let settings = Settings {
            data_dir,
            provider_home: home.clone(),
            environment: vec![("PATH".to_owned(), path)],
            launcher: Launcher {
                program: env!("CARGO_BIN_EXE_in-terminal").into(),
                args: vec!["__child".into()],
            },
            login_timeout: Duration::from_secs(30),
            max_lines: 100,
            keep: Duration::from_mins(1),
            install: InstallSettings::default(),
            keys: Arc::new(InMemory),
        };
        let heard = Arc::new(Heard::default());
        let rows = provider::built_in().to_vec();
        let manager = SessionManager::new(settings, rows, heard.clone());
        Self { manager, heard, home, _folder: folder }
    }

    async fn connect(&self, provider: &str) -> SessionView {
        self.manager.connect(provider, ConnectOptions::default(), "owner").await.unwrap().view
    }

    fn view(&self, id: SessionId) -> SessionView {
        self.manager.with_session(id, Clone::clone).unwrap()
    }

    /// Waits until the sign-in looks like that.
    async fn until(&self, id: SessionId, wanted: impl Fn(&SessionView) -> bool) -> SessionView {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let view = self.view(id);
            if wanted(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "still {view:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn answer(&self, text: &str) {
        fs::write(self.home.join("answer"), text).unwrap();
    }

    fn stored(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.home.join(file)).ok()
    }

    fn scratch_homes(&self) -> usize {
        let entries = fs::read_dir(self.home.join(".codex")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).count()
    }
}

fn failure(view: &SessionView) -> Option<FailureCode> {
    view.failure.as_ref().map(|failure| failure.code)
}

#[tokio::test]
async fn codex_is_signed_in_by_a_code_and_out_again() {
    let bench = Bench::new();
    let id = bench.connect("codex").await.id;
    let view = bench.until(id, |view| view.device_code.is_some()).await;
    assert_eq!(view.verification_url.as_deref(), Some("https://auth.openai.com/codex/device"));
    assert_eq!(
        (view.step, view.device_code.as_deref()),
        (Step::AwaitingApproval, Some("ABCD-E1F2G"))
    );

    let joined =
        bench.manager.connect("codex", ConnectOptions::default(), "another").await.unwrap();
    assert!(joined.reused && joined.view.id == id && joined.view.started_by == "owner");

    bench.answer("approved");
    let view = bench.until(id, |view| !view.is_active()).await;
    assert_eq!((view.status, failure(&view), view.exit_code), (Status::Completed, None, Some(0)));
    assert!(bench.stored(".codex/auth.json").is_some());
    assert_eq!(bench.manager.status()[0].connected, Some(true), "known before it is told");
    let status = bench.manager.verify("codex").await.unwrap();
    assert_eq!((status.installed, status.connected), (true, Some(true)));
    assert_eq!(status.version.as_deref(), Some("0.169.0"));
    assert_eq!(bench.scratch_homes(), 0);

    let done = bench.manager.disconnect("codex").await.unwrap();
    assert!(done.ok, "{done:?}");
    assert_eq!(done.removed, [bench.home.join(".codex/auth.json")]);
    assert_eq!(bench.stored(".codex/auth.json"), None);

    let lines: Vec<String> =
        bench.heard.lines.lock().unwrap().iter().map(|line| line.text.clone()).collect();
    assert!(lines.contains(&"Successfully logged in".to_owned()), "{lines:?}");
    let steps: Vec<Step> =
        bench.heard.steps.lock().unwrap().iter().map(|(_, step)| *step).collect();
    let rank = |step: &Step| *step as u8;
    assert!(steps.windows(2).all(|pair| rank(&pair[0]) <= rank(&pair[1])), "{steps:?}");
}

#[tokio::test]
async fn a_failed_or_cancelled_codex_sign_in_keeps_the_earlier_one() {
    let bench = Bench::new();
    fs::create_dir(bench.home.join(".codex")).unwrap();
    fs::write(bench.home.join(".codex/auth.json"), "earlier").unwrap();
    for (answer, code) in
        [("declined", FailureCode::Refused), ("nothing-stored", FailureCode::NotSignedIn)]
    {
        bench.answer("");
        let id = bench.connect("codex").await.id;
        bench.until(id, |view| view.device_code.is_some()).await;
        bench.answer(answer);
        let view = bench.until(id, |view| !view.is_active()).await;
        assert_eq!((view.status, failure(&view)), (Status::Failed, Some(code)));
        assert_eq!(bench.stored(".codex/auth.json").as_deref(), Some("earlier"));
    }
    bench.answer("");
    let id = bench.connect("codex").await.id;
    bench.until(id, |view| view.device_code.is_some()).await;
    let view = bench.manager.cancel(id).await.unwrap();
    assert_eq!((view.status, failure(&view)), (Status::Canceled, Some(FailureCode::Canceled)));
    assert_eq!(bench.manager.cancel(id).await.unwrap().status, Status::Canceled, "repeatable");
    assert_eq!(bench.stored(".codex/auth.json").as_deref(), Some("earlier"));
    assert_eq!(bench.scratch_homes(), 0);
}

#[tokio::test]
async fn claude_takes_a_pasted_code() {
    let bench = Bench::new();
    let id = bench.connect("claude").await.id;
    let view = bench.until(id, |view| view.awaiting_input).await;
    assert!(view.verification_url.is_some_and(|url| url.ends_with(STATE)));

    let other = bench.manager.input(id, &format!("good-code#{}", "x".repeat(43)));
    assert!(matches!(other, Err(SessionError::BadPaste(_))), "{other:?}");
    assert!(bench.view(id).awaiting_input, "the program has not seen it");

    let code = format!("good-abcdef#{STATE}");
    let sent = bench.manager.input(id, &format!(" {code}\n")).unwrap();
    assert!(!sent.awaiting_input);
    assert!(matches!(bench.manager.input(id, &code), Err(SessionError::NotAsked)));
    let view = bench.until(id, |view| !view.is_active()).await;
    assert_eq!((view.status, failure(&view)), (Status::Completed, None), "{view:#?}");
    assert!(matches!(bench.manager.input(id, &code), Err(SessionError::Over)));
    let text = format!("{:?}{:?}", view, bench.heard.lines.lock().unwrap());
    assert!(!text.contains("good-abcdef"), "the pasted code is shown: {text}");

    let status = bench.manager.verify("claude").await.unwrap();
    assert_eq!(status.account.as_deref(), Some("person@x.example"));
    assert_eq!(status.plan.as_deref(), Some("pro"));
}

#[tokio::test]
async fn a_refused_code_ends_claude_with_the_reason() {
    let bench = Bench::new();
    let id = bench.connect("claude").await.id;
    bench.until(id, |view| view.awaiting_input).await;
    bench.manager.input(id, &format!("bad-abcdef#{STATE}")).unwrap();
    let view = bench.until(id, |view| !view.is_active()).await;
    assert_eq!((view.status, failure(&view)), (Status::Failed, Some(FailureCode::Refused)));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_with_how_to_install_it() {
    let empty = tempfile::tempdir().unwrap();
    let bench = Bench::with_programs(empty.path());
    let refused =
        bench.manager.connect("codex", ConnectOptions::default(), "owner").await.unwrap_err();
    assert!(refused.to_string().contains("npm install -g @openai/codex@"), "{refused}");
    let status = bench.manager.verify("codex").await.unwrap();
    assert_eq!((status.installed, status.connected), (false, Some(false)));
    let unknown = bench.manager.connect("nobody", ConnectOptions::default(), "owner").await;
    assert!(matches!(unknown, Err(SessionError::UnknownProvider)));
    let method = bench
        .manager
        .connect(
            "codex",
            ConnectOptions { method: Some("telepathy".to_owned()), ..ConnectOptions::default() },
            "owner",
        )
        .await;
    assert!(matches!(method, Err(SessionError::UnknownMethod)));
}

#[tokio::test]
async fn a_program_that_cannot_run_fails_with_its_reason() {
    let programs = tempfile::tempdir().unwrap();
    let broken = programs.path().join("codex");
    fs::write(&broken, "#!/no/such/interpreter\n").unwrap();
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&broken, mode).unwrap();
    let bench = Bench::with_programs(programs.path());
    let id = bench.connect("codex").await.id;
    let view = bench.until(id, |view| !view.is_active()).await;
    assert_eq!((view.status, failure(&view)), (Status::Failed, Some(FailureCode::LaunchFailed)));
    assert!(view.lines.iter().any(|line| line.text.contains("codex")), "{view:#?}");
}

#[tokio::test]
async fn what_would_sign_the_person_out_is_asked_first() {
    let bench = Bench::new();
    fs::create_dir(bench.home.join(".codex")).unwrap();
    let config = "cli_auth_credentials_store = \"keyring\"\n";
    fs::write(bench.home.join(".codex/config.toml"), config).unwrap();
    let asked = bench.manager.connect("codex", ConnectOptions::default(), "owner").await;
    assert!(matches!(asked, Err(SessionError::WouldSignOut { .. })), "{asked:?}");
    bench.answer("approved");
    let agreed = bench
        .manager
        .connect("codex", ConnectOptions { in_place: true, ..ConnectOptions::default() }, "owner")
        .await
        .unwrap();
    let view = bench.until(agreed.view.id, |view| !view.is_active()).await;
    assert_eq!(view.status, Status::Completed);
}

#[tokio::test]
async fn many_connects_at_once_start_one_program() {
    let bench = Bench::new();
    let connects = (0..20).map(|_| {
        let manager = bench.manager.clone();
        tokio::spawn(async move {
            manager.connect("codex", ConnectOptions::default(), "owner").await.unwrap()
        })
    });
    let connects: Vec<_> = connects.collect();
    let mut started = 0;
    for connect in connects {
        started += usize::from(!connect.await.unwrap().reused);
    }
    assert_eq!(started, 1);
    bench.manager.shutdown().await;
    let view = bench.manager.latest("codex").unwrap().unwrap();
    let why = Some(FailureCode::ServerRestarted);
    assert_eq!((view.status, failure(&view)), (Status::Failed, why));
    let late = bench.manager.connect("codex", ConnectOptions::default(), "owner").await;
    assert!(matches!(late, Err(SessionError::Stopping)));
}

#[tokio::test]
async fn a_sign_in_made_outside_is_noticed() {
    let bench = Bench::new();
    bench.manager.start();
    let connected = || bench.manager.status()[0].connected;
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut signed_in = false;
    while connected() != Some(true) {
        if connected() == Some(false) && !signed_in {
            fs::create_dir(bench.home.join(".codex")).unwrap();
            fs::write(bench.home.join(".codex/auth.json"), "{}").unwrap();
            signed_in = true;
        }
        assert!(Instant::now() < deadline, "still {:?}", bench.manager.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.manager.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wipe_leaves_no_credentials_whether_or_not_the_program_is_there() {
    for programs in [None, Some(Path::new("/nonexistent"))] {
        let bench = programs.map_or_else(Bench::new, Bench::with_programs);
        let elsewhere = bench.home.join("elsewhere.json");
        fs::write(&elsewhere, "someone else's").unwrap();
        fs::create_dir_all(bench.home.join(".codex")).unwrap();
        fs::write(bench.home.join(".codex/config.toml"), "model = \"x\"\n").unwrap();
        std::os::unix::fs::symlink(&elsewhere, bench.home.join(".codex/auth.json")).unwrap();
        let done = bench.manager.wipe("codex").await.unwrap();
        assert!(done.ok, "{done:?}");
        assert!(!bench.home.join(".codex/auth.json").exists());
        assert!(bench.home.join(".codex/config.toml").exists(), "settings are no credentials");
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "someone else's", "no link is followed");
        assert!(matches!(bench.manager.wipe("x").await, Err(SessionError::UnknownProvider)));
        bench.manager.shutdown().await;
    }
}

/// A chat that asks for the sign-in first and never ends by itself.
#[tokio::test]
async fn a_program_that_goes_on_is_ended_once_it_has_stored_its_sign_in() {
    let programs = tempfile::tempdir().unwrap();
    let state = "0123456789abcdef".repeat(4);
    let url = format!(
        "https://accounts.google.com/o/oauth2/v2/auth?state={state}&client_id=1-a.apps.googleusercontent.com"
    );
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 0.61.0\n\
         printf 'Please visit this URL:\\n%s\\n\\nEnter the authorization code: ' '{url}'\n\
         read -r code\nmkdir -p \"$HOME/.gemini\"\n\
         echo '{{\"refresh_token\":\"x\"}}' >\"$HOME/.gemini/oauth_creds.json\"\n\
         echo 'Type your message'\nexec sleep 600\n"
    );
    let program = programs.path().join("gemini");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let bench = Bench::with_programs(programs.path());
    let id = bench.connect("gemini").await.id;
    let view = bench.until(id, |view| view.awaiting_input).await;
    assert_eq!(view.verification_url.as_deref(), Some(url.as_str()));
    bench.manager.input(id, "4/0AbCdEfGhIjKlMnOp").unwrap();
    let view = bench.until(id, |view| !view.is_active()).await;
    assert_eq!((view.status, view.exit_code), (Status::Completed, Some(0)), "{view:#?}");
}

/// A `codex` that is this script at its sign-in.
fn codex_that(script: &str) -> tempfile::TempDir {
    let programs = tempfile::tempdir().unwrap();
    let program = programs.path().join("codex");
    fs::write(&program, format!("#!/bin/sh\n[ \"$2\" = status ] && exit 1\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    programs
}

#[tokio::test]
async fn a_flood_is_told_in_few_and_bounded_pieces() {
    // Beyond what a person can look back over, and at another pace than this machine's.
    let programs = codex_that(
        "seq -f 'line %06.0f of a flood' 20000; sleep 0.1; echo the end; exec sleep 1000",
    );
    let bench = Bench::with_programs(programs.path());
    let start = Instant::now();
    let view = bench.connect("codex").await;
    let view = bench.until(view.id, |view| view.lines.iter().any(|l| l.text == "the end")).await;
    let took = start.elapsed();
    bench.manager.shutdown().await;
    assert_eq!(view.lines.len(), 100, "what is kept is bounded");
    assert_eq!(view.dropped_lines, 20_001 - 100);
    let kept = view.lines.iter().map(|line| line.id);
    assert!(kept.eq(19_902..=20_001), "and has no hole");
    // What is left out is missing from the numbers, and from nothing else.
    let heard = bench.heard.lines.lock().unwrap().clone();
    assert!(heard.is_sorted_by(|one, next| one.id < next.id), "numbers rise");
    for line in heard.iter().filter(|line| line.id <= 20_000) {
        assert_eq!(line.text, format!("line {:06} of a flood", line.id));
    }
    assert_eq!((heard[0].id, heard.last().unwrap().id), (1, 20_001));
    assert!(heard.iter().skip(heard.len() - 100).map(|line| line.id).eq(19_902..=20_001));
    let batches = bench.heard.batches.lock().unwrap().clone();
    let most = 4 + 2 * took.as_millis() / 20;
    assert!((batches.len() as u128) < most, "{} in {took:?}", batches.len());
    let largest = batches.iter().map(|(_, bytes)| *bytes).max().unwrap();
    assert!(largest <= 16 * 1024 + 4 * 1024, "{largest}");
}

#[tokio::test]
async fn the_line_being_written_is_seen_masked_and_goes_when_it_is_finished() {
    let programs = codex_that(
        "printf 'Key sk-ant-api03-abcdefghijklmnop taken. Go on? '
        until [ -e \"$HOME/answer\" ]; do sleep 0.01; done; rm \"$HOME/answer\"
        printf 'yes\nWorking'; until [ -e \"$HOME/answer\" ]; do printf .; sleep 0.01; done
        printf '\ndone\n'; exec sleep 1000",
    );
    let bench = Bench::with_programs(programs.path());
    let start = Instant::now();
    let id = bench.connect("codex").await.id;
    let view = bench.until(id, |view| view.current_line.is_some()).await;
    assert_eq!(view.current_line.as_deref(), Some("Key **** taken. Go on?"));
    assert_eq!(view.lines.len(), 0, "it is not finished");
    bench.answer("");
    let dots = |view: &SessionView| {
        view.current_line.as_ref().is_some_and(|line| line.ends_with(&".".repeat(60)))
    };
    bench.until(id, dots).await;
    bench.answer("");
    let view = bench.until(id, |view| view.lines.iter().any(|line| line.text == "done")).await;
    assert_eq!(view.current_line, None);
    let took = start.elapsed();
    bench.manager.shutdown().await;
    let heard = bench.heard.lines.lock().unwrap().clone();
    assert_eq!(heard[0].text, "Key **** taken. Go on? yes");
    assert!(heard.iter().map(|line| line.id).eq(1..=3), "each once: {heard:?}");
    let batches = bench.heard.batches.lock().unwrap().clone();
    let alone = batches.iter().filter(|(lines, _)| *lines == 0).count();
    let most = 2 + took.as_millis() / 200;
    assert!(alone >= 3 && alone as u128 <= most, "{alone} of the line alone in {took:?}");
}
