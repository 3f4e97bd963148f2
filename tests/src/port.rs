//! A port that stays one's own while nobody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, sockopt};

/// A port of `127.0.0.1` that the kernel gives to nobody else until this is dropped. Whoever asks
/// for it by its number and may reuse an address (every server here) gets it all the same.
#[derive(Debug)]
pub struct HeldPort {
    number: u16,
    _socket: OwnedFd,
}

impl HeldPort {
    /// Holds a free one.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn new() -> io::Result<Self> {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = SocketAddr::try_from(getsockname(&socket)?)?;
        Ok(Self { number: address.port(), _socket: socket })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn it_is_taken_by_its_number_again_and_again() {
        let port = HeldPort::new().unwrap();
        let at = (Ipv4Addr::LOCALHOST, port.number());
        for _ in 0..3 {
            assert!(TcpStream::connect(at).is_err(), "nobody listens");
            let listener = TcpListener::bind(at).unwrap();
            TcpStream::connect(at).unwrap();
            drop(listener);
        }
    }
}
