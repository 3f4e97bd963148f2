//! A WebSocket client that costs next to nothing: what is measured is the server, not this.
//!
//! Frames are found in place. Nothing is fragmented here (RFC 6455, section 5.4), and a server that
//! does it ends the run.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The bits of a frame's first byte that say what it is.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer was given out already.
    used: usize,
}

impl Socket {
    /// Opens a socket at `path`; a token goes into the header, which programs may set.
    pub(crate) async fn open(
        address: SocketAddr,
        path: &str,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let authorization = authorization.unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: room.v1\r\n{authorization}\r\n",
            address.port()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        let end = loop {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "no answer to the upgrade");
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]);
        ensure!(
            head.starts_with("HTTP/1.1 101"),
            "no socket: {}",
            head.lines().next().unwrap_or("")
        );
        Ok(Self { stream, buffer, used: end })
    }

    /// Sends a text. Ours are short, and clients have to mask (section 5.3); a mask of zeros does.
    pub(crate) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        self.frame(TEXT, text.as_bytes()).await
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = vec![0x80 | kind];
        match u8::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len())?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The next text. `None` once the server closes.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<&str>> {
        loop {
            if let Some((kind, start, end)) = self.whole_frame()? {
                self.used = end;
                match kind {
                    TEXT => {
                        let text = std::str::from_utf8(&self.buffer[start..end]);
                        return Ok(Some(text.context("a text of the server")?));
                    }
                    PING => {
                        let payload = self.buffer[start..end].to_vec();
                        self.frame(PONG, &payload).await?;
                    }
                    PONG => {}
                    CLOSE => return Ok(None),
                    other => bail!("a frame of kind {other}"),
                }
                continue;
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Kind, start and end of the next frame, if all of it is there.
    fn whole_frame(&self) -> anyhow::Result<Option<(u8, usize, usize)>> {
        let rest = &self.buffer[self.used..];
        let [first, second, ..] = *rest else { return Ok(None) };
        ensure!(first & 0x80 != 0, "the server breaks its messages up");
        let (length, head) = match second & 0x7f {
            126 => {
                let Some(bytes) = rest.get(2..4) else { return Ok(None) };
                (usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), 4)
            }
            127 => {
                let Some(bytes) = rest.get(2..10) else { return Ok(None) };
                (usize::try_from(u64::from_be_bytes(bytes.try_into()?))?, 10)
            }
            length => (usize::from(length), 2),
        };
        let start = self.used + head;
        Ok((rest.len() >= head + length).then_some((first & 15, start, start + length)))
    }
}
