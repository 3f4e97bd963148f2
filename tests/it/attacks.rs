//! The attacks that Room was built against, on the real program, in both modes.
//!
//! `docs/threats.md` names for each threat the tests that stand against it, and [`threats`] checks
//! that page against the tests there are.

mod browser;
mod exhaustion;
mod files;
mod internet;
mod kills;
mod predecessor;
mod processes;
mod smuggling;
mod threats;

use std::fmt;

use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Setup, TestApp};
use room_tests::issuer::ControlPlane;
use room_tests::raw::{self, Reply};

use crate::cloud::INSTANCE;
use crate::cloud::embedded::keys_are_there;
use crate::room::Room;

/// On a person's own machine, or for the whole world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Local,
    Cloud,
}

pub(crate) const MODES: [Mode; 2] = [Mode::Local, Mode::Cloud];

/// A server under attack. What its requests bear is the owner's.
pub(crate) struct Target {
    pub(crate) mode: Mode,
    pub(crate) app: TestApp,
    /// Whom a hosted one trusts.
    pub(crate) plane: ControlPlane,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Target {
    pub(crate) async fn start(mode: Mode) -> Self {
        Self::with(mode, |setup| setup).await
    }

    /// With more settings.
    pub(crate) async fn with(mode: Mode, change: impl FnOnce(Setup) -> Setup) -> Self {
        Self::below(mode, change, &[]).await
    }

    /// With more settings, and as the last of these words.
    pub(crate) async fn below(
        mode: Mode,
        change: impl FnOnce(Setup) -> Setup,
        words: &[&str],
    ) -> Self {
        let plane = ControlPlane::start(INSTANCE).unwrap();
        let setup = change(settings(mode, &plane));
        let mut app = setup.start_below(words).await.unwrap();
        if mode == Mode::Cloud {
            keys_are_there(app.client()).await;
            app.act_as(plane.token(Role::Owner));
        }
        Self { mode, app, plane }
    }

    /// As a browser writes it.
    pub(crate) fn host(&self) -> String {
        match self.mode {
            Mode::Local => format!("localhost:{}", self.app.port()),
            Mode::Cloud => "room.test".into(),
        }
    }

    pub(crate) fn origin(&self) -> String {
        match self.mode {
            Mode::Local => format!("http://{}", self.host()),
            Mode::Cloud => "https://room.test".into(),
        }
    }

    /// Where strangers may send a body to.
    pub(crate) fn way_in(&self) -> &'static str {
        match self.mode {
            Mode::Local => "/api/auth/handshake",
            Mode::Cloud => "/api/auth/pair/redeem",
        }
    }

    /// `GET` of a path as written, with more header lines; the server closes afterwards.
    pub(crate) fn get(&self, path: &str, more: &[&str]) -> Reply {
        let host = format!("Host: {}", self.host());
        self.ask("GET", path, &[&[host.as_str()], more].concat())
    }

    /// A request without a body and with just these header lines.
    pub(crate) fn ask(&self, method: &str, target: &str, lines: &[&str]) -> Reply {
        let lines = lines.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
        let request = format!("{method} {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        let mut all = self.exchange(request.as_bytes());
        assert_eq!(all.len(), 1, "{} {method} {target}: {all:?}", self.mode);
        all.remove(0)
    }

    pub(crate) fn exchange(&self, bytes: &[u8]) -> Vec<Reply> {
        raw::replies(&raw::exchange_bytes(self.app.port(), bytes))
    }

    /// The header line of the owner.
    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.app.token())
    }

    /// That it answers the owner as if nothing had happened.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        let reply = self.get("/api/auth/verify", &[&self.bearer()]);
        assert_eq!(reply.status, 200, "{}: {reply:?}", self.mode);
    }

    /// The lines that a browser adds to an upgrade, and the owner's bearer with them.
    pub(crate) fn upgrade_lines(&self) -> Vec<String> {
        let lines = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol: room.v1",
        ];
        lines.map(str::to_owned).into_iter().chain([self.bearer()]).collect()
    }

    /// The first answer to an upgrade with these lines, after which the socket is let go.
    pub(crate) fn upgrade(&self, target: &str, lines: &[String]) -> Reply {
        use std::io::{Read as _, Write as _};
        let address = (std::net::Ipv4Addr::LOCALHOST, self.app.port());
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(room_tests::app::SOON)).unwrap();
        let lines = lines.iter().map(|line| format!("{line}\r\n"));
        let lines = lines.collect::<Vec<_>>().concat();
        stream.write_all(format!("GET {target} HTTP/1.1\r\n{lines}\r\n").as_bytes()).unwrap();
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "closed without an answer");
            bytes.extend_from_slice(&piece[..count]);
        }
        raw::replies(&bytes).remove(0)
    }
}

/// A server with the fake programs; what its requests bear is the owner's.
pub(crate) struct Rig {
    pub(crate) room: Room,
    /// Whom a hosted one trusts.
    pub(crate) plane: ControlPlane,
}

impl Rig {
    pub(crate) async fn start(mode: Mode) -> Self {
        Self::with(mode, |setup| setup).await
    }

    /// With more settings.
    pub(crate) async fn with(mode: Mode, change: impl FnOnce(Setup) -> Setup) -> Self {
        let plane = ControlPlane::start(INSTANCE).unwrap();
        let setup = settings(mode, &plane);
        // Where the test finds what the programs do.
        let home = setup.home().text().to_owned();
        let setup = change(setup.var("ROOM_PROVIDER_HOME", &home));
        let mut room = Room::from(setup).await;
        if mode == Mode::Cloud {
            keys_are_there(room.app.client()).await;
            room.app.act_as(plane.token(Role::Owner));
        }
        Self { room, plane }
    }
}

/// What a server of that mode is started with; nobody is limited.
pub(crate) fn settings(mode: Mode, plane: &ControlPlane) -> Setup {
    let setup = Setup::new().unwrap();
    match mode {
        Mode::Local => setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off"),
        Mode::Cloud => setup.cloud().env(plane.settings()),
    }
}

/// The routes a stranger must not get past, one of each kind.
pub(crate) const GUARDED: [(Method, &str); 4] = [
    (Method::GET, "/api/status"),
    (Method::GET, "/api/activity"),
    (Method::POST, "/api/providers/codex/connect"),
    (Method::DELETE, "/api/auth/session"),
];
