//! Those who want all of something: connections, time, memory, places in a queue. Whoever has a
//! right to be there is served throughout.

#![expect(clippy::print_stdout, reason = "the figures are half of what these tests are for")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use room_tests::app::{Answer, SOON};
use room_tests::client::Client;
use room_tests::vitals::Vitals;
use room_tests::{eventually, raw};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use super::{MODES, Mode, Target};

/// How long a head or a stranger's body may take, and a person's; and what a busy machine may add.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(15);
const SLACK: Duration = Duration::from_secs(10);

/// How long a person waits for an answer while a server is under attack, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn address(target: &Target) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, target.app.port()).into()
}

/// The owner, who goes on asking all the time and is always answered.
struct Owner {
    over: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Owner {
    fn asks(target: &Target) -> Self {
        let host = (target.mode == Mode::Cloud).then(|| target.host());
        let client = Client::new(target.app.port(), host.as_deref()).unwrap();
        let (token, over) = (target.app.token().to_owned(), Arc::new(AtomicBool::new(false)));
        let seen = over.clone();
        let asking = tokio::spawn(async move {
            let mut took = Vec::new();
            let mut pace = tokio::time::interval(Duration::from_millis(100));
            while !seen.load(Ordering::Relaxed) {
                pace.tick().await;
                let start = Instant::now();
                let request = match took.len() % 4 {
                    0 => client.anonymous(reqwest::Method::GET, "/healthz"),
                    1 => client.bearing(&token, reqwest::Method::GET, "/api/auth/verify"),
                    2 => client.bearing(&token, reqwest::Method::GET, "/api/status"),
                    _ => client.bearing(&token, reqwest::Method::GET, "/api/activity?limit=1"),
                };
                // Of a connection of its own: that one is let in counts, too.
                let answer = Answer::of(request.header("connection", "close")).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                took.push(start.elapsed());
            }
            took
        });
        Self { over, asking }
    }

    /// How it went, now that the attack is over.
    async fn was_served(self, what: &str) {
        self.over.store(true, Ordering::Relaxed);
        let mut took = self.asking.await.unwrap();
        took.sort_unstable();
        let (middle, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        println!("{what}: {} answers, median {middle:?}, slowest {slowest:?}", took.len());
        assert!(slowest < PATIENCE, "{what}: {slowest:?}");
    }
}

/// A connection that sends this at once and then a byte now and then; how long it was kept.
async fn drip(to: SocketAddr, first: String) -> Duration {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let start = Instant::now();
    if stream.write_all(first.as_bytes()).await.is_err() {
        return start.elapsed();
    }
    let mut pace = tokio::time::interval(Duration::from_millis(700));
    let mut piece = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut piece) => {
                if read.unwrap_or(0) == 0 {
                    return start.elapsed();
                }
            }
            _ = pace.tick() => {
                // A letter may stand in a head, in a length's body and in a chunk.
                let _ = stream.write_all(b"a").await;
            }
        }
        assert!(start.elapsed() < BODY + SLACK, "it was kept");
    }
}

/// Slow loris, in every place there is: nothing, half a head, a body that never comes whole. More
/// of each than the server works on at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drips_is_let_go_and_others_are_served() {
    let [local, cloud] = MODES.map(drips);
    tokio::join!(local, cloud);
}

async fn drips(mode: Mode) {
    const OF_EACH: usize = 280;
    let target = Target::start(mode).await;
    let before = Vitals::of(target.app.pid());
    let owner = Owner::asks(&target);
    let (host, origin, bearer) = (target.host(), target.origin(), target.bearer());
    let stranger = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nX-Room-Handshake: 1\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n",
        target.way_in()
    );
    let person = format!(
        "POST /api/providers/codex/connect HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let kinds = [
        (HEAD, String::new(), 40),
        (HEAD, format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nX-"), OF_EACH),
        (BODY, format!("{stranger}Content-Length: 1000\r\n\r\n{{"), OF_EACH),
        (BODY, format!("{stranger}Transfer-Encoding: chunked\r\n\r\n3e8\r\n{{"), 40),
        (BODY, person, 40),
    ];
    let mut drips = JoinSet::new();
    for (most, first, count) in kinds {
        for _ in 0..count {
            let (to, first) = (address(&target), first.clone());
            drips.spawn(async move { (most, drip(to, first).await) });
        }
    }
    while let Some(kept) = drips.join_next().await {
        let (most, kept) = kept.unwrap();
        assert!(kept < most + SLACK, "{mode}: {kept:?} of {most:?}");
    }
    owner.was_served(&format!("{mode} under slow loris")).await;
    let after = before.come_back(target.app.pid(), SOON);
    println!("{mode}: before {before:?}, after {after:?}");
    target.is_well();
}

