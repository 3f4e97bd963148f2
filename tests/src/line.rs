//! A bad line between a client and a server: it delays, stalls, breaks, resets, or goes dead
//! without a word.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::standin::Background;

/// How much is carried at once.
const CHUNK_BYTES: usize = 4 * 1024;

/// How connections end that are open now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both sides are told.
    Cut,
    /// Both sides are told rudely (RST), and lose what was under way.
    Reset,
    /// Nobody is told: each side goes on believing that the other is there.
    Silence,
}

#[derive(Clone, Debug)]
struct Weather {
    delay: Duration,
    stalled: bool,
    /// How often the line broke, and how the last time.
    breaks: u64,
    how: Break,
}

/// The line; dropping it ends all that goes over it.
#[derive(Debug)]
pub struct Line {
    weather: watch::Sender<Weather>,
    server: Background,
}

impl Line {
    /// A line to that port of this machine, fine as yet.
    ///
    /// # Errors
    ///
    /// When there is no port or no thread to be had.
    pub fn to(target: SocketAddr) -> io::Result<Self> {
        let fine = Weather { delay: Duration::ZERO, stalled: false, breaks: 0, how: Break::Cut };
        let (weather, seen) = watch::channel(fine);
        let server = Background::start("line", move |listener| accept(listener, target, seen))?;
        Ok(Self { weather, server })
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Each chunk takes that much longer, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Nothing goes over it until it is told to go on; nothing is lost.
    pub fn stall(&self, stalled: bool) {
        self.weather.send_modify(|weather| weather.stalled = stalled);
    }

    /// Ends the connections that are open now; new ones work.
    pub fn break_now(&self, how: Break) {
        self.weather.send_modify(|weather| {
            weather.breaks += 1;
            weather.how = how;
        });
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, weather: watch::Receiver<Weather>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(carry(client, target, weather.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>) {
    let born = weather.borrow().breaks;
    let Ok(server) = TcpStream::connect(target).await else { return };
    let carried = async {
        // One direction may end before the other.
        tokio::join!(
            pump(&client, &server, weather.clone()),
            pump(&server, &client, weather.clone())
        )
    };
    let broken = async {
        let broken =
            weather.clone().wait_for(|weather| weather.breaks > born).await.map(|now| now.how);
        // Without a line there is nobody left to tell.
        broken.unwrap_or(Break::Cut)
    };
    let how = tokio::select! {
        _ = carried => return,
        how = broken => how,
    };
    match how {
        Break::Cut => {}
        Break::Reset => {
            for stream in [&client, &server] {
                let _ = stream.set_zero_linger();
            }
        }
        // Held open, and neither read nor written, for as long as the line lasts.
        Break::Silence => std::future::pending().await,
    }
}

/// Carries one direction until it ends.
async fn pump(from: &TcpStream, to: &TcpStream, mut weather: watch::Receiver<Weather>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = read(from, &mut chunk).await.unwrap_or(0);
        if weather.wait_for(|weather| !weather.stalled).await.is_err() {
            return;
        }
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if count == 0 || write(to, &chunk[..count]).await.is_err() {
            let _ = rustix::net::shutdown(to, rustix::net::Shutdown::Write);
            return;
        }
    }
}

async fn read(from: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

async fn write(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A line with one connection over it: both of its ends.
    fn connected() -> (Line, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Line::to(listener.local_addr().unwrap()).unwrap();
        let near = TcpStream::connect(line.address()).unwrap();
        let (far, _) = listener.accept().unwrap();
        for end in [&near, &far] {
            end.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        (line, near, far)
    }

    #[track_caller]
    fn carries(from: &mut TcpStream, to: &mut TcpStream) {
        from.write_all(b"abc").unwrap();
        let mut three = [0; 3];
        to.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"abc");
    }

    #[test]
    fn what_is_stalled_arrives_later() {
        let (line, mut near, mut far) = connected();
        carries(&mut near, &mut far);
        line.delay(Duration::from_millis(20));
        carries(&mut far, &mut near);
        line.stall(true);
        near.write_all(b"abc").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(far.read(&mut [0; 3]).is_err(), "nothing goes over it");
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        line.stall(false);
        let mut three = [0; 3];
        far.read_exact(&mut three).unwrap();
    }

    #[test]
    fn it_breaks_in_three_ways() {
        let (line, mut near, mut far) = connected();
        carries(&mut near, &mut far);
        line.break_now(Break::Cut);
        assert_eq!(near.read(&mut [0]).unwrap() + far.read(&mut [0]).unwrap(), 0);
        let (line, mut near, mut far) = connected();
        carries(&mut near, &mut far);
        line.break_now(Break::Reset);
        let reset = near.read(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        let (line, mut near, mut far) = connected();
        carries(&mut near, &mut far);
        line.break_now(Break::Silence);
        near.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        near.write_all(b"abc").unwrap();
        assert_eq!(near.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_end_goes_through() {
        let (_line, near, mut far) = connected();
        drop(near);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }
}
