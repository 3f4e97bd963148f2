//! Pages that a person visits, and what they try on a server beside them or on the person's own.

use reqwest::Method;
use room_tests::page::Page;
use room_tests::raw;
use room_tests::socket::refused;

use super::{GUARDED, MODES, Mode, Target};

/// Names that are not ours however much they look it; `PORT` is our own port.
const REBOUND: [&str; 24] = [
    "evil.example",
    "evil.example:PORT",
    "127.evil.example:PORT",
    "127.0.0.1.evil.example:PORT",
    "localhost.evil.example:PORT",
    "room.test.evil.example",
    "evilroom.test",
    "room.test.",
    "localhost.:PORT",
    "127.0.0.1.:PORT",
    "room.test:80",
    "room.test:8443",
    "localhost@evil.example:PORT",
    "evil.example@localhost:PORT",
    "0.0.0.0:PORT",
    "127.1:PORT",
    "127.0.0.2:PORT",
    "2130706433:PORT",
    "0x7f.0.0.1:PORT",
    "[::ffff:127.0.0.1]:PORT",
    "[::1%lo]:PORT",
    "localhost:PORT,evil.example",
    "localhost:+PORT",
    "localhost:",
];

/// What is no Host at all.
const BROKEN: [&str; 7] = ["", "[", "[::1", "]", ":", "a b", "//localhost"];

const FORWARDING: [&str; 3] = ["X-Forwarded-Host", "X-Original-Host", "Forwarded"];

#[tokio::test]
async fn a_rebound_name_gets_nothing_however_it_is_written() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let port = target.app.port().to_string();
        for path in ["/", "/api/bootstrap", "/api/status", "/ws", "/no-such-page", "/sw.js"] {
            for name in REBOUND.iter().chain(&BROKEN) {
                let host = format!("Host: {}", name.replace("PORT", &port));
                let reply = target.ask("GET", path, &[&host, &target.bearer()]);
                let refused = reply.status == 421 || (reply.status == 400 && BROKEN.contains(name));
                assert!(refused, "{mode} {path} {name}: {reply:?}");
                assert!(reply.body.len() < 300, "nothing but that: {reply:?}");
            }
        }
        // Neither a proxy's word nor a second Host makes it ours.
        let own = target.host();
        for header in FORWARDING {
            let said = format!("{header}: {own}");
            let reply = target.ask("GET", "/api/status", &["Host: evil.example", &said]);
            assert_eq!(reply.status, 421, "{mode} {header}: {reply:?}");
        }
        let (own, evil) = (format!("Host: {own}"), "Host: evil.example");
        for lines in [[own.as_str(), evil], [evil, own.as_str()], [own.as_str(), own.as_str()]] {
            let reply = target.ask("GET", "/api/status", &lines);
            assert!(matches!(reply.status, 400 | 421), "{mode} {lines:?}: {reply:?}");
        }
        let reply = target.ask("GET", "/api/status", &[]);
        assert!(matches!(reply.status, 400 | 421), "{mode} no Host: {reply:?}");
        target.is_well();
    }
}

#[tokio::test]
async fn a_whole_address_in_the_request_line_agrees_with_the_host() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (own, bearer) = (target.host(), target.bearer());
        let ask = |address: String, host: &str| {
            target.ask("GET", &address, &[&format!("Host: {host}"), &bearer]).status
        };
        assert_eq!(ask(format!("http://{own}/api/status"), &own), 200, "{mode}");
        for (address, host) in [
            ("http://evil.example/api/status".to_owned(), own.as_str()),
            (format!("http://{own}/api/status"), "evil.example"),
            (format!("http://evil.example@{own}/api/status"), own.as_str()),
            (format!("ftp://{own}/api/status"), own.as_str()),
            (format!("http://{own}.evil.example/api/status"), own.as_str()),
        ] {
            let status = ask(address.clone(), host);
            assert!(matches!(status, 400 | 421), "{mode} {address} {host}: {status}");
        }
        let reply = target.ask("CONNECT", "evil.example:443", &[&format!("Host: {own}")]);
        assert!((400..500).contains(&reply.status), "{mode}: {reply:?}");
    }
}

/// Origins that are not ours.
fn foreign_origins(target: &Target) -> Vec<String> {
    let own = target.origin();
    let other_scheme = match own.strip_prefix("https://") {
        Some(rest) => format!("http://{rest}"),
        None => own.replacen("http://", "https://", 1),
    };
    let port = target.app.port();
    let mut all = vec![
        "null".to_owned(),
        "https://evil.example".to_owned(),
        other_scheme,
        format!("{own}.evil.example"),
        format!("{own}/"),
        format!("{own}@evil.example"),
        format!("http://localhost:{}", port.wrapping_add(1)),
        "http://localhost".to_owned(),
        format!("{own}, https://evil.example"),
        "file://".to_owned(),
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop".to_owned(),
        String::new(),
    ];
    if target.mode == Mode::Cloud {
        all.push(format!("http://localhost:{port}"));
    }
    all
}