/// Ten thousand of those who came and say nothing.
const CROWD: usize = 10_000;

/// Lets this process hold so many files, if it may; how many more it may hold.
fn raise_file_limit(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.unwrap_or(u64::MAX);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit });
    let most = usize::try_from(current).unwrap_or(usize::MAX).saturating_sub(2000);
    if most < wanted {
        println!("only {most} of {wanted} connections: this process may hold no more files");
    }
    most.min(wanted)
}

/// Opens so many connections, a few at a time, and sends this over each.
async fn crowd(to: SocketAddr, count: usize, first: &'static str) -> Vec<TcpStream> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut some = JoinSet::new();
        for _ in 0..100.min(count - all.len()) {
            some.spawn(async move {
                let mut stream = TcpStream::connect(to).await.unwrap();
                stream.write_all(first.as_bytes()).await.unwrap();
                stream
            });
        }
        all.extend(some.join_all().await);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_keep_nobody_out_and_come_back() {
    let count = raise_file_limit(CROWD);
    for mode in MODES {
        let target = Target::start(mode).await;
        let before = Vitals::of(target.app.pid());
        let owner = Owner::asks(&target);
        let start = Instant::now();
        let crowd = crowd(address(&target), count, "GET /healthz HTTP/1.1\r\nHost: x\r\n").await;
        let took = start.elapsed();
        let full = Vitals::of(target.app.pid());
        drop(crowd);
        // A head has its time: where they came slowly, only the later ones are left.
        let rounds = usize::try_from(took.as_millis() / HEAD.as_millis()).unwrap() + 1;
        let there = count / rounds / 2;
        let after = before.come_back(target.app.pid(), SOON);
        println!("{mode}: {count} in {took:?}: before {before:?}, full {full:?}, after {after:?}");
        owner.was_served(&format!("{mode} beside {count} connections")).await;
        assert!(full.descriptors > there, "{mode}: they were there: {full:?}");
        target.is_well();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_upgrades_is_refused_and_comes_back() {
    for mode in MODES {
        let on = |setup: room_tests::app::Setup| {
            let setup = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10");
            // Where all come through one proxy, the number of its connections says nothing.
            if mode == Mode::Cloud { setup.var("ROOM_CLIENT_IP", "fly") } else { setup }
        };
        let target = Target::with(mode, on).await;
        let before = Vitals::of(target.app.pid());
        let owner = Owner::asks(&target);
        let good = target.upgrade_lines().join("\r\n");
        let bad = good.replace(target.app.token(), "AAAA");
        let none = good.replace(&target.bearer(), "X: y");
        let mut statuses = std::collections::BTreeMap::<(usize, u16), usize>::new();
        let mut open = Vec::new();
        let start = Instant::now();
        for _ in 0..15 {
            let mut some = JoinSet::new();
            for (kind, lines) in [&none, &bad, &good].into_iter().enumerate() {
                // Few of the good ones: a person has so many a minute.
                for _ in 0..if kind == 2 { 4 } else { 48 } {
                    let head =
                        format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{lines}\r\n\r\n", target.host());
                    let to = address(&target);
                    some.spawn(async move {
                        let mut stream = TcpStream::connect(to).await.unwrap();
                        stream.write_all(head.as_bytes()).await.unwrap();
                        let mut answer = vec![0; 2048];
                        let count = stream.read(&mut answer).await.unwrap_or(0);
                        let status = raw::status(&String::from_utf8_lossy(&answer[..count]));
                        (kind, status, stream)
                    });
                }
            }
            for (kind, status, stream) in some.join_all().await {
                *statuses.entry((kind, status)).or_default() += 1;
                open.push(stream);
            }
        }
        // A person may open thirty a minute: thirty at once, and one more every two seconds.
        let most = 31 + usize::try_from(start.elapsed().as_secs() / 2).unwrap();
        println!("{mode}: (kind, status): count {statuses:?}");
        let kinds = |kind: usize| statuses.keys().filter(move |key| key.0 == kind).map(|key| key.1);
        assert!(kinds(0).all(|status| status == 401), "{mode}: {statuses:?}");
        assert!(kinds(1).all(|status| matches!(status, 400 | 401 | 429)), "{mode}: {statuses:?}");
        assert!(kinds(2).all(|status| matches!(status, 101 | 429)), "{mode}: {statuses:?}");
        assert!(statuses[&(2, 101)] <= most, "{mode}: as many as a person may open: {statuses:?}");
        assert!(statuses.contains_key(&(2, 429)) || most >= 60, "{mode}: {statuses:?}");
        drop(open);
        owner.was_served(&format!("{mode} under a flood of upgrades")).await;
        let _ = before.come_back(target.app.pid(), SOON);
    }
}

/// A client that asks for everything and takes nothing costs what it takes to hold it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_never_reads_costs_no_memory() {
    const GROWTH_KIB: u64 = 32 * 1024;
    for mode in MODES {
        let target = Target::start(mode).await;
        let page = target.get("/", &[]).body;
        let script = page.split('"').find(|part| part.starts_with("/assets/")).expect("a file");
        let one = format!("GET {script} HTTP/1.1\r\nHost: {}\r\n\r\n", target.host());
        let before = Vitals::of(target.app.pid());
        let owner = Owner::asks(&target);
        let mut all = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address(&target)).await.unwrap();
            // As many as it takes: a server that reads no more of them is right.
            let many = one.repeat(2000);
            let sent = stream.write_all(many.as_bytes());
            let _ = tokio::time::timeout(Duration::from_millis(50), sent).await;
            all.push(stream);
        }
        owner.was_served(&format!("{mode} beside those who never read")).await;
        let full = Vitals::of(target.app.pid());
        let grown = full.resident_kib.saturating_sub(before.resident_kib);
        println!("{mode}: {grown} KiB for {} of them", all.len());
        assert!(grown < GROWTH_KIB, "{mode}: {before:?}, {full:?}");
        drop(all);
        let _ = before.come_back(target.app.pid(), SOON);
    }
}

