//! A program that Room does not know, by the row of the documentation, in a real terminal.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use provider_sessions::{
    ConnectOptions, InMemory, InstallSettings, Launcher, Line, Observer, Provider, ProviderStatus,
    SessionManager, SessionView, Settings, Status,
};

const DOCUMENT: &str = include_str!("../../docs/providers.md");

/// What the documentation says that it prints.
const PROGRAM: &str = r#"#!/bin/sh
set -eu
case "$1" in
--version) echo "acme 2.4.0" ;;
whoami) [ -e "$HOME/.acme/token.json" ] && echo "Signed in as ada" || { echo "Not signed in"; exit 1; } ;;
logout) rm -f "$HOME/.acme/token.json" ;;
login)
    echo "Open https://login.acme.example/device and enter code QXRT-7PLM"
    printf 'Save the token on this machine? (y/n) '
    read -r answer
    [ "$answer" = y ] || exit 3
    mkdir -p "$HOME/.acme"
    echo '{}' > "$HOME/.acme/token.json"
    echo "Signed in."
    ;;
esac
"#;

struct Silent;

impl Observer for Silent {
    fn status(&self, _: &SessionView) {}
    fn lines(&self, _: &SessionView, _: &[Line]) {}
    fn provider(&self, _: &ProviderStatus) {}
}

/// The row as it stands in the document.
fn row() -> Provider {
    let start = DOCUMENT.find("[[provider]]").unwrap();
    let length = DOCUMENT[start..].find("```").unwrap();
    let table: toml::Table = DOCUMENT[start..start + length].parse().unwrap();
    let row = table["provider"].as_array().unwrap()[0].clone();
    let row: Provider = row.try_into().unwrap();
    assert_eq!(row.faults(), []);
    row
}

fn manager(folder: &Path) -> SessionManager {
    let [home, data_dir, bin] = ["home", "data", "bin"].map(|name| folder.join(name));
    for folder in [&home, &data_dir, &bin] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(bin.join("acme"), PROGRAM).unwrap();
    fs::set_permissions(bin.join("acme"), fs::Permissions::from_mode(0o755)).unwrap();
    let settings = Settings {
        data_dir,
        provider_home: home,
        environment: vec![("PATH".to_owned(), format!("{}:/usr/bin:/bin", bin.display()))],
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
    SessionManager::new(settings, vec![Arc::new(row())], Arc::new(Silent))
}

#[tokio::test]
async fn the_documented_row_signs_a_program_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path());
    let id = manager.connect("acme", ConnectOptions::default(), "owner").await.unwrap().view.id;
    let deadline = Instant::now() + Duration::from_secs(20);
    let view = loop {
        let view = manager.with_session(id, Clone::clone).unwrap();
        if !view.is_active() {
            break view;
        }
        assert!(Instant::now() < deadline, "still {view:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(view.status, Status::Completed, "{view:#?}");
    assert_eq!(view.verification_url.as_deref(), Some("https://login.acme.example/device"));
    assert_eq!(view.device_code.as_deref(), Some("QXRT-7PLM"));
    let status = manager.verify("acme").await.unwrap();
    assert_eq!((status.connected, status.method.as_deref()), (Some(true), Some("acme")));
    assert_eq!(status.version.as_deref(), Some("2.4.0"));
    let done = manager.disconnect("acme").await.unwrap();
    assert!(done.ok && done.removed.len() == 1, "{done:?}");
    manager.shutdown().await;
}
