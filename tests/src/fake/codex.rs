//! `codex` 0.169.0, as far as Room uses it.

mod browser;

use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use super::hostile::{self, Then};
use super::tty::{write, write_error};
use super::{LIFETIME, PAUSE, World};
use crate::openai;
use crate::standin::{random_43, random_text, unsigned_jwt};

/// The prompt and the last line of a real sign-in.
const RECORDED: &str =
    include_str!("../../../provider-sessions/fixtures/transcripts/codex-device-success-80.raw");
const RECORDED_LINK: &str = "http://127.0.0.1:41073/codex/device";
const RECORDED_CODE: &str = "ABCD-E1F2G";
const LAST_LINE: &str = "Successfully logged in\r\n";

const LINK: &str = "https://auth.openai.com/codex/device";

pub(super) fn run(world: &World, args: &[&str]) -> ExitCode {
    if args == ["--version"] {
        write("codex-cli 0.169.0\r\n");
        return ExitCode::SUCCESS;
    }
    let home = world.directory("CODEX_HOME", ".codex");
    if !home.is_dir() {
        write_error(&format!(
            "Error loading configuration: CODEX_HOME points to \"{}\", but that path does \
             not exist\n",
            home.display()
        ));
        return ExitCode::FAILURE;
    }
    let credentials = home.join("auth.json");
    match without_settings(args).as_slice() {
        ["login", "status"] if hostile::status_hangs(world, "codex") => hostile::linger(),
        ["login", "status"] => status(&credentials),
        ["logout"] => logout(&credentials),
        ["login", "--with-api-key"] => store_api_key(&credentials),
        ["login"] => browser::login(world, &credentials),
        ["login", "--device-auth"] => device_login(world, &credentials),
        other => super::fail(&format!("the fake codex has no {other:?}")),
    }
}

/// Leaves out `-c NAME=VALUE`.
fn without_settings<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut left = Vec::new();
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        if arg == "-c" {
            args.next();
        } else {
            left.push(arg);
        }
    }
    left
}

fn status(credentials: &Path) -> ExitCode {
    let Ok(text) = fs::read(credentials) else {
        write_error("Not logged in\n");
        return ExitCode::FAILURE;
    };
    match serde_json::from_slice::<Value>(&text) {
        Ok(file) if file["auth_mode"] == "apikey" => {
            write_error("API key configured - sk-mock-***bcdef\n");
            write_error("Authentication is checked when you send a request.\n");
            ExitCode::SUCCESS
        }
        Ok(_) => {
            write_error("Logged in using ChatGPT\n");
            ExitCode::SUCCESS
        }
        Err(error) => {
            write_error(&format!(
                "Error checking login status: failed to deserialize CLI auth from file: {error}\n"
            ));
            ExitCode::FAILURE
        }
    }
}

fn logout(credentials: &Path) -> ExitCode {
    let told =
        fs::remove_file(credentials).map_or("Not logged in\n", |()| "Successfully logged out\n");
    write_error(told);
    ExitCode::SUCCESS
}

fn store_api_key(credentials: &Path) -> ExitCode {
    if std::io::stdin().is_terminal() {
        write_error("--with-api-key expects the API key on stdin.\n");
        return ExitCode::FAILURE;
    }
    let mut key = String::new();
    if std::io::stdin().read_to_string(&mut key).is_err() || key.trim().is_empty() {
        return ExitCode::FAILURE;
    }
    write_error("Reading API key from stdin...\n");
    store(credentials, &json!({"auth_mode": "apikey", "OPENAI_API_KEY": key.trim()}));
    write_error("API key saved.\n");
    ExitCode::SUCCESS
}

fn device_login(world: &World, credentials: &Path) -> ExitCode {
    // The real one throws the earlier sign-in away before it does anything else.
    let _ = fs::remove_file(credentials);
    let stores = match hostile::play(world, "codex") {
        Then::GoOn => true,
        Then::StoreNothing => false,
        Then::End(code) => return code,
    };
    let code = format!(
        "{}-{}",
        random_text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 4),
        random_text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 5)
    );
    let prompt = RECORDED.strip_suffix(LAST_LINE).unwrap_or(RECORDED);
    write(&prompt.replace(RECORDED_LINK, LINK).replace(RECORDED_CODE, &code));
    let start = Instant::now();
    loop {
        if world.control.take("approve") {
            break;
        }
        if world.control.take("decline") {
            let why = "device auth failed with status 400 Bad Request";
            write_error(&format!("Error logging in: {why}\n"));
            return ExitCode::FAILURE;
        }
        if world.control.take("expire") || start.elapsed() > LIFETIME {
            write_error("Error logging in: device auth timed out after 15 minutes\n");
            return ExitCode::FAILURE;
        }
        std::thread::sleep(PAUSE);
    }
    if stores {
        store(credentials, &signed_in());
    }
    write(LAST_LINE);
    ExitCode::SUCCESS
}

fn signed_in() -> Value {
    let token = unsigned_jwt(&openai::claims());
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token,
            "access_token": token,
            "refresh_token": format!("rt_{}", random_43()),
            "account_id": "account-stand-in",
        },
        "last_refresh": "2026-11-20T12:00:00.000000000Z",
    })
}

fn store(credentials: &Path, content: &Value) {
    super::store(credentials, &format!("{content:#}"));
}
