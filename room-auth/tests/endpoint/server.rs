//! A key endpoint on a loopback socket that answers as it is told, right or wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the next requests are answered with.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// Takes the request and says nothing.
    Hang,
    /// One byte every 20 ms, for ever.
    Drip,
    /// 200 MB, announced or in chunks.
    Huge { announced: bool },
    /// Headers without an end.
    EndlessHeaders,
}

impl Answer {
    pub(crate) fn json(body: &str) -> Self {
        Self::with("200 OK", "Content-Type: application/json\r\n", body.as_bytes())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::with(&format!("{status} Whatever"), "", b"")
    }

    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        Self::Raw([head.as_bytes(), body].concat())
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), sent: &AtomicU64) {
        match self {
            Self::Raw(bytes) => {
                let _done = stream.write_all(bytes).await;
                let _done = stream.shutdown().await;
            }
            Self::Hang => std::future::pending().await,
            Self::Drip => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
                let mut beat = tokio::time::interval(Duration::from_millis(20));
                for byte in head.iter().copied().chain(std::iter::repeat(b' ')) {
                    beat.tick().await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            }
            Self::Huge { announced } => {
                let head: &[u8] = if *announced {
                    b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                };
                let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
                let mut next = head;
                while sent.load(Ordering::Relaxed) < 200_000_000 {
                    if stream.write_all(next).await.is_err() {
                        return;
                    }
                    sent.fetch_add(next.len() as u64, Ordering::Relaxed);
                    next = if *announced { &chunk[7..] } else { &chunk };
                }
            }
            Self::EndlessHeaders => {
                let mut next = b"HTTP/1.1 200 OK\r\n".to_vec();
                while stream.write_all(&next).await.is_ok() {
                    sent.fetch_add(next.len() as u64, Ordering::Relaxed);
                    next = [b"X-Padding: ".as_slice(), &[b'x'; 8000], b"\r\n"].concat();
                }
            }
        }
    }
}

/// A running endpoint; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    answer: Mutex<Answer>,
    requests: Mutex<Vec<String>>,
    sent: AtomicU64,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(config: tokio_rustls::rustls::ServerConfig) -> Self {
        Self::listen(Some(tokio_rustls::TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Mutex::new(Answer::status(500)),
            requests: Mutex::default(),
            sent: AtomicU64::new(0),
        });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, shared).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    serve(stream, shared).await;
                                }
                            }
                        }
                    });
                }
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// The heads of the requests since the last question.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// How many bytes of the endless answers the client has taken, its socket's buffers included.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => head.extend_from_slice(&buffer[..count]),
        }
    }
    shared.requests.lock().unwrap().push(String::from_utf8_lossy(&head).to_ascii_lowercase());
    let answer = shared.answer.lock().unwrap().clone();
    answer.write(&mut stream, &shared.sent).await;
}