#[tokio::test]
async fn a_page_elsewhere_changes_nothing_whatever_it_sends() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (host, bearer) = (format!("Host: {}", target.host()), target.bearer());
        for (method, path) in GUARDED {
            let ask = |origin: &str, more: &[&str]| {
                let origin = format!("Origin: {origin}");
                let lines = [&[host.as_str(), origin.as_str()], more].concat();
                target.ask(method.as_str(), path, &lines)
            };
            for origin in foreign_origins(&target) {
                // As a simple request, which asks nobody first; as one that says its type.
                for more in [&[][..], &["Content-Type: text/plain"], &[bearer.as_str()]] {
                    let reply = ask(&origin, more);
                    assert_eq!(reply.status, 403, "{mode} {method} {path} {origin}: {reply:?}");
                    assert_eq!(reply.code(), "wrong_origin", "{mode} {origin}");
                }
            }
            for site in ["cross-site", "same-site", "nonsense"] {
                let site = format!("Sec-Fetch-Site: {site}");
                let reply = target.ask(method.as_str(), path, &[&host, &bearer, &site]);
                assert_eq!(reply.status, 403, "{mode} {method} {path} {site}: {reply:?}");
            }
            let two = [format!("Origin: {}", target.origin()), "Origin: null".to_owned()];
            let reply = target.ask(method.as_str(), path, &[&host, &two[0], &two[1], &bearer]);
            assert_eq!(reply.status, 403, "{mode} two Origins: {reply:?}");
        }
        // What a form can send is not taken, not even from the owner.
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "application/json, text/plain",
        ] {
            let request = format!(
                "POST /api/providers/codex/connect HTTP/1.1\r\n{host}\r\n{bearer}\r\n\
                 Content-Type: {kind}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            let reply = &target.exchange(request.as_bytes())[0];
            assert_eq!(reply.status, 415, "{mode} {kind}: {reply:?}");
        }
        assert_eq!(target.app.descendants(), [], "{mode}: nothing was started");
        target.is_well();
    }
}

#[tokio::test]
async fn a_socket_is_for_our_own_page_or_a_program_and_nobody_else() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let host = format!("Host: {}", target.host());
        let upgrade = |more: &[String]| {
            let lines =
                [std::slice::from_ref(&host), target.upgrade_lines().as_slice(), more].concat();
            target.upgrade("/ws", &lines)
        };
        assert_eq!(upgrade(&[]).status, 101, "{mode}: a program");
        let own = format!("Origin: {}", target.origin());
        assert_eq!(upgrade(std::slice::from_ref(&own)).status, 101, "{mode}: our page");
        for origin in foreign_origins(&target) {
            let reply = upgrade(&[format!("Origin: {origin}")]);
            assert_eq!(reply.status, 403, "{mode} {origin}: {reply:?}");
        }
        let reply = upgrade(&[own.clone(), "Origin: null".into()]);
        assert_eq!(reply.status, 403, "{mode}: two Origins: {reply:?}");
        let mut rebound = target.upgrade_lines();
        rebound.push("Host: evil.example".into());
        assert_eq!(target.upgrade("/ws", &rebound).status, 421, "{mode}");
        // Who proves nothing gets none, and no other address has one.
        let stranger = target.app.client().upgrade(None);
        assert_eq!(refused(stranger).await, 401, "{mode}");
        for path in ["/", "/api/ws", "/api/status", "/ws/", "/WS", "//ws", "/healthz"] {
            let lines = [std::slice::from_ref(&host), target.upgrade_lines().as_slice()].concat();
            let reply = target.upgrade(path, &lines);
            assert_ne!(reply.status, 101, "{mode} {path}: {reply:?}");
        }
    }
}

