//! A session manager over a loopback registry, and a program of a version one can ask for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_sessions::provider::{Archive, Provider, built_in};
use provider_sessions::{
    InMemory, InstallSettings, Launcher, Line, Observer, ProviderStatus, SessionId, SessionManager,
    SessionView, Settings, Step,
};
use room_tests::clis::built_binary;
use room_tests::registry::{Gives, Registry, integrity, package};
use room_tests::{eventually_async, processes_with_marker};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(25);

/// A package with a codex that knows its version and is not signed in.
pub(super) fn program(version: &str) -> Vec<u8> {
    let script = script(version);
    package(&[
        ("package/package.json", 0o644, b"{}"),
        ("package/bin/codex", 0o755, script.as_bytes()),
        ("package/share/readme", 0o644, b"not wanted"),
    ])
}

/// At a sign-in it waits: a test wants it to be going on.
fn script(version: &str) -> String {
    format!(
        "#!/bin/sh\n\
         case \"$1 $2\" in\n\
         --version*) echo \"codex-cli {version}\";;\n\
         'login status') echo 'Not logged in' >&2; exit 1;;\n\
         *) exec sleep 1000;;\n\
         esac\n"
    )
}

/// The row of codex with that package.
pub(super) fn row(version: &str, package: &[u8]) -> Provider {
    let mut row = Provider::clone(&built_in()[0]);
    assert_eq!(row.id, "codex");
    version.clone_into(&mut row.install.tested);
    row.install.archives = vec![Archive {
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        package: "@room/codex".to_owned(),
        version: format!("{version}-test"),
        integrity: integrity(package),
        size_bytes: package.len() as u64,
        program: "package/bin/codex".to_owned(),
        extra_files: Vec::new(),
    }];
    row
}

/// What the manager said.
#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<Step>>);

impl Heard {
    pub(super) fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Heard {
    fn status(&self, view: &SessionView) {
        self.0.lock().unwrap().push(view.step);
    }

    fn lines(&self, _: &SessionView, _: &[Line]) {}

    fn provider(&self, _: &ProviderStatus) {}
}

pub(super) struct Bench {
    pub(super) manager: SessionManager,
    pub(super) heard: Arc<Heard>,
    pub(super) registry: Registry,
    row: Provider,
    settings: Settings,
    folder: Arc<TempDir>,
}

impl Bench {
    /// A manager that knows this row alone, over a registry that does as it is told. On the search
    /// path is a codex of version 0.0.1.
    pub(super) fn new(row: Provider, gives: &Gives) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let data_dir = folder.path().join("data");
        fs::create_dir(&data_dir).unwrap();
        Self::inside(folder, data_dir, row, gives)
    }

    /// The same in a data directory that is there.
    pub(super) fn inside(
        folder: Arc<TempDir>,
        data_dir: PathBuf,
        row: Provider,
        gives: &Gives,
    ) -> Self {
        let registry = Registry::start(gives.clone()).unwrap();
        let [home, bin] = ["home", "bin"].map(|name| folder.path().join(name));
        for folder in [&home, &bin] {
            fs::create_dir_all(folder.join(".codex")).unwrap();
        }
        let old = bin.join("codex");
        if !old.exists() {
            fs::write(&old, script("0.0.1")).unwrap();
            fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let settings = Settings {
            data_dir,
            provider_home: home,
            environment: vec![("PATH".to_owned(), path)],
            launcher: Launcher {
                program: built_binary("room").unwrap(),
                args: vec!["__child".into()],
            },
            login_timeout: Duration::from_mins(1),
            max_lines: 100,
            keep: Duration::from_mins(10),
            keys: Arc::new(InMemory),
            install: InstallSettings {
                registry: registry.url(),
                timeout: SOON,
                stall: Duration::from_millis(700),
            },
        };
        Self::with(folder, settings, row, registry)
    }

    fn with(folder: Arc<TempDir>, settings: Settings, row: Provider, registry: Registry) -> Self {
        let heard = Arc::<Heard>::default();
        let rows = vec![Arc::new(row.clone())];
        let manager = SessionManager::new(settings.clone(), rows, heard.clone());
        Self { manager, heard, registry, row, settings, folder }
    }

    /// The server is started anew, with another row and registry.
    pub(super) async fn instead(self, row: Provider, gives: &Gives) -> Self {
        self.manager.shutdown().await;
        Self::inside(self.folder, self.settings.data_dir, row, gives)
    }

    /// With another registry's address.
    pub(super) fn asking(self, url: &str) -> Self {
        let mut settings = self.settings;
        url.clone_into(&mut settings.install.registry);
        Self::with(self.folder, settings, self.row, self.registry)
    }

    /// With another limit for the whole of it.
    pub(super) fn limited(self, timeout: Duration) -> Self {
        let mut settings = self.settings;
        settings.install.timeout = timeout;
        Self::with(self.folder, settings, self.row, self.registry)
    }

    /// Installs and waits for the end.
    pub(super) async fn install(&self) -> SessionView {
        let started = self.manager.install("codex", "owner").await.unwrap();
        assert!(!started.reused);
        self.over(started.view.id).await
    }

    /// Waits for the end.
    pub(super) async fn over(&self, id: SessionId) -> SessionView {
        self.until(id, |view| !view.is_active()).await
    }

    pub(super) async fn until(
        &self,
        id: SessionId,
        holds: impl Fn(&SessionView) -> bool,
    ) -> SessionView {
        eventually_async("a session's view", SOON + SOON, async || {
            let view = self.manager.with_session(id, Clone::clone).unwrap();
            if holds(&view) {
                return Some(view);
            }
            assert!(view.is_active(), "{view:#?}");
            None
        })
        .await
    }

    pub(super) fn status(&self) -> ProviderStatus {
        self.manager.status().remove(0)
    }

    pub(super) fn data(&self) -> &Path {
        &self.settings.data_dir
    }

    /// The version that the program in our own folder says it is.
    pub(super) fn in_use(&self) -> Option<String> {
        let program = self.data().join("cli/bin/codex");
        let output = std::process::Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        Some(text.trim().rsplit(' ').next().unwrap().to_owned())
    }

    /// Nothing but the program in use is there.
    #[track_caller]
    pub(super) fn nothing_behind(&self) {
        let names = |folder: &str| -> Vec<String> {
            let entries = fs::read_dir(self.data().join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
        };
        assert_eq!(names("cli/staging"), [""; 0]);
        let packages = names("cli/codex").len();
        assert_eq!(packages, names("cli/bin").len(), "{:?}", names("cli/codex"));
        assert!(packages <= 1, "{:?}", names("cli/codex"));
    }

    /// How many processes carry this bench's folder in their command or environment.
    pub(super) fn processes(&self) -> usize {
        let home = self.settings.provider_home.to_str().unwrap();
        processes_with_marker(home).len()
    }
}