/// Ticks of the clock that a process has used, of which there are a hundred a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A system that gives the server no more files: it waits, does not spin, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_files_it_rests_and_comes_back() {
    const FILES: &str = "--nofile=120:120";
    for mode in MODES {
        let target = Target::below(mode, |setup| setup, &["/usr/bin/prlimit", FILES]).await;
        let mut known = TcpStream::connect(address(&target)).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", target.host());
        let mut answer = vec![0; 4096];
        let mut ask = async |known: &mut TcpStream| {
            known.write_all(head.as_bytes()).await.unwrap();
            let count = known.read(&mut answer).await.unwrap();
            raw::status(&String::from_utf8_lossy(&answer[..count]))
        };
        assert_eq!(ask(&mut known).await, 200, "{mode}");
        let crowd = crowd(address(&target), 300, "GET /healthz HTTP/1.1\r\n").await;
        let complaints = || target.app.log().matches("cannot accept connections").count();
        eventually(SOON, || (complaints() > 0).then_some(()));
        let (start, used, said) = (Instant::now(), ticks(target.app.pid()), complaints());
        // Who is in is served; the rest is the time the server would spin in.
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        while start.elapsed() < Duration::from_secs(2) {
            pace.tick().await;
            assert_eq!(ask(&mut known).await, 200, "{mode}");
        }
        let (wall, used) = (start.elapsed(), ticks(target.app.pid()) - used);
        let said = complaints() - said;
        println!("{mode}: {used} ticks and {said} complaints in {wall:?}");
        assert!(u128::from(used) * 10 < wall.as_millis() / 2, "{mode}: {used} ticks in {wall:?}");
        // It rests a tenth of a second after each; local mode has two listeners that may complain.
        let most = usize::try_from(wall.as_millis() / 100 * 2 + 5).unwrap();
        assert!(said <= most, "{mode}: {said} complaints in {wall:?}");
        drop(crowd);
        target.is_well();
        assert_eq!(ask(&mut known).await, 200, "{mode}");
    }
}