/// A cookie goes with whatever any page asks; that alone opens nothing.
#[tokio::test]
async fn a_cookie_opens_no_socket_for_another_page() {
    let target = Target::start(Mode::Cloud).await;
    let page = Page::signed_in(target.app.client(), target.app.token(), "desk").await;
    let cookie = format!("Cookie: {}", page.cookie().unwrap());
    let host = format!("Host: {}", target.host());
    let upgrade = |more: &[String]| {
        let mut lines = target.upgrade_lines();
        lines.retain(|line| !line.starts_with("Authorization"));
        target
            .upgrade("/ws", &[&[host.clone(), cookie.clone()][..], lines.as_slice(), more].concat())
    };
    let own = format!("Origin: {}", target.origin());
    assert_eq!(upgrade(&[own]).status, 101);
    assert_eq!(upgrade(&[]).status, 403, "no Origin");
    for origin in foreign_origins(&target) {
        let reply = upgrade(&[format!("Origin: {origin}")]);
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
}

#[tokio::test]
async fn no_answer_lets_another_origin_read_it() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let host = format!("Host: {}", target.host());
        let mut origins = foreign_origins(&target);
        origins.push(target.origin());
        for origin in origins {
            let origin = format!("Origin: {origin}");
            for (method, path) in GUARDED {
                let asked = format!("Access-Control-Request-Method: {method}");
                let preflight = [
                    host.as_str(),
                    &origin,
                    &asked,
                    "Access-Control-Request-Headers: authorization",
                    "Access-Control-Request-Private-Network: true",
                    "Access-Control-Request-Local-Network: true",
                ];
                for reply in [
                    target.ask("OPTIONS", path, &preflight),
                    target.ask(method.as_str(), path, &[&host, &origin, &target.bearer()]),
                    target.ask("GET", "/healthz", &[&host, &origin]),
                ] {
                    let head = reply.head.to_ascii_lowercase();
                    assert!(!head.contains("access-control"), "{mode} {origin}: {head}");
                }
                if method == Method::DELETE {
                    break; // It signed nobody out: programs cannot be.
                }
            }
        }
    }
}

