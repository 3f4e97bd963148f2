//! A WebSocket on its TCP connection: shared frames out, several in one call and without a copy of
//! ours, messages in. An idle one holds no buffer.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::frames::{Frame, Incoming, Reader};

/// How much is read at once. What a page says is far shorter.
const READ_BYTES: usize = 4 * 1024;

/// How many frames go into one call.
const FRAMES_A_WRITE: usize = 64;

/// How long a client may take nothing of what waits for it.
pub const STUCK: Duration = Duration::from_secs(2);

/// How often it is looked meanwhile whether it took something after all. Right after the kernel took
/// no more, some of what is on its way still arrives at the client's kernel: seen soon, that begins
/// the two seconds anew; seen at their end, it would double them.
const LOOK: Duration = Duration::from_millis(250);

/// How long one that was told that it is too slow may take to read that. Until then the kernel
/// holds what it did not read.
const LAST_CHANCE: Duration = Duration::from_millis(1500);

/// What the kernel may hold for a client that listens; it counts double, for what it keeps beside the
/// bytes. Less than for the rest of HTTP, where whole files are sent: a thousand that stop reading are
/// the rule when a network goes down.
const SEND_BUFFER_BYTES: usize = 24 * 1024;

/// The longest rest of a frame that is still sent to one that is too slow, so that it can read the
/// reason after it.
const REST_BYTES: usize = 64 * 1024;

/// One client's line.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: Reader,
    writing: VecDeque<Frame>,
    /// How much of the first of those is gone.
    written: usize,
    /// Since when the kernel takes no more, and when that is looked at next.
    stuck: Option<(Instant, Instant)>,
}

/// Why a client is not heard any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The line is dead or closed.
    Gone,
    /// It does not speak the protocol.
    Fault,
}

impl Connection {
    /// A connection that was upgraded; `read` is what came with the request.
    pub fn new(stream: TcpStream, read: &[u8]) -> Self {
        let mut reader = Reader::default();
        if !read.is_empty() {
            reader.push(read);
        }
        // Where that fails it is as large as that of any connection.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        Self { stream, reader, writing: VecDeque::new(), written: 0, stuck: None }
    }

    /// What is to be written next goes in here, when everything before it is gone.
    pub fn writing(&mut self) -> &mut VecDeque<Frame> {
        &mut self.writing
    }

    /// When [`Self::is_stuck`] is to be asked.
    pub fn look_at(&self) -> Option<Instant> {
        self.stuck.map(|(_, look)| look)
    }

    /// Hears the client.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Lost>> {
        loop {
            match self.reader.read() {
                Ok(Some(incoming)) => return Poll::Ready(Ok(incoming)),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(Lost::Fault)),
            }
            if ready!(self.stream.poll_read_ready(cx)).is_err() {
                return Poll::Ready(Err(Lost::Gone));
            }
            let mut arrived = [0; READ_BYTES];
            match self.stream.try_read(&mut arrived) {
                Ok(0) => return Poll::Ready(Err(Lost::Gone)),
                Ok(count) => self.reader.push(&arrived[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(Err(Lost::Gone)),
            }
        }
    }

    /// Writes until nothing waits or the kernel takes no more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        while !self.writing.is_empty() {
            match self.write_some(TcpStream::try_write_vectored) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stuck.get_or_insert_with(|| (Instant::now(), Instant::now() + LOOK));
                    if ready!(self.stream.poll_write_ready(cx)).is_err() {
                        return Poll::Ready(Err(Lost::Gone));
                    }
                }
                Err(_) => return Poll::Ready(Err(Lost::Gone)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the client has taken nothing for so long. The kernel wakes us only once a third of its
    /// room is free again; a client on a slow line may have taken less.
    pub fn is_stuck(&mut self) -> bool {
        let now = Instant::now();
        let Some((since, _)) = self.stuck.filter(|(_, look)| *look <= now) else { return false };
        let taken = self.write_some(|stream, slices| {
            rustix::io::writev(stream, slices).map_err(io::Error::from)
        });
        if taken.is_ok() {
            return false;
        }
        self.stuck = Some((since, now + LOOK));
        now >= since + STUCK
    }

    fn write_some(
        &mut self,
        write: impl FnOnce(&TcpStream, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
        let mut skip = self.written;
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.writing) {
            *slice = IoSlice::new(&frame.bytes()[std::mem::take(&mut skip)..]);
            count += 1;
        }
        let taken = write(&self.stream, &slices[..count])?;
        self.stuck = None;
        let mut gone = self.written + taken;
        while let Some(frame) = self.writing.front()
            && gone >= frame.len()
        {
            gone -= frame.len();
            self.writing.pop_front();
        }
        self.written = gone;
        Ok(taken)
    }

    /// Says why it ends, if the client still reads, and hears it say goodbye; without that the
    /// client could take the close for a broken line.
    pub async fn close(mut self, code: u16, reason: &str) {
        self.last_frame(Frame::close(code, reason));
        let goodbye = async {
            if std::future::poll_fn(|cx| self.poll_write(cx)).await.is_ok() {
                self.goodbye().await;
            }
        };
        let _ = tokio::time::timeout(STUCK, goodbye).await;
    }

    /// Answers a client that said goodbye (RFC 6455, section 5.5.1).
    pub async fn goodbye_too(mut self) {
        self.last_frame(Frame::close(1000, ""));
        let _ = tokio::time::timeout(STUCK, std::future::poll_fn(|cx| self.poll_write(cx))).await;
    }

    /// As [`Self::close`], to one that does not read: what it has not taken is in its way. The kernel is given
    /// just enough room for the reason, and takes back all of it when the client has had its last
    /// chance: the memory of many that never read is what ends a small machine.
    pub async fn close_stuck(mut self, code: u16, reason: &str) {
        self.last_frame(Frame::close(code, reason));
        let rest: usize = self.writing.iter().map(Frame::len).sum::<usize>() - self.written;
        if rest <= REST_BYTES {
            let socket = socket2::SockRef::from(&self.stream);
            // The kernel counts double, for what it keeps beside the bytes, and may have taken more than
            // its room already. What it takes now is the rest, however much room there is.
            let room = socket.send_buffer_size().map(|size| size / 2 + 2 * rest + REST_BYTES);
            let _ = room.and_then(|room| socket.set_send_buffer_size(room));
            let all = self.write_some(|stream, slices| {
                rustix::io::writev(stream, slices).map_err(io::Error::from)
            });
            let told = all.is_ok() && self.writing.is_empty();
            if told && tokio::time::timeout(LAST_CHANCE, self.goodbye()).await.is_ok() {
                return;
            }
        }
        // The kernel forgets what was not sent, instead of trying for minutes.
        let _ = self.stream.set_zero_linger();
    }

    /// Only a frame that is under way is finished before the last one.
    fn last_frame(&mut self, frame: Frame) {
        self.writing.truncate(usize::from(self.written > 0));
        self.writing.push_back(frame);
    }

    /// Until the client has said goodbye too, or hung up. What it still says is read, for a line
    /// that is closed with something unread takes back what the client has not read yet.
    async fn goodbye(&mut self) {
        loop {
            match std::future::poll_fn(|cx| self.poll_read(cx)).await {
                Ok(Incoming::Close(_)) | Err(Lost::Gone) => return,
                // Whatever follows is not told apart any more.
                Err(Lost::Fault) => self.reader = Reader::default(),
                Ok(_) => {}
            }
        }
    }
}
