//! The live link over bad lines: every line of a sign-in arrives once, in order.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use room_tests::app::SOON;
use room_tests::fake::Scenario;
use room_tests::line::{Break, Line};
use room_tests::socket::upgrade;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::room::{Room, id};

/// A line is given up when nothing came over it for this long; the page's own is longer.
const PATIENCE: Duration = Duration::from_millis(700);

/// The program takes no less time for 500 lines, and as many are kept.
const KEPT: Duration = Duration::from_secs(10);

/// What a page knows of one sign-in, whatever its line does.
struct Page {
    /// The server's own address, as the Host it is asked under, and its bearer.
    port: u16,
    token: String,
    /// Where the line begins.
    over: SocketAddr,
    channel: String,
    boot: Option<String>,
    seq: Option<u64>,
    /// The last line, and all of them that are missing.
    line: u64,
    missing: u64,
    connections: usize,
    snapshots: usize,
    status: String,
    /// When it heard anything of the sign-in last, and the longest that it did not.
    heard: Instant,
    longest: Duration,
}

type Stream = WebSocketStream<TcpStream>;

impl Page {
    fn new(room: &Room, over: SocketAddr, session: &Value) -> Self {
        Self {
            port: room.app.port(),
            token: room.app.token().to_owned(),
            over,
            channel: format!("provider-auth:{}", id(session)),
            boot: None,
            seq: None,
            line: 0,
            missing: 0,
            connections: 0,
            snapshots: 0,
            status: String::new(),
            heard: Instant::now(),
            longest: Duration::ZERO,
        }
    }

    /// Connects and asks for what it has missed. `None` if the line is bad again.
    async fn connect(&mut self) -> Option<Stream> {
        self.connect_within(PATIENCE * 2).await
    }

    async fn connect_within(&mut self, patience: Duration) -> Option<Stream> {
        let connecting = async {
            let stream = TcpStream::connect(self.over).await.ok()?;
            let request = upgrade(self.port, Some(&self.token));
            let (mut stream, _) = client_async(request, stream).await.ok()?;
            let mut subscribe = json!({ "type": "subscribe", "channels": [self.channel] });
            if let (Some(seq), Some(boot)) = (self.seq, &self.boot) {
                subscribe["after"] = json!({ &self.channel: seq });
                subscribe["boot"] = json!(boot);
            }
            stream.send(Message::text(subscribe.to_string())).await.ok()?;
            Some(stream)
        };
        let stream = tokio::time::timeout(patience, connecting).await.ok().flatten()?;
        self.connections += 1;
        Some(stream)
    }

    /// Hears messages until the line is bad, or so many of the channel came.
    async fn hear(&mut self, stream: &mut Stream, most: usize) {
        let mut heard = 0;
        while heard < most && !self.is_over() {
            let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, stream.next()).await else {
                return;
            };
            if let Message::Text(text) = message {
                let message: Value = serde_json::from_str(&text).unwrap();
                heard += usize::from(message["channel"] == self.channel.as_str());
                self.take(&message);
            }
        }
    }

    fn is_over(&self) -> bool {
        !["", "starting", "running"].contains(&self.status.as_str())
    }

    fn take(&mut self, message: &Value) {
        if message["type"] == "hello" {
            self.boot = message["boot"].as_str().map(str::to_owned);
        }
        if message["channel"] != self.channel.as_str() {
            return;
        }
        self.longest = self.longest.max(self.heard.elapsed());
        self.heard = Instant::now();
        let seq = message["seq"].as_u64();
        match message["type"].as_str().unwrap() {
            "gap" => {
                assert_eq!(message["from"].as_u64(), self.seq.map(|seq| seq + 1), "{message}");
                return;
            }
            "snapshot" => {
                self.snapshots += 1;
                // What it has already is not new, and what it does not reach back to is missing.
                let lines = message["data"]["lines"].as_array().unwrap().clone();
                let new: Vec<_> =
                    lines.into_iter().filter(|line| number(line) > self.line).collect();
                if let Some(first) = new.first().map(number) {
                    self.missing += first - self.line - 1;
                    self.line = first - 1;
                }
                self.take_lines(&new);
            }
            kind => {
                assert_eq!(seq, self.seq.map(|seq| seq + 1), "in order, none twice: {message}");
                if kind == "provider_auth:line" {
                    self.take_lines(message["data"]["lines"].as_array().unwrap());
                }
            }
        }
        if let Some(status) = message["data"]["status"].as_str() {
            status.clone_into(&mut self.status);
        }
        self.seq = seq;
    }

    fn take_lines(&mut self, lines: &[Value]) {
        for line in lines {
            assert_eq!(number(line), self.line + 1, "each line once, in order: {line}");
            self.line += 1;
            // The program numbers them too, from its first line on.
            let text = line["text"].as_str().unwrap();
            if let Some(own) = text.strip_prefix("line ") {
                assert!(own.starts_with(&format!("{:06} ", self.line)), "{line}");
            }
        }
    }

    /// Until the sign-in is over.
    async fn live(mut self) -> Self {
        while !self.is_over() {
            if let Some(mut stream) = self.connect().await {
                self.hear(&mut stream, usize::MAX).await;
            }
        }
        self
    }
}