/// The one page elsewhere that is on the list is named, is the only one, and gets no credentials.
#[tokio::test]
async fn a_listed_origin_is_named_exactly_and_gets_no_cookie() {
    let listed = "https://app.example";
    let more = |setup: room_tests::app::Setup| setup.var("ROOM_ALLOWED_ORIGINS", listed);
    let target = Target::with(Mode::Cloud, more).await;
    let host = format!("Host: {}", target.host());
    let ask = |method: &str, origin: &str| {
        let origin = format!("Origin: {origin}");
        let asked = "Access-Control-Request-Method: GET";
        let network = "Access-Control-Request-Private-Network: true";
        target.ask(method, "/api/status", &[&host, &origin, asked, network, &target.bearer()])
    };
    for method in ["OPTIONS", "GET"] {
        let reply = ask(method, listed);
        assert_eq!(reply.header("access-control-allow-origin"), Some(listed), "{reply:?}");
        assert!(
            reply.all("vary").iter().any(|vary| vary.eq_ignore_ascii_case("origin")),
            "{reply:?}"
        );
        for header in ["access-control-allow-credentials", "access-control-allow-private-network"] {
            assert_eq!(reply.header(header), None, "{reply:?}");
        }
        for other in ["https://app.example.evil.example", "https://evil.app.example", "null", "*"] {
            let reply = ask(method, other);
            assert_eq!(reply.header("access-control-allow-origin"), None, "{other}: {reply:?}");
            assert_eq!(reply.status, 403, "{other}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_token_in_an_address_is_refused_and_written_nowhere() {
    for mode in MODES {
        let target = Target::with(mode, |setup| setup.var("ROOM_LOG", "trace")).await;
        let token = target.app.token().to_owned();
        let names = ["token", "TOKEN", "%74oken", "access_token", "jwt", "code", "ticket"];
        for name in names {
            for path in ["/api/status", "/ws", "/api/bootstrap", "/", "/healthz"] {
                let reply = target.get(&format!("{path}?{name}={token}&x=1"), &[]);
                let refused = reply.status == 400 || path == "/healthz";
                assert!(refused, "{mode} {path} {name}: {reply:?}");
                assert!(!reply.body.contains(&token), "{mode}: {reply:?}");
                assert_eq!(reply.header("location"), None, "{mode}: {reply:?}");
            }
        }
        let log = target.app.log();
        assert!(log.contains("request"), "it does log: {log}");
        assert!(!log.contains(&token), "{mode}: {log}");
    }
}

/// Addresses that browsers and servers read differently.
const ODD_PATHS: [&str; 29] = [
    "//",
    "///",
    "//evil.example",
    "//evil.example/..",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/..",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/%252e%252e/etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/..%252f..%252fetc/passwd",
    "/..%c0%af..%c0%afetc/passwd",
    "/assets/../index.html",
    "/assets/..%2findex.html",
    "/assets/%2e%2e/build.json",
    "/index.html%00.js",
    "/%00",
    "/%",
    "/%zz",
    "/index.html/",
    "/index.html.br",
    "/assets/",
    "/.git/config",
    "/.env",
    "/index.html?raw??",
    "/@fs/etc/passwd",
    "/proc/self/environ",
    "/api/../healthz",
];

#[tokio::test]
async fn odd_addresses_lead_nowhere() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let page = target.get("/", &[]).body;
        for path in ODD_PATHS {
            for accept in ["Accept: */*", "Accept: text/html"] {
                for more in ["", "?return=https://evil.example&next=//evil.example"] {
                    let reply = target.get(&format!("{path}{more}"), &[accept]);
                    let answered = matches!(reply.status, 200 | 400 | 404 | 405);
                    assert!(answered, "{mode} {path}{more}: {reply:?}");
                    assert_eq!(reply.header("location"), None, "{mode} {path}: {reply:?}");
                    assert_eq!(reply.header("refresh"), None, "{mode} {path}: {reply:?}");
                    for file in ["root:x", "ROOM_", "[core]"] {
                        assert!(!reply.body.contains(file), "{mode} {path}: {reply:?}");
                    }
                    // The page of the application or a plain no; never another file.
                    assert!(reply.status != 200 || reply.body == page, "{mode} {path}: {reply:?}");
                }
            }
        }
        for target_form in ["*", "evil.example", "?", "#"] {
            let host = format!("Host: {}", target.host());
            let reply = target.ask("GET", target_form, &[&host]);
            assert!((400..500).contains(&reply.status), "{mode} {target_form}: {reply:?}");
        }
        target.is_well();
    }
}

/// The predecessor's link carried a token; where that is still allowed, it leads to our own page.
#[tokio::test]
async fn the_one_redirect_there_is_leads_to_our_own_page() {
    let secret = "0123456789abcdef0123456789abcdef";
    let more = |setup: room_tests::app::Setup| {
        setup
            .var("ROOM_JWT_SECRET", secret)
            .var("ROOM_ALLOW_LEGACY_HMAC", "1")
            .var("ROOM_ALLOW_QUERY_TOKEN", "1")
    };
    let target = Target::with(Mode::Cloud, more).await;
    for value in [
        "a.b.c",
        "//evil.example",
        "%2f%2fevil.example",
        "a%0d%0aSet-Cookie:%20x=1",
        "a%0aLocation:%20https://evil.example",
        "javascript:alert(1)",
        "",
        "a&token=b",
    ] {
        let reply = target.get(&format!("/?token={value}&return=https://evil.example"), &[]);
        assert_eq!(reply.header("set-cookie"), None, "{value}: {reply:?}");
        match reply.header("location") {
            Some(location) => {
                let rest = location.strip_prefix("/#token=").unwrap_or_else(|| panic!("{reply:?}"));
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                assert!(rest.chars().all(plain), "{value}: {reply:?}");
                assert_eq!(reply.all("location").len(), 1, "{reply:?}");
            }
            None => assert_ne!(reply.status / 100, 3, "{value}: {reply:?}"),
        }
    }
}

/// What a page may be shown in, and may load, is said on every kind of answer there is.
#[tokio::test]
async fn every_kind_of_answer_says_that_it_is_in_no_frame() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (host, bearer) = (format!("Host: {}", target.host()), target.bearer());
        let own = |method: &str, path: &str, more: &[&str]| {
            target.ask(method, path, &[&[host.as_str()], more].concat())
        };
        let long = format!("/{}", "x".repeat(9000));
        let replies = [
            (200, own("GET", "/", &[])),
            (200, own("GET", "/sw.js", &[])),
            (200, own("GET", "/healthz", &[])),
            (200, own("GET", "/api/status", &[&bearer])),
            (400, own("GET", "/api/status?token=x", &[])),
            (401, own("GET", "/api/status", &[])),
            (403, own("GET", "/api/status", &["Origin: null"])),
            (404, own("GET", "/no-such-page.js", &[])),
            (404, own("GET", "/api/none", &[])),
            (405, own("PUT", "/api/status", &[])),
            (405, own("POST", "/", &[])),
            (413, own("POST", "/api/status", &["Content-Length: 70000"])),
            (414, own("GET", &long, &[])),
            (421, target.ask("GET", "/", &["Host: evil.example"])),
            (401, own("GET", "/ws", &[])),
        ];
        for (status, reply) in replies {
            assert_eq!(reply.status, status, "{mode}: {reply:?}");
            let policy = reply.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("frame-ancestors 'none'"), "{mode}: {reply:?}");
            assert!(policy.contains("default-src 'none'"), "{mode}: {reply:?}");
            for (name, value) in [
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(reply.header(name), Some(value), "{mode} {name}: {reply:?}");
            }
            let lasting = reply.header("strict-transport-security").is_some();
            assert_eq!(lasting, mode == Mode::Cloud, "{mode}: {reply:?}");
            assert_eq!(reply.header("server"), None, "{mode}: {reply:?}");
            assert!(reply.header("x-request-id").is_some(), "{mode}: {reply:?}");
        }
        // What is no HTTP is answered before there is a request: with nothing that could be shown.
        for bytes in ["GET /\r\n\r\n", "NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n"] {
            for reply in raw::replies(&raw::exchange_bytes(target.app.port(), bytes.as_bytes())) {
                assert_eq!((reply.status, reply.body.as_str()), (400, ""), "{mode}: {reply:?}");
            }
        }
    }
}
