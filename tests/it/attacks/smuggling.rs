//! Requests that two programs could read differently: what one takes for the body of a request, the
//! other for the next request. Each case says which answers there may be; the hidden request would
//! show as one more.

use super::{MODES, Target};

/// The request that is hidden in another one: its answer is 200, and has a word of its own.
const HIDDEN: &str = "GET /api/bootstrap HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";

/// Where the outer request goes: a stranger's `POST` is refused before its body is read.
const OUTER: &str = "POST /api/providers/codex/connect HTTP/1.1\r\nHost: HOST\r\n\
                     Content-Type: application/json\r\n";

/// A head that hides a request behind this framing, and the body before it.
fn hidden_behind(framing: &str, body: &str) -> String {
    format!("{OUTER}{framing}\r\n\r\n{body}{HIDDEN}")
}

/// The cases: what is sent, and which statuses may come back. `0` is an answer that was cut off.
fn cases() -> Vec<(&'static str, String, &'static [&'static [u16]])> {
    // Refused where it stands, or as the stranger it is; nothing comes after.
    const ONE: &[&[u16]] = &[&[400], &[401]];
    const BAD: &[&[u16]] = &[&[400]];
    let length = HIDDEN.replace("HOST", "").len();
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked", length + 5);
    let turned = format!("Transfer-Encoding: chunked\r\nContent-Length: {}", length + 5);
    vec![
        ("length, then chunks", hidden_behind(&both, "0\r\n\r\n"), ONE),
        ("chunks, then length", hidden_behind(&turned, "0\r\n\r\n"), ONE),
        ("two lengths", hidden_behind("Content-Length: 0\r\nContent-Length: 44", ""), BAD),
        ("a list of lengths", hidden_behind("Content-Length: 0, 44", ""), BAD),
        ("a length with a sign", hidden_behind("Content-Length: +0", ""), BAD),
        ("a negative length", hidden_behind("Content-Length: -1", ""), BAD),
        ("a length in hex", hidden_behind("Content-Length: 0x0", ""), BAD),
        (
            "a length past all numbers",
            hidden_behind("Content-Length: 18446744073709551616", ""),
            BAD,
        ),
        ("no length", hidden_behind("Content-Length:", ""), BAD),
        ("a space before the colon", hidden_behind("Content-Length : 0", ""), BAD),
        (
            "chunks that are not last",
            hidden_behind("Transfer-Encoding: chunked, identity", ""),
            BAD,
        ),
        ("chunks by another name", hidden_behind("Transfer-Encoding: xchunked", ""), BAD),
        (
            "chunks in two lines",
            hidden_behind("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", ""),
            BAD,
        ),
        ("chunks after a space", hidden_behind("Transfer-Encoding : chunked", "0\r\n\r\n"), BAD),
        ("chunks after a tab", hidden_behind("Transfer-Encoding:\x0bchunked", "0\r\n\r\n"), BAD),
        ("a folded header", hidden_behind("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"), BAD),
        ("a header that goes on", hidden_behind("X: y\r\n z", ""), BAD),
        ("a bare return", hidden_behind("X: y\rContent-Length: 44", ""), BAD),
        ("a null", hidden_behind("X: y\0z", ""), BAD),
        ("a header without a name", hidden_behind(": y", ""), BAD),
        ("a header without a colon", hidden_behind("Content-Length", ""), BAD),
        (
            "chunks in HTTP/1.0",
            hidden_behind("Transfer-Encoding: chunked", "0\r\n\r\n")
                .replacen("HTTP/1.1", "HTTP/1.0", 1),
            BAD,
        ),
    ]
}

#[tokio::test]
async fn a_hidden_request_is_never_answered() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let host = target.host();
        for (name, request, allowed) in cases() {
            let request = request.replace("HOST", &host);
            let replies = target.exchange(request.as_bytes());
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            assert!(allowed.contains(&&*statuses), "{mode} {name}: {replies:?}");
        }
        // The checker would see one: two requests in one breath are two answers, in their order.
        let two = format!("{}{HIDDEN}", HIDDEN.replace("close", "keep-alive"));
        let replies = target.exchange(two.replace("HOST", &host).as_bytes());
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, [200, 200], "{mode}: {replies:?}");
        target.is_well();
    }
}

/// A body that nobody reads is no request: not after a refusal, whatever the refusal.
#[tokio::test]
async fn what_a_refused_request_carries_is_not_the_next_one() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (host, bearer) = (target.host(), target.bearer());
        let hidden = HIDDEN.replace("HOST", &host);
        let length = hidden.len();
        for (name, line, more, status) in [
            ("a stranger", "POST /api/providers/codex/connect", String::new(), 401),
            ("another origin", "POST /api/providers/codex/connect", "Origin: null".into(), 403),
            ("no such route", "POST /api/none", String::new(), 404),
            ("another method", "PUT /api/status", String::new(), 405),
            ("a form", "POST /api/providers/codex/connect", bearer.clone(), 415),
            ("a body to a page", "GET /", String::new(), 200),
            ("a body to the health check", "GET /healthz", String::new(), 200),
        ] {
            for framing in [
                format!("Content-Length: {length}\r\n\r\n{hidden}"),
                format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
            ] {
                let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
                let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{more}");
                // The next request in the same breath; where its answer does not come, the
                // connection was closed, which is as well.
                let next = format!(
                    "GET /no-such-page.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                );
                let replies = target.exchange(format!("{head}{framing}{next}").as_bytes());
                let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
                let fine = statuses == [status] || statuses == [status, 404];
                assert!(fine, "{mode} {name}: {statuses:?}");
            }
        }
        // A length alone is enough to be refused, and what follows is not read as a request.
        let long = format!("{OUTER}Content-Length: 70000\r\n\r\n{HIDDEN}").replace("HOST", &host);
        let replies = target.exchange(long.as_bytes());
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, [413], "{mode}: {replies:?}");
        target.is_well();
    }
}

