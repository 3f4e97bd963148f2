//! A Room of one's own behind a reverse proxy, from the first sign-in to a restart: the very files
//! of `deploy/`, with a throw-away certificate.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use room_tests::app::{Answer, SOON, Setup, TestApp};
use room_tests::clis::fake_clis;
use room_tests::fake::Control;
use room_tests::port::HeldPort;
use room_tests::{eventually_async, not_run};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const HOST: &str = "room.test";

/// Who stands in front.
#[derive(Clone, Copy)]
enum Proxy {
    Nginx,
    HaProxy,
}

impl Proxy {
    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "/usr/sbin/nginx",
            Self::HaProxy => "/usr/sbin/haproxy",
        }
    }

    /// The file of `deploy/` for this machine: its ports, its certificate, its Room.
    fn start(self, directory: &Path, http: u16, https: u16, room: u16) -> Front {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let here = directory.to_str().unwrap();
        let shown = |name: &str| fs::read_to_string(deploy.join(name)).unwrap();
        let put = |text: String, changes: &[(&str, String)]| {
            changes.iter().fold(text, |text, (from, to)| {
                assert!(text.contains(from), "{from:?} is not in\n{text}");
                text.replace(from, to)
            })
        };
        let upstream = ("127.0.0.1:3700", format!("127.0.0.1:{room}"));
        let config = directory.join("proxy.conf");
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx => {
                let changes = [
                    ("    listen [::]:80;\n", String::new()),
                    ("    listen [::]:443 ssl http2;\n", String::new()),
                    ("listen 80;", format!("listen 127.0.0.1:{http};")),
                    ("listen 443 ", format!("listen 127.0.0.1:{https} ")),
                    ("/etc/letsencrypt/live/room.example", here.to_owned()),
                    ("room.example", HOST.to_owned()),
                    upstream,
                ];
                let server = put(shown("nginx.conf"), &changes);
                let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"));
                let text = format!(
                    "daemon off;\nworker_processes 1;\npid {here}/pid;\nerror_log stderr;\n\
                     events {{}}\nhttp {{\naccess_log off;\n{}\n{server}}}\n",
                    places.concat()
                );
                fs::write(&config, text).unwrap();
                command.arg("-e").arg("stderr").arg("-p").arg(here).arg("-c").arg(&config);
            }
            Self::HaProxy => {
                let changes = [
                    ("bind :80\n", format!("bind 127.0.0.1:{http}\n")),
                    ("bind :443 ", format!("bind 127.0.0.1:{https} ")),
                    ("/etc/haproxy/room.example.pem", format!("{here}/both.pem")),
                    upstream,
                ];
                fs::write(&config, put(shown("haproxy.cfg"), &changes)).unwrap();
                command.arg("-db").arg("-f").arg(&config);
            }
        }
        let log = fs::File::create(directory.join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Front(child.unwrap())
    }
}

/// A running proxy.
struct Front(Child);

impl Drop for Front {
    fn drop(&mut self) {
        // nginx ends its workers when it is told to.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Browsers on the other side of the proxy, and what they know.
struct World {
    _proxy: Front,
    directory: TempDir,
    certificate: reqwest::Certificate,
    roots: RootCertStore,
    at: SocketAddr,
    http: u16,
    _held: HeldPort,
    cookie: Option<String>,
}

impl World {
    async fn new(proxy: Proxy, https: u16, app: &TestApp) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let (public, private) = (cert.pem(), signing_key.serialize_pem());
        for (name, text) in [
            ("fullchain.pem", &public),
            ("privkey.pem", &private),
            ("both.pem", &(public.clone() + &private)),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let held = HeldPort::new().unwrap();
        let http = held.number();
        let world = Self {
            _proxy: proxy.start(directory.path(), http, https, app.port()),
            directory,
            certificate: reqwest::Certificate::from_pem(public.as_bytes()).unwrap(),
            roots,
            at: (Ipv4Addr::LOCALHOST, https).into(),
            http,
            _held: held,
            cookie: None,
        };
        world.until(StatusCode::OK).await;
        world
    }

    fn origin(&self) -> String {
        format!("https://{HOST}:{}", self.at.port())
    }

    /// A browser at this address.
    fn browser(&self, address: Ipv4Addr) -> reqwest::Client {
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .add_root_certificate(self.certificate.clone())
            .resolve(HOST, self.at)
            .local_address(Some(address.into()))
            .build()
            .unwrap()
    }

    fn request(&self, from: Ipv4Addr, method: Method, path: &str) -> RequestBuilder {
        let request = self.browser(from).request(method, format!("{}{path}", self.origin()));
        let request = request.header("origin", self.origin());
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Ipv4Addr::LOCALHOST, Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Ipv4Addr::LOCALHOST, Method::POST, path).json(body)).await
    }

    /// Waits until Room is there, or is not.
    async fn until(&self, status: StatusCode) {
        let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        eventually_async(&format!("{status} through the proxy\n{}", log()), SOON, async || {
            let asked = self.request(Ipv4Addr::LOCALHOST, Method::GET, "/readyz").send().await;
            asked.is_ok_and(|answer| answer.status() == status).then_some(())
        })
        .await;
    }

