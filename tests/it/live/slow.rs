//! Clients that never read, beside some that do, while a program prints 20,000 lines at once.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use room_tests::app::TestApp;
use room_tests::eventually_async;
use room_tests::fake::Scenario;
use room_tests::load::{Mode, Options, connect};
use room_tests::socket::Socket;
use serde_json::json;

use crate::room::{Room, id, text};

const READERS: usize = 20;

/// How many never read; `ROOM_TEST_DEAF` makes it more, by hand.
const DEAF: usize = 200;

/// The most that the server may grow by for all of them.
const GROWTH_KIB: u64 = 32 * 1024;

const LAST_LINE: &str = "line 20000 of a flood";

/// Reads until the last line was there, and says how long that took.
async fn read(mut socket: Socket, start: Instant) -> Duration {
    socket.until_text(LAST_LINE).await;
    start.elapsed()
}

/// Asks again and again whether the server is there; the slowest answer.
async fn ask(mut socket: Socket) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut pause = tokio::time::interval(Duration::from_millis(40));
    for _ in 0..50 {
        pause.tick().await;
        let start = Instant::now();
        socket.send(&json!({ "type": "ping", "id": 1 })).await;
        socket.until(|message| message["type"] == "pong").await;
        slowest = slowest.max(start.elapsed());
    }
    slowest
}

fn resident_kib(app: &TestApp) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_never_read_are_let_go_and_the_others_see_the_last_line() {
    let deaf = std::env::var("ROOM_TEST_DEAF").ok().and_then(|deaf| deaf.parse().ok());
    let deaf = deaf.unwrap_or(DEAF);
    let room = Room::with(|setup| setup.var("ROOM_LOG", "debug")).await;
    room.control.play("codex", &Scenario::LateFlood);
    let session = room.app.connect("codex").await;
    room.app.session_until(id(&session), |view| text(view).contains("ready")).await;
    let channel = format!("provider-auth:{}", id(&session));

    let options = Options {
        mode: Mode::Deaf,
        clients: deaf,
        address: (Ipv4Addr::LOCALHOST, room.app.port()).into(),
        path: "/ws".into(),
        token: Some(room.app.token().into()),
        channel: Some(channel.clone()),
        receive_buffer: Some(4096),
    };
    let crowd = connect(&options).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut socket = room.app.socket().await;
        socket.subscribe(&[&channel]).await;
        readers.push(socket);
    }
    let bystander = room.app.socket().await;
    let before = resident_kib(&room.app);

    let start = Instant::now();
    room.control.flood();
    let bystander = tokio::spawn(ask(bystander));
    let readers: Vec<_> =
        readers.into_iter().map(|socket| tokio::spawn(read(socket, start))).collect();
    let mut last = Duration::ZERO;
    for reader in readers {
        last = last.max(reader.await.unwrap());
    }
    let closed = || {
        let log = room.app.log();
        log.lines().filter(|line| line.contains("closed by us") && line.contains("4408")).count()
    };
    let within = Duration::from_secs(20);
    eventually_async("all that never read are let go", within, async || {
        (closed() == deaf).then_some(())
    })
    .await;
    let let_go = start.elapsed();
    let grown = resident_kib(&room.app).saturating_sub(before);
    println!(
        "{deaf} deaf: readers at the last line after {last:?}, let go after {let_go:?}, \
         {grown} KiB more, slowest answer beside it {:?}",
        bystander.await.unwrap()
    );
    assert!(grown < GROWTH_KIB, "{grown} KiB");
    // Those that read soon find out why; whoever is late finds a broken line.
    let report = crowd.end().await;
    let told = report.codes.keys().all(|code| [0, 4408].contains(code));
    assert!(told && report.closed == deaf as u64, "{report:?}");
    room.control.approve();
}
