//! What keeps the server from starting, and that it says so in one message.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;

use room_tests::app::{Setup, TestApp};

fn run(setup: &Setup, args: &[&str]) -> (Output, String) {
    let output = setup.command(args).unwrap().output().unwrap();
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_taken_port_is_one_clear_message() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let setup = Setup::new().unwrap().var("ROOM_PORT", &port);
    let (output, text) = run(&setup, &["serve", "--no-open"]);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains(&port), "{text}");
    assert!(text.lines().count() <= 6, "one message: {text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(taken.local_addr().is_ok(), "nobody is killed");
    assert!(!setup.data().join("api.port").exists(), "nothing was changed");
}

#[test]
fn all_wrong_settings_are_named_at_once() {
    let setup = Setup::new()
        .unwrap()
        .var("ROOM_PORT", "seventy")
        .var("ROOM_BIND", "0.0.0.0")
        .var("ROOM_PROVIDER_AUTH_TIMEOUT_MS", "1");
    let (output, text) = run(&setup, &["serve", "--no-open"]);
    assert_eq!(output.status.code(), Some(78), "{text}");
    for name in ["ROOM_PORT", "ROOM_BIND", "ROOM_PROVIDER_AUTH_TIMEOUT_MS"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!setup.data().exists(), "nothing was changed");

    let setup = Setup::new().unwrap().var("ROOM_MODE", "production");
    let (output, text) = run(&setup, &["serve", "--no-open"]);
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains("ROOM_MODE"), "{text}");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let app: TestApp = Setup::new().unwrap().start().await.unwrap();
    let output = app.command(&["serve", "--no-open"]).unwrap().output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(text.contains(app.data().to_str().unwrap()), "{text}");
    let port = std::fs::read_to_string(app.data().join("api.port")).unwrap();
    assert_eq!(port.trim(), app.port().to_string(), "the first one's file stays");
    assert!(app.get("/api/status").await.status.is_success());
}

#[test]
fn a_data_directory_that_cannot_be_made_is_one_clear_message() {
    let setup = Setup::new().unwrap();
    let file = setup.home().path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let setup = setup.var("ROOM_DATA_DIR", below.to_str().unwrap());
    let (output, text) = run(&setup, &["serve", "--no-open"]);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains(below.to_str().unwrap()), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_data_directory_that_is_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new().unwrap();
    std::fs::create_dir(setup.data()).unwrap();
    std::fs::set_permissions(setup.data(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (output, text) = run(&setup, &["serve", "--no-open"]);
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains(setup.data().to_str().unwrap()), "{text}");
    assert_eq!(std::fs::read_dir(setup.data()).unwrap().count(), 0, "nothing was changed");
}

#[tokio::test]
async fn what_the_server_keeps_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = Setup::new().unwrap().start().await.unwrap();
    let mode = |name: &str| {
        let found = std::fs::metadata(app.data().join(name)).ok()?;
        Some(found.permissions().mode() & 0o777)
    };
    assert_eq!(mode(""), Some(0o700));
    for entry in std::fs::read_dir(app.data()).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            // What was being written a moment ago has another name now.
            assert!(mode(&name).is_none_or(|mode| mode == 0o600), "{name}");
        }
    }
    assert_eq!(mode("room.sock"), Some(0o600));
}

#[tokio::test]
async fn config_tells_where_each_setting_comes_from() {
    let setup = Setup::new().unwrap().var("ROOM_NAME", "Of the environment");
    let (output, text) = run(&setup, &["config"]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Of the environment"), "{text}");
    assert!(text.contains("ROOM_NAME"), "{text}");
}

#[tokio::test]
async fn open_gives_a_fresh_link_that_lets_in() {
    let app = Setup::new().unwrap().start().await.unwrap();
    let links: Vec<_> = (0..2)
        .map(|_| {
            let output = app.command(&["open", "--no-open"]).unwrap().output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}");
            let start = text.find("http://localhost:").unwrap_or_else(|| panic!("{text}"));
            text[start..].split_whitespace().next().unwrap().to_owned()
        })
        .collect();
    assert_ne!(links[0], links[1]);
    assert!(links[0].starts_with(&format!("http://localhost:{}/#code=", app.port())), "{links:?}");
}