fn number(line: &Value) -> u64 {
    line["id"].as_u64().unwrap()
}

/// Numbers that look random, the same in every run.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from(self.0 >> 8) % bound
    }
}

fn address(room: &Room) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, room.app.port()).into()
}

/// How long the bad weather lasts; `ROOM_TEST_WEATHER_SECONDS` makes it longer, by hand.
fn weather_lasts() -> Duration {
    let asked = std::env::var("ROOM_TEST_WEATHER_SECONDS").ok();
    Duration::from_secs(asked.and_then(|asked| asked.parse().ok()).unwrap_or(15))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pages_on_bad_lines_end_with_every_line_once() {
    let room = Room::playing("codex", &Scenario::Chatty).await;
    let session = room.app.connect("codex").await;
    let lines = [0, 1].map(|_| Line::to(address(&room)).unwrap());
    let pages = [0, 1].map(|at| Page::new(&room, lines[at].address(), &session));
    let pages = pages.map(|page| tokio::spawn(page.live()));
    let (start, mut random) = (Instant::now(), Random(7));
    let mut weather = tokio::time::interval(Duration::from_millis(150));
    while start.elapsed() < weather_lasts() {
        weather.tick().await;
        let line = &lines[usize::try_from(random.below(2)).unwrap()];
        match random.below(8) {
            0 => line.break_now(Break::Cut),
            1 => line.break_now(Break::Reset),
            2 => line.break_now(Break::Silence),
            3 | 4 => line.stall(true),
            5 => line.delay(Duration::from_millis(random.below(60))),
            _ => line.stall(false),
        }
    }
    for line in &lines {
        line.stall(false);
        line.delay(Duration::ZERO);
    }
    room.control.approve();
    let view = room.app.session_until(id(&session), |view| view["active"] == false).await;
    let last = view["lines"].as_array().and_then(|lines| lines.last()).map(number);
    for page in pages {
        let page = tokio::time::timeout(Duration::from_secs(25), page).await.unwrap().unwrap();
        println!(
            "{} lines, {} connections, {} snapshots, {} lines missed and counted, heard nothing for {:?}",
            page.line, page.connections, page.snapshots, page.missing, page.longest
        );
        assert_eq!(Some(page.line), last, "the last line, too");
        assert!(page.connections > 5, "the weather was bad");
        // What is kept covers seconds: lines are only missing, and counted, after a longer outage.
        assert!(
            page.missing == 0 || page.longest > KEPT,
            "{} after {:?}",
            page.missing,
            page.longest
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_times_gone_and_back_nothing_is_missed_or_heard_twice() {
    const PAGES: usize = 4;
    const TIMES: usize = 250;
    let room = Room::playing("codex", &Scenario::Chatty).await;
    let session = room.app.connect("codex").await;
    let pages = (0..PAGES).map(|at| {
        let mut page = Page::new(&room, address(&room), &session);
        tokio::spawn(async move {
            let mut random = Random(u32::try_from(at).unwrap());
            while page.connections < TIMES {
                let mut stream = page.connect_within(SOON).await.expect("a line that is fine");
                let most = usize::try_from(random.below(4)).unwrap();
                page.hear(&mut stream, most).await;
            }
            page
        })
    });
    for page in pages.collect::<Vec<_>>() {
        let page = page.await.unwrap();
        assert_eq!((page.connections, page.missing), (TIMES, 0));
        // The first, and those who went before they had any position.
        assert!(page.snapshots < TIMES / 4, "{}", page.snapshots);
        assert!(page.line > 0);
    }
    room.control.approve();
}