/// Chunks that lie about where they end.
#[tokio::test]
async fn chunks_that_lie_end_the_connection() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (host, bearer) = (target.host(), target.bearer());
        let head = format!(
            "POST /api/providers/codex/connect HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let hidden = HIDDEN.replace("HOST", &host);
        for (name, chunks) in [
            ("a sign", "+2\r\n{}\r\n0\r\n\r\n"),
            ("a minus", "-2\r\n{}\r\n0\r\n\r\n"),
            ("hex by its prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
            ("past all numbers", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
            ("no size", "\r\n{}\r\n0\r\n\r\n"),
            ("a bare line feed", "2\n{}\r\n0\r\n\r\n"),
            ("a bare line feed in an extension", "2;a=b\n{}\r\n0\r\n\r\n"),
            ("a bare return in an extension", "2;a\rb\r\n{}\r\n0\r\n\r\n"),
            ("longer than it says", "2\r\n{}xx\r\n0\r\n\r\n"),
            ("no end", "2\r\n{}0\r\n\r\n"),
            ("a trailer without a colon", "2\r\n{}\r\n0\r\nX\r\n\r\n"),
        ] {
            let replies = target.exchange(format!("{head}{chunks}{hidden}").as_bytes());
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            assert!(matches!(*statuses, [] | [400]), "{mode} {name}: {replies:?}");
        }
        // An extension is no lie: it is passed over, and what follows is the next request.
        let fine = format!("{head}2;a=b;c=\"d\"\r\n{{}}\r\n0\r\nX: y\r\n\r\n{hidden}");
        let replies = target.exchange(fine.as_bytes());
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, [409, 200], "{mode}: {replies:?}");
        // Extensions, trailers and chunks of one byte are no way to send without a bound.
        for endless in [
            format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(40_000)),
            format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "a".repeat(40_000)),
            "1\r\n \r\n".repeat(70_000) + "2\r\n{}\r\n0\r\n\r\n",
        ] {
            let replies = target.exchange(format!("{head}{endless}{hidden}").as_bytes());
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            assert!(matches!(*statuses, [] | [400 | 413]), "{mode}: {statuses:?}");
        }
        target.is_well();
    }
}

#[tokio::test]
async fn after_what_is_no_http_nothing_is_read() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let hidden = HIDDEN.replace("HOST", &target.host());
        for nonsense in [
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/0.9\r\n\r\n",
            "GET /\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GE T / HTTP/1.1\r\n\r\n",
            " GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 x\r\n\r\n",
            "GET /\u{1}x HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n",
            "*1\r\n$4\r\nPING\r\n",
        ] {
            let replies = target.exchange(format!("{nonsense}{hidden}").as_bytes());
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            assert!(matches!(*statuses, [] | [400]), "{mode} {nonsense:?}: {replies:?}");
        }
        target.is_well();
    }
}

/// No other protocol, no other method by a header, no word before the rules have spoken.
#[tokio::test]
async fn a_request_is_what_its_first_line_says() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let bearer = target.bearer();
        let h2c =
            ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"];
        let reply = target.get("/api/bootstrap", &h2c);
        assert_eq!((reply.status, &reply.head[..9]), (200, "HTTP/1.1 "), "{mode}: {reply:?}");
        for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
            let reply = target.get("/api/auth/verify", &[&bearer, &format!("{header}: DELETE")]);
            assert_eq!(reply.status, 200, "{mode} {header}: {reply:?}");
        }
        for header in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"] {
            let reply = target.get("/api/none", &[&bearer, &format!("{header}: /api/bootstrap")]);
            assert_eq!(reply.status, 404, "{mode} {header}: {reply:?}");
        }
        let host = format!("Host: {}", target.host());
        for method in ["TRACE", "TRACK", "DEBUG", "PROPFIND", "get", "PATCH"] {
            let reply = target.ask(method, "/api/status", &[&host, &bearer, "X-Canary: canary"]);
            assert!(matches!(reply.status, 404 | 405), "{mode} {method}: {reply:?}");
            assert!(!reply.body.contains("canary"), "{mode} {method}: {reply:?}");
        }
        // `100 Continue` would invite the body of someone who is refused.
        let waits = ["Host: evil.example", "Expect: 100-continue", "Content-Length: 2"];
        let reply = target.ask("POST", target.way_in(), &waits);
        assert_eq!(reply.status, 421, "{mode}: {reply:?}");
        let stranger = [host.as_str(), "Expect: 100-continue", "Content-Length: 2"];
        let reply = target.ask("POST", "/api/providers/codex/connect", &stranger);
        assert_eq!(reply.status, 401, "{mode}: {reply:?}");
        target.is_well();
    }
}
