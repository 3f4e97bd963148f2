//! A registry of packages on loopback, good or bad, and the packages it gives out.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::standin::Background;

/// What a registry does when it is asked for a package.
#[derive(Debug, Clone)]
pub enum Gives {
    /// The package.
    It(Vec<u8>),
    /// The package without saying how long it is, and this after it.
    ItAnd(Vec<u8>, Vec<u8>),
    /// Half of it, and then it closes.
    Half(Vec<u8>),
    /// Half of it, and then nothing.
    HalfAndWaits(Vec<u8>),
    /// A byte every 50 ms.
    Drips(Vec<u8>),
    /// The head of an answer of that many bytes, and then nothing.
    Promises(u64),
    /// Another status, with this in `Location`.
    Status(u16, String),
    /// Nothing at all.
    Silence,
}

/// A registry that gives everyone the same.
#[derive(Debug)]
pub struct Registry {
    background: Background,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When there is no port or no thread to be had.
    pub fn start(gives: Gives) -> io::Result<Self> {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&asked);
        let background = Background::start("registry", async move |listener| {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(answer(stream, gives.clone(), Arc::clone(&notes)));
            }
        })?;
        Ok(Self { background, asked })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.background.address())
    }

    /// The paths it was asked for, in order.
    ///
    /// # Panics
    ///
    /// When a thread of it has panicked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    gives: Gives,
    asked: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("nobody panics with it").push(path);
    let ok = |length: u64| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    match gives {
        Gives::It(bytes) => {
            stream.write_all(ok(bytes.len() as u64).as_bytes()).await?;
            stream.write_all(&bytes).await?;
        }
        Gives::ItAnd(bytes, more) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
            stream.write_all(&bytes).await?;
            stream.write_all(&more).await?;
        }
        Gives::Half(bytes) => {
            stream.write_all(ok(bytes.len() as u64).as_bytes()).await?;
            stream.write_all(&bytes[..bytes.len() / 2]).await?;
        }
        Gives::HalfAndWaits(bytes) => {
            stream.write_all(ok(bytes.len() as u64).as_bytes()).await?;
            stream.write_all(&bytes[..bytes.len() / 2]).await?;
            until_closed(&mut stream).await?;
        }
        Gives::Drips(bytes) => {
            stream.write_all(ok(bytes.len() as u64).as_bytes()).await?;
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Gives::Promises(length) => {
            stream.write_all(ok(length).as_bytes()).await?;
            until_closed(&mut stream).await?;
        }
        Gives::Status(status, location) => {
            let head = format!(
                "HTTP/1.1 {status} Status\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
        }
        Gives::Silence => until_closed(&mut stream).await?,
    }
    stream.shutdown().await
}

async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// One file of a package: its path, its mode, what is in it.
pub type File<'a> = (&'a str, u32, &'a [u8]);

/// A package with these files, as `npm pack` makes it.
///
/// # Panics
///
/// When a path is too long.
pub fn package(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        // Written as it is: the crate itself would refuse what a test wants to see refused.
        let name = &mut header.as_gnu_mut().expect("it is of that kind").name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append(&header, *content).expect("memory can be written to");
    }
    let zip = archive.into_inner().expect("memory can be written to");
    zip.finish().expect("memory can be written to")
}

/// The digest of a package, as lock files write it.
pub fn integrity(package: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(Sha512::digest(package)))
}