#[tokio::test]
async fn heads_larger_than_any_client_sends_are_refused() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let headers = |count: usize| {
            let more: Vec<String> = (0..count).map(|at| format!("X-{at}: y")).collect();
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            // Beside Host and Connection.
            target.get("/api/bootstrap", &more).status
        };
        assert_eq!(headers(62), 200, "{mode}");
        for count in [63, 64, 100, 1000] {
            assert_eq!(headers(count), 431, "{mode} {count}");
        }
        let long =
            |bytes: usize| target.get("/api/bootstrap", &[&format!("X: {}", "y".repeat(bytes))]);
        assert_eq!(long(8_000).status, 200, "{mode}");
        for bytes in [17_000, 100_000, 1_000_000] {
            let reply = long(bytes);
            assert_eq!((reply.status, reply.body.as_str()), (431, ""), "{mode} {bytes}: {reply:?}");
        }
        let address = |bytes: usize| target.get(&format!("/{}", "a".repeat(bytes - 1)), &[]).status;
        assert_eq!(address(8 * 1024), 404, "{mode}");
        assert_eq!(address(8 * 1024 + 1), 414, "{mode}");
        assert!(matches!(address(70_000), 414 | 431), "{mode}");
        // A method or a name without an end.
        for endless in ["A".repeat(100_000), format!("GET / HTTP/1.1\r\n{}", "a".repeat(100_000))] {
            let replies = target.exchange(endless.as_bytes());
            let refused = replies.iter().all(|reply| matches!(reply.status, 400 | 431));
            assert!(refused && replies.len() <= 1, "{mode}: {replies:?}");
        }
        target.is_well();
    }
}

/// A connection from an address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Where clients come straight to a hosted Room, one of them has so many connections, and the
/// others have theirs. Behind a proxy and on a person's own machine all come from one address.
#[tokio::test]
async fn one_address_has_so_many_connections_and_others_have_theirs() {
    const OF_ONE: usize = 64;
    let on = |setup: room_tests::app::Setup| setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10");
    let target = Target::with(Mode::Cloud, on).await;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", target.host());
    let ask = async |stream: &mut TcpStream| {
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = vec![0; 4096];
        let count = stream.read(&mut answer).await.unwrap_or(0);
        raw::status(&String::from_utf8_lossy(&answer[..count]))
    };
    let (mut served, mut refused) = (Vec::new(), 0);
    // All at once: one that has had its answer is kept for ten seconds only.
    let all = (0..OF_ONE + 20).map(async |_| {
        let mut stream = connect_from("127.0.0.7", address(&target)).await;
        (ask(&mut stream).await, stream)
    });
    for (status, stream) in futures_util::future::join_all(all).await {
        match status {
            0 => refused += 1,
            // Health checks have a limit of their own.
            200 | 429 => served.push(stream),
            other => panic!("{other}"),
        }
    }
    assert_eq!((served.len(), refused), (OF_ONE, 20));
    let mut other = connect_from("127.0.0.8", address(&target)).await;
    assert!(matches!(ask(&mut other).await, 200 | 429), "others are served");
    target.is_well();
    // What is closed makes room.
    drop(served);
    room_tests::eventually_async("a place for it", SOON, async || {
        let mut again = connect_from("127.0.0.7", address(&target)).await;
        matches!(ask(&mut again).await, 200 | 429).then_some(())
    })
    .await;
}
