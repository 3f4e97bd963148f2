//! The network as the programs see it: a loopback proxy that answers for the vendors' hosts.
//!
//! `CONNECT` to a vendor's host ends at a throw-away certificate and goes on to the stand-in, so
//! that the programs show exactly the addresses they show in the world. Any other host is refused
//! and noted: nothing reaches a true server, whatever the machine is connected to.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::anthropic::Anthropic;
use crate::github::GitHub;
use crate::google::Google;
use crate::openai::OpenAi;
use crate::standin::Background;

/// The hosts of the issuer that codex talks to, and where keys are used.
const OPENAI_HOSTS: [&str; 2] = ["auth.openai.com", "api.openai.com"];

/// The hosts that claude talks to.
const ANTHROPIC_HOSTS: [&str; 5] = [
    "claude.ai",
    "claude.com",
    "platform.claude.com",
    "api.anthropic.com",
    "console.anthropic.com",
];

/// More than any `CONNECT` with its headers; past it the connection is closed.
const HEAD_BYTES: usize = 8 * 1024;

#[derive(Debug, Default)]
struct Switches {
    unplugged: AtomicBool,
    refused: Mutex<Vec<String>>,
}

/// The running proxy; dropping it ends it and its certificate's file.
#[derive(Debug)]
pub struct Proxy {
    switches: Arc<Switches>,
    directory: TempDir,
    server: Background,
}

impl Proxy {
    /// Starts it in front of the two stand-ins, which must outlive it to be of use.
    ///
    /// # Errors
    ///
    /// When the port, the thread, the certificates or their file cannot be had.
    pub fn start(openai: &OpenAi, anthropic: &Anthropic) -> io::Result<Self> {
        let openai = OPENAI_HOSTS.map(|host| (host, openai.address()));
        let anthropic = ANTHROPIC_HOSTS.map(|host| (host, anthropic.address()));
        Self::start_with(&[openai.as_slice(), &anthropic].concat())
    }

    /// Starts it in front of the stand-ins for GitHub and Google.
    ///
    /// # Errors
    ///
    /// As [`Proxy::start`].
    pub fn start_for_others(github: &GitHub, google: &Google) -> io::Result<Self> {
        let github = GitHub::HOSTS.map(|host| (host, github.address()));
        let google = Google::HOSTS.map(|host| (host, google.address()));
        Self::start_with(&[github.as_slice(), &google].concat())
    }

    fn start_with(routes: &[(&'static str, SocketAddr)]) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (authority, tls) = certificates(routes).map_err(io::Error::other)?;
        std::fs::write(directory.path().join("ca.pem"), authority)?;
        let switches = Arc::new(Switches::default());
        let routes = Routes(routes.iter().copied().collect());
        let shared = Arc::clone(&switches);
        let server = Background::start("proxy", move |listener| {
            accept(listener, Arc::new(routes), TlsAcceptor::from(Arc::new(tls)), shared)
        })?;
        Ok(Self { switches, directory, server })
    }

    /// The proxy's own address.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate that the programs are told to trust.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The environment that sends a program here.
    pub fn env(&self) -> Vec<(String, String)> {
        let proxy = format!("http://{}", self.address());
        let authority = path_text(&self.authority());
        [
            ("HTTP_PROXY", proxy.clone()),
            ("HTTPS_PROXY", proxy),
            ("NO_PROXY", String::new()),
            ("NODE_EXTRA_CA_CERTS", authority.clone()),
            ("CODEX_CA_CERTIFICATE", authority.clone()),
            ("SSL_CERT_FILE", authority),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Takes the network away: connections are closed without an answer.
    pub fn unplug(&self) {
        self.switches.unplugged.store(true, Ordering::SeqCst);
    }

    /// Gives it back.
    pub fn plug_in(&self) {
        self.switches.unplugged.store(false, Ordering::SeqCst);
    }

    /// The hosts that were asked for and refused, `host:port` each.
    pub fn refused(&self) -> Vec<String> {
        self.switches.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").to_owned()
}

/// Where a host name leads.
#[derive(Debug)]
struct Routes(BTreeMap<&'static str, SocketAddr>);

impl Routes {
    fn find(&self, authority: &str) -> Option<SocketAddr> {
        self.0.get(authority.strip_suffix(":443")?).copied()
    }
}

/// A new authority in PEM, and what serves every vendor's host under it.
fn certificates(
    routes: &[(&'static str, SocketAddr)],
) -> Result<(String, ServerConfig), Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name = DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "throw-away authority of a test");
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let hosts: Vec<_> = routes.iter().map(|(host, _)| (*host).to_owned()).collect();
    let leaf_key = KeyPair::generate()?;
    let leaf = CertificateParams::new(hosts)?.signed_by(&leaf_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    Ok((authority_pem, tls))
}

async fn accept(
    listener: TcpListener,
    routes: Arc<Routes>,
    tls: TlsAcceptor,
    switches: Arc<Switches>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (routes, tls, switches) =
                    (Arc::clone(&routes), tls.clone(), Arc::clone(&switches));
                // A client that goes away in the middle is none of the test's business.
                connections.spawn(async move {
                    let _ = carry(stream, &routes, &tls, &switches).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(
    mut client: TcpStream,
    routes: &Routes,
    tls: &TlsAcceptor,
    switches: &Switches,
) -> io::Result<()> {
    if switches.unplugged.load(Ordering::SeqCst) {
        return Ok(());
    }
    let target = read_target(&mut client).await?;
    let route = target.strip_prefix("CONNECT ").and_then(|authority| routes.find(authority));
    let Some(route) = route else {
        let name = target.strip_prefix("CONNECT ").unwrap_or(&target).to_owned();
        switches.refused.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(answer).await;
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let mut client = tls.accept(client).await?;
    let mut server = TcpStream::connect(route).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Reads one request's head and gives its method and target. A byte at a time, so that nothing of
/// the TLS that follows is taken.
async fn read_target(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES {
            return Err(io::Error::other("the head is too long"));
        }
        head.push(client.read_u8().await?);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    Ok(line.rsplit_once(' ').map_or(&*line, |(target, _version)| target).to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn ask(proxy: &Proxy, head: &str) -> String {
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn other_hosts_and_ports_are_refused_and_noted() {
        let (openai, anthropic) = (OpenAi::start().unwrap(), Anthropic::start().unwrap());
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        let targets =
            ["example.com:443", "auth.openai.com:80", "api.anthropic.com.example.com:443"];
        for target in targets {
            let answer =
                ask(&proxy, &format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        }
        let answer = ask(&proxy, "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        let plain = ["GET http://example.com/"];
        assert_eq!(proxy.refused(), targets.iter().chain(&plain).copied().collect::<Vec<_>>());
    }

    #[test]
    fn an_unplugged_proxy_does_not_answer() {
        let (openai, anthropic) = (OpenAi::start().unwrap(), Anthropic::start().unwrap());
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        proxy.unplug();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        let _ = stream.write_all(b"CONNECT auth.openai.com:443 HTTP/1.1\r\n\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }

    #[test]
    fn dropping_it_ends_it() {
        let (openai, anthropic) = (OpenAi::start().unwrap(), Anthropic::start().unwrap());
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        let (address, authority) = (proxy.address(), proxy.authority());
        drop(proxy);
        assert!(TcpStream::connect(address).is_err());
        assert!(!authority.exists());
    }
}
