//! Many light clients of a live link at once, to measure a server with.
//!
//! A client of a test ([`crate::socket`]) parses all it hears; ten thousand of those, or two million
//! messages a second, would measure the client. These walk over frame headers and look into a
//! message only for the time it was sent at: the decimal number after the first `"at":`, in
//! microseconds since 1970. Any server of plain WebSocket frames can be measured, also one without
//! channels.

mod stats;
mod walker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use self::stats::{Report, Stats, micros_now};
use self::walker::{Seen, Walker};

/// How many connect at a time: more than wait in a server's backlog.
const CONNECTING: usize = 64;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// How long a client that never read may take, at the end, to find out why it was closed.
const LAST_LOOK: Duration = Duration::from_secs(3);

/// What the clients do once they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Read all they are sent.
    Listen,
    /// The same, but are sent nothing but pings.
    Idle,
    /// Never read again, until the end.
    Deaf,
}

/// Which clients, and where they go.
#[derive(Clone, Debug)]
pub struct Options {
    /// What they do.
    pub mode: Mode,
    /// How many.
    pub clients: usize,
    /// The server.
    pub address: SocketAddr,
    /// The path of its live link.
    pub path: String,
    /// A bearer.
    pub token: Option<String>,
    /// A channel to hear, from its snapshot on.
    pub channel: Option<String>,
    /// `SO_RCVBUF`; none is the system's own.
    pub receive_buffer: Option<u32>,
}

/// Connects all of them.
///
/// # Errors
///
/// The first that fails.
pub async fn connect(options: &Options) -> io::Result<Crowd> {
    let options = Arc::new(options.clone());
    let stats = Arc::new(Stats::default());
    let (end, ended) = watch::channel(false);
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let mut joining = JoinSet::new();
    for _ in 0..options.clients {
        let place = Arc::clone(&connecting).acquire_owned().await.map_err(io::Error::other)?;
        let (options, stats) = (Arc::clone(&options), Arc::clone(&stats));
        joining.spawn(async move {
            let client = Client::join(&options, stats).await;
            drop(place);
            client
        });
    }
    let mut clients = Vec::new();
    while let Some(joined) = joining.join_next().await {
        clients.push(joined.map_err(io::Error::other)??);
    }
    stats.begin();
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(client.run(options.mode, ended.clone()));
    }
    Ok(Crowd { stats, end, tasks })
}

/// All of them, connected.
#[derive(Debug)]
pub struct Crowd {
    stats: Arc<Stats>,
    end: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Crowd {
    /// What they have counted so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Ends them and says what they saw.
    pub async fn end(mut self) -> Report {
        self.end.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.stats.report()
    }
}

struct Client {
    stream: TcpStream,
    walker: Walker,
    stats: Arc<Stats>,
}

impl Client {
    async fn join(options: &Options, stats: Arc<Stats>) -> io::Result<Self> {
        let socket = match options.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut stream = socket.connect(options.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request(options).as_bytes()).await?;
        let rest = read_answer(&mut stream).await?;
        let mut client = Self { stream, walker: Walker::default(), stats };
        if let Some(channel) = &options.channel {
            let subscribe = format!(r#"{{"type":"subscribe","channels":["{channel}"]}}"#);
            client.send(0x1, subscribe.as_bytes()).await?;
            let mut joined = client.looks_joined(&rest);
            let mut buffer = vec![0; READ_BYTES];
            while !joined {
                let count = client.stream.read(&mut buffer).await?;
                if count == 0 {
                    return Err(io::Error::other("closed before the snapshot"));
                }
                joined = client.looks_joined(&buffer[..count]);
            }
        } else {
            client.walker.walk(&rest, |_| {});
        }
        Ok(client)
    }

    fn looks_joined(&mut self, bytes: &[u8]) -> bool {
        let mut joined = false;
        self.walker.walk(bytes, |seen| {
            if let Seen::Begin(text) = seen {
                joined |= text.starts_with(br#"{"type":"snapshot""#);
            }
        });
        joined
    }

    async fn run(mut self, mode: Mode, mut ended: watch::Receiver<bool>) {
        let end = async {
            let _ = ended.wait_for(|ended| *ended).await;
        };
        tokio::pin!(end);
        if mode == Mode::Deaf {
            end.await;
            let looked = tokio::time::timeout(LAST_LOOK, self.listen()).await;
            if looked.is_err() {
                return;
            }
        } else {
            tokio::select! {
                () = self.listen() => {}
                () = end => return,
            }
        }
        self.stats.closed(self.walker.close_code());
    }

    /// Reads until the server closes.
    async fn listen(&mut self) {
        loop {
            if self.stream.readable().await.is_err() {
                return;
            }
            let pings = match self.read_some() {
                Ok(Some(pings)) => pings,
                Ok(None) => continue,
                Err(_) => return,
            };
            for ping in pings {
                if self.send(0xA, &ping).await.is_err() {
                    return;
                }
            }
            if self.walker.close_code().is_some() {
                return;
            }
        }
    }

    /// Takes what is there, in a buffer that is everyone's; the pings to be answered, nothing if
    /// nothing was there after all.
    fn read_some(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        thread_local! {
            static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; READ_BYTES]);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let count = match self.stream.try_read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            let (mut pings, mut frames, mut first) = (Vec::new(), 0, true);
            let stats = &self.stats;
            self.walker.walk(&buffer[..count], |seen| match seen {
                Seen::Begin(text) => {
                    // One of each read is enough to know how long the way is.
                    if std::mem::take(&mut first) {
                        stats.arrived(text);
                    }
                    if text.starts_with(br#"{"type":"gap""#) {
                        stats.gap();
                    }
                }
                Seen::End => frames += 1,
                Seen::Ping(payload) => pings.push(payload.to_vec()),
            });
            stats.read(frames, count as u64, Instant::now());
            Ok(Some(pings))
        })
    }

    /// Sends a short frame. A mask of zeros is one.
    async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
        let length = length.ok_or_else(|| io::Error::other("too long"))?;
        let mut frame = vec![0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await
    }
}

fn request(options: &Options) -> String {
    let token = options.token.as_ref();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{}\r\n",
        options.path,
        options.address,
        token.unwrap_or_default(),
    )
}

/// Reads the answer's head, and gives what came after it.
async fn read_answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::other("closed before an answer"));
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let rest = bytes.split_off(end + 4);
        if bytes.starts_with(b"HTTP/1.1 101 ") {
            return Ok(rest);
        }
        let line = String::from_utf8_lossy(&bytes);
        return Err(io::Error::other(line.lines().next().unwrap_or_default().to_owned()));
    }
}
