//! Strangers on the internet: whose failures are counted, and against whom.

use std::net::SocketAddr;

use reqwest::Method;
use room_tests::client::Answer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::{Mode, Target};

/// A Room that counts failures, and takes addresses from there.
pub(super) async fn counting(client_ip: &str) -> Target {
    let more = |setup: room_tests::app::Setup| {
        setup.var("ROOM_CLIENT_IP", client_ip).var("ROOM_AUTH_FAILURES_PER_MINUTE", "10")
    };
    Target::with(Mode::Cloud, more).await
}

/// A guess with these headers; its status.
pub(super) async fn guess(target: &Target, headers: &[(&str, String)]) -> u16 {
    let mut request = target.app.client().bearing("AAAA.BBBB.CCCC", Method::GET, "/api/status");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = Answer::of(request).await;
    let status = answer.status.as_u16();
    if status == 429 {
        let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
        assert!(wait.is_some_and(|wait| wait >= 1), "{answer:?}");
    }
    status
}

/// Whether guesses are refused as too many at some time, with a header that changes each time.
pub(super) async fn is_limited(
    target: &Target,
    headers: impl Fn(usize) -> Vec<(&'static str, String)>,
) -> bool {
    for at in 0..40 {
        match guess(target, &headers(at)).await {
            429 => return true,
            400 | 401 => {}
            other => panic!("{other} for {:?}", headers(at)),
        }
    }
    false
}

/// Whether guesses are refused, but for the few that a slow machine has had time to be allowed.
pub(super) async fn is_still_limited(target: &Target, headers: &[(&str, String)]) -> bool {
    for _ in 0..4 {
        if guess(target, headers).await == 429 {
            return true;
        }
    }
    false
}

/// An address that is another one each time, in networks of their own.
fn another(at: usize) -> String {
    format!("203.{}.113.7", at % 250)
}

/// Everything that says where a request came from, but what stands in the list.
fn forged(at: usize, but: &[&str]) -> Vec<(&'static str, String)> {
    let address = another(at);
    let all = [
        ("x-forwarded-for", address.clone()),
        ("x-real-ip", address.clone()),
        ("x-client-ip", address.clone()),
        ("true-client-ip", address.clone()),
        ("client-ip", address.clone()),
        ("forwarded", format!("for={address}")),
        ("fly-client-ip", address.clone()),
        ("cf-connecting-ip", address),
    ];
    all.into_iter().filter(|(name, _)| !but.contains(name)).collect()
}

/// Whoever guesses cannot be someone else by a header that the configured proxy does not write.
#[tokio::test]
async fn forged_addresses_are_counted_as_one_in_every_mode_there_is() {
    // Nothing in front: no header means anything.
    let direct = counting("direct").await;
    assert!(is_limited(&direct, |at| forged(at, &[])).await, "direct");

    // Behind Fly's proxy: its own header, which it writes over whatever was sent, and no other.
    let fly = counting("fly").await;
    let from = |address: &str, at: usize| {
        let mut headers = forged(at, &["fly-client-ip"]);
        headers.push(("fly-client-ip", address.to_owned()));
        headers
    };
    assert!(is_limited(&fly, |at| from("198.51.100.1", at)).await, "fly");
    assert_eq!(guess(&fly, &from("198.51.100.2", 0)).await, 401, "others are not touched");
    // Without it, as health checks come, and with nonsense in it: one bucket, never a fault.
    assert!(is_limited(&fly, |at| forged(at, &["fly-client-ip"])).await, "fly without");
    assert!(is_limited(&fly, |at| from(&format!("nonsense {at}"), at)).await, "fly nonsense");

    // Cloudflare's header counts when Cloudflare is in front; here it is not.
    let cloudflare = counting("cloudflare").await;
    assert!(is_limited(&cloudflare, |at| from("198.51.100.1", at)).await, "cloudflare");
    // Where it is, the header of the attacker's own network still counts as that one.
    let through = |address: &str, at: usize| {
        let mut headers = forged(at, &["fly-client-ip", "cf-connecting-ip"]);
        headers.push(("fly-client-ip", "162.158.1.1".to_owned()));
        headers.push(("cf-connecting-ip", address.to_owned()));
        headers
    };
    assert!(is_limited(&cloudflare, |at| through("198.51.100.9", at)).await, "through it");
    assert_eq!(guess(&cloudflare, &through("198.51.100.10", 0)).await, 401);

    // Two proxies of one's own: the second from the right, whatever stands left of it.
    let proxies = counting("proxies:2").await;
    let list = |at: usize| {
        let mut headers = forged(at, &["x-forwarded-for"]);
        let list = format!("{}, 198.51.100.1, 192.0.2.1", another(at));
        headers.push(("x-forwarded-for", list));
        headers
    };
    assert!(is_limited(&proxies, list).await, "proxies");
    let other = [("x-forwarded-for", "198.51.100.2, 192.0.2.1".to_owned())];
    assert_eq!(guess(&proxies, &other).await, 401, "others are not touched");
}

/// A network is one: a home has more addresses of IPv6 than there are guesses.
#[tokio::test]
async fn a_home_network_counts_as_one_and_its_neighbour_as_another() {
    let target = counting("fly").await;
    let from = |address: String| vec![("fly-client-ip", address)];
    assert!(is_limited(&target, |at| from(format!("2001:db8:1:2::{at:x}"))).await);
    assert_eq!(guess(&target, &from("2001:db8:1:3::1".into())).await, 401);
    // A mapped address is the address.
    assert!(is_limited(&target, |_| from("192.0.2.7".into())).await);
    assert!(is_still_limited(&target, &from("::ffff:192.0.2.7".into())).await);
}

/// An attacker who is told to wait keeps nobody else out: not from the very same address.
#[tokio::test]
async fn a_valid_token_is_never_refused_for_the_failures_of_others() {
    for client_ip in ["direct", "fly", "proxies:1"] {
        let target = counting(client_ip).await;
        let shared = [
            ("fly-client-ip", "198.51.100.1".to_owned()),
            ("x-forwarded-for", "198.51.100.1".to_owned()),
        ];
        assert!(is_limited(&target, |_| shared.to_vec()).await, "{client_ip}");
        for _ in 0..3 {
            assert!(is_still_limited(&target, &shared).await, "{client_ip}: the attacker");
            let mut request = target.app.request(Method::GET, "/api/status");
            for (name, value) in &shared {
                request = request.header(*name, value);
            }
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 200, "{client_ip}: the victim: {answer:?}");
        }
        // Nor a new sign-in, nor a socket.
        let client = target.app.client();
        let page = room_tests::page::Page::signed_in(client, target.app.token(), "desk").await;
        let _ = page.socket().await;
    }
}

