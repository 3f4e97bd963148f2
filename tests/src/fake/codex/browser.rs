//! `codex login`: a link for a browser that is expected to come back to this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{LAST_LINE, signed_in, store};
use crate::fake::hostile::{self, Then};
use crate::fake::tty::{write, write_error};
use crate::fake::{LIFETIME, PAUSE, World};
use crate::standin::random_43;

/// What a real one has shown.
const RECORDED: &str = include_str!(
    "../../../../provider-sessions/fixtures/transcripts/codex-browser-callback-success-80.raw"
);
const RECORDED_PORT: &str = "1455";
const RECORDED_STATE: &str = "cP-759sZ-KqLd1zZDbc0htKHVKdsjln_BCnvLR2o7bQ";

/// How long a browser may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole of it. The real one listens on 1455 or 1457 and nowhere else; this one on a free port,
/// so that tests do not get in each other's way.
pub(super) fn login(world: &World, credentials: &Path) -> ExitCode {
    let _ = std::fs::remove_file(credentials);
    let stores = match hostile::play(world, "codex") {
        Then::GoOn => true,
        Then::StoreNothing => false,
        Then::End(code) => return code,
    };
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else {
        return ExitCode::FAILURE;
    };
    let Ok(address) = listener.local_addr() else { return ExitCode::FAILURE };
    let state = random_43();
    let prompt = RECORDED.strip_suffix(LAST_LINE).unwrap_or(RECORDED);
    let prompt = prompt.replace(RECORDED_STATE, &state);
    write(&prompt.replace(RECORDED_PORT, &address.port().to_string()));
    let _ = listener.set_nonblocking(true);
    let start = Instant::now();
    while start.elapsed() < LIFETIME {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        match answer(stream, &state) {
            Asked::Approved if stores => store(credentials, &signed_in()),
            // It counts itself as signed in when its last page was fetched, and not before.
            Asked::LastPage if credentials.exists() || !stores => {
                write(LAST_LINE);
                return ExitCode::SUCCESS;
            }
            Asked::Declined => {
                write_error("Error logging in: access_denied\n");
                return ExitCode::FAILURE;
            }
            Asked::Approved | Asked::LastPage | Asked::Other => {}
        }
    }
    ExitCode::FAILURE
}

/// What a browser asked for.
enum Asked {
    Approved,
    Declined,
    LastPage,
    Other,
}

fn answer(mut stream: TcpStream, state: &str) -> Asked {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 * 1024 {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return Asked::Other;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let value = |name: &str| {
        let found = query.split('&').filter_map(|pair| pair.split_once('='));
        found.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let (asked, status, more) = match path {
        "/auth/callback" if value("state") != Some(state) => {
            (Asked::Other, "400 Bad Request", String::new())
        }
        "/auth/callback" if value("error").is_some() => (Asked::Declined, "200 OK", String::new()),
        "/auth/callback" if value("code").is_some() => {
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            let host = fields.find(|(name, _)| name.eq_ignore_ascii_case("host"));
            let here = host.map_or("localhost", |(_, value)| value.trim());
            let next = format!("location: http://{here}/success?id_token=e30.e30.x\r\n");
            (Asked::Approved, "302 Found", next)
        }
        "/success" => (Asked::LastPage, "200 OK", String::new()),
        _ => (Asked::Other, "404 Not Found", String::new()),
    };
    let text = format!("HTTP/1.1 {status}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes());
    asked
}