    async fn socket(&self) -> Live {
        let roots = self.roots.clone();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let line = TcpStream::connect(self.at).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let line = TlsConnector::from(Arc::new(config)).connect(name, line).await.unwrap();
        let address = format!("wss://{HOST}:{}/ws", self.at.port());
        let mut request = address.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "room.v1".parse().unwrap());
        headers.insert("origin", self.origin().parse().unwrap());
        headers.insert("cookie", self.cookie.as_ref().unwrap().parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, line).await.unwrap();
        let mut opened = Live(socket);
        opened.until(|message| message["type"] == "hello").await;
        opened
    }
}

struct Live(tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>);

impl Live {
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut others = Vec::new();
        let read = async {
            loop {
                let message = self.0.next().await.expect("the socket is open").unwrap();
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if wanted(&message) {
                    return message;
                }
                others.push(message);
            }
        };
        let found = tokio::time::timeout(SOON, read).await;
        found.unwrap_or_else(|_| panic!("only {others:#?}"))
    }

    async fn closed(mut self) -> Option<u16> {
        let read = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|one| one.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        tokio::time::timeout(SOON, read).await.expect("it is closed in time")
    }
}

#[tokio::test]
async fn a_room_of_ones_own_behind_nginx() {
    walk(Proxy::Nginx).await;
}

#[tokio::test]
async fn a_room_of_ones_own_behind_haproxy() {
    walk(Proxy::HaProxy).await;
}

async fn walk(proxy: Proxy) {
    if !is_here(proxy) {
        return;
    }
    let clis = fake_clis().unwrap();
    let (setup, https) = Setup::new().unwrap().cloud_behind_a_proxy().unwrap();
    let setup = setup
        .search(&format!("{}:/usr/bin:/bin", clis.path().display()))
        .var("ROOM_PUBLIC_URL", &format!("https://{HOST}:{https}"))
        .var("ROOM_STANDALONE", "1")
        .var("ROOM_CLIENT_IP", "proxies:1")
        .var("ROOM_AUTH_FAILURES_PER_MINUTE", "10");
    // A hosted Room keeps the home of its programs with its data.
    let home = setup.data().join("home");
    let mut app = setup.start().await.unwrap();
    let mut world = World::new(proxy, https, &app).await;

    // Plain HTTP leads to https.
    let plain = format!("http://127.0.0.1:{}/providers", world.http);
    let answer = world.browser(Ipv4Addr::LOCALHOST).get(plain).header("host", HOST).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(answer.headers()[LOCATION], format!("https://{HOST}/providers"));

    // The first device.
    let output = app.command(&["pair"]).unwrap().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let start =
        said.find(&format!("{}/#pair=", world.origin())).unwrap_or_else(|| panic!("{said}"));
    let code = said[start..].split_whitespace().next().unwrap().split_once("#pair=").unwrap().1;
    let page = world.get("/").await;
    assert!(page.header("strict-transport-security").is_some(), "{page:?}");
    let body = json!({ "code": code, "deviceName": "laptop" });
    let answer = world.post("/api/auth/pair/redeem", &body).await;
    assert_eq!((answer.status, &answer.body["role"]), (StatusCode::OK, &json!("owner")));
    let cookie = answer.header(SET_COOKIE.as_str()).unwrap();
    assert!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");
    world.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    assert_eq!(world.get("/api/auth/verify").await.body["role"], "owner");

    // A sign-in, seen over the socket.
    let mut socket = world.socket().await;
    let started = world.post("/api/providers/codex/connect", &json!({})).await;
    let channel = started.body["channel"].as_str().unwrap_or_else(|| panic!("{started:?}"));
    let subscribe = json!({ "type": "subscribe", "channels": [channel] }).to_string();
    socket.0.send(Message::text(subscribe)).await.unwrap();
    socket.until(|message| message["data"]["deviceCode"].is_string()).await;
    Control::new(&home).approve();
    socket.until(|message| message["data"]["status"] == "completed").await;

    // Who guesses is told apart by where they are, whatever they write into their own headers.
    let guess = async |from: Ipv4Addr, n: usize| {
        let mut request = world.request(from, Method::POST, "/api/auth/pair/redeem");
        if n > 0 {
            request = request.header("x-forwarded-for", format!("198.51.100.{n}"));
        }
        let body = json!({ "code": "AAAAA-AAAAA", "deviceName": "guess" });
        Answer::of(request.json(&body)).await.status
    };
    let (one, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    let mut answers = Vec::new();
    for n in 1..=60 {
        answers.push(guess(one, n).await);
        if answers.last() == Some(&StatusCode::TOO_MANY_REQUESTS) {
            break;
        }
    }
    assert_eq!(answers.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
    assert_eq!(guess(other, 0).await, StatusCode::UNAUTHORIZED, "from elsewhere");

    // Away, and back: the page is told, the proxy answers in Room's place, the device stays.
    app.signal(Signal::TERM);
    assert_eq!(socket.closed().await, Some(1012));
    assert!(app.wait().success(), "{}", app.log());
    let asleep = world.get("/api/auth/verify").await;
    assert!([502, 503, 504].contains(&asleep.status.as_u16()), "{asleep:?}");
    assert_eq!(asleep.code(), "", "a page tells by that that it is not Room who speaks");
    app.start().await.unwrap();
    world.until(StatusCode::OK).await;
    let back = world.get("/api/auth/verify").await;
    assert_eq!((back.status, &back.body["device"]), (StatusCode::OK, &json!("laptop")), "{back:?}");
}

fn is_here(proxy: Proxy) -> bool {
    let is_here = Path::new(proxy.program()).exists();
    if !is_here {
        not_run("a Room behind a proxy", format_args!("{} is not installed", proxy.program()));
    }
    is_here
}