/// In local mode every program of this machine has the one address; the attacker comes from
/// another one of it.
#[tokio::test]
async fn in_local_mode_wrong_codes_keep_no_right_one_out() {
    let on = |setup: room_tests::app::Setup| setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10");
    let target = Target::with(Mode::Local, on).await;
    let wrong = |from: &'static str| {
        let (port, host, origin) = (target.app.port(), target.host(), target.origin());
        async move {
            let body = format!("{{\"code\":\"{}\"}}", "A".repeat(43));
            let request = format!(
                "POST /api/auth/handshake HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\
                 Sec-Fetch-Site: same-origin\r\nX-Room-Handshake: 1\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
            let to = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
            let mut stream = socket.connect(to).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            room_tests::raw::status(&answer)
        }
    };
    let mut limited = false;
    for _ in 0..40 {
        limited |= wrong("127.0.0.7").await == 429;
    }
    assert!(limited);
    assert_eq!(wrong("127.0.0.8").await, 401, "others are not touched");
    let output = target.app.command(&["open", "--no-open"]).unwrap().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, code) = text.trim().split_once("#code=").expect("a link");
    let answer = Answer::of(
        target
            .app
            .anonymous(Method::POST, "/api/auth/handshake")
            .header("host", target.host())
            .header("origin", target.origin())
            .header("x-room-handshake", "1")
            .header("sec-fetch-site", "same-origin")
            .json(&serde_json::json!({ "code": code })),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    target.is_well();
}
