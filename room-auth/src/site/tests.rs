//! Hosts, origins and headers as they come, and as they should not.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_host(port: u16, host: &[u8], expected: Result<&str, HostFault>) {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_bytes(host).unwrap());
    let site = Site::loopback(port);
    let asked = site.check_host(&headers, &Uri::from_static("/"));
    let asked = asked.map(ToString::to_string);
    assert_eq!(asked, expected.map(String::from), "{}", host.escape_ascii());
}

#[test]
fn only_our_own_names_with_our_port_are_hosts() {
    for ours in ["localhost:3700", "127.0.0.1:3700", "[::1]:3700"] {
        check_host(3700, ours.as_bytes(), Ok(ours));
    }
    check_host(3700, b"LocalHost:3700", Ok("localhost:3700"));
    check_host(3700, b"localhost:03700", Ok("localhost:3700"));
    check_host(3700, b"[0:0:0:0:0:0:0:1]:3700", Ok("[::1]:3700"));
    check_host(80, b"localhost", Ok("localhost"));
    check_host(80, b"[::1]", Ok("[::1]"));
    for foreign in [
        "localhost",
        "localhost:3701",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.2:3700",
        "127.evil.com:3700",
        "127.0.0.1.evil.com:3700",
        "localhost.evil.com:3700",
        "evil.com:3700",
        "evil.com",
        "127.1:3700",
        "0177.0.0.1:3700",
        "2130706433:3700",
        "0.0.0.0:3700",
        "[::]:3700",
        "[::ffff:127.0.0.1]:3700",
        "localhost-:3700",
        "xn--localhost:3700",
        "a.localhost:3700",
    ] {
        check_host(3700, foreign.as_bytes(), Err(HostFault::Foreign));
    }
    for malformed in [
        "",
        " ",
        ":3700",
        "localhost:",
        "localhost.:3700",
        "localhost:3700.",
        "localhost :3700",
        "user@localhost:3700",
        "localhost:3700@evil.com",
        "localhost:+3700",
        "localhost:-1",
        "localhost:65536",
        "localhost:003700",
        "localhost:3700:3700",
        "[",
        "[]",
        "[]:3700",
        "[::1",
        "::1:3700",
        "[::1]3700",
        "[::1%lo]:3700",
        "[::1%25lo]:3700",
        "[127.0.0.1]:3700",
        "localhost:3700,evil.com",
        "localhost:3700/",
        "local_host:3700",
        "localhost%2e:3700",
        "http://localhost:3700",
        "*",
        "localhost\t:3700",
    ] {
        check_host(3700, malformed.as_bytes(), Err(HostFault::Malformed));
    }
    check_host(3700, b"loc\xc3\xa4lhost:3700", Err(HostFault::Malformed));
    check_host(3700, b"\xff:3700", Err(HostFault::Malformed));
}

#[test]
fn a_host_must_be_there_once_and_agree_with_the_target() {
    let site = Site::loopback(3700);
    let ask = |hosts: &[&'static str], target: &'static str| {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        site.check_host(&headers, &Uri::from_static(target)).map(|_| ())
    };
    assert_eq!(ask(&[], "/"), Err(HostFault::Missing));
    assert_eq!(ask(&[], "http://localhost:3700/"), Err(HostFault::Missing));
    assert_eq!(ask(&["localhost:3700", "localhost:3700"], "/"), Err(HostFault::Several));
    assert_eq!(ask(&["localhost:3700"], "http://localhost:3700/"), Ok(()));
    assert_eq!(ask(&["localhost:3700"], "http://127.0.0.1:3700/"), Err(HostFault::Disagrees));
    assert_eq!(ask(&["localhost:3700"], "http://evil.com/"), Err(HostFault::Disagrees));
    assert_eq!(ask(&["localhost:3700"], "https://localhost:3700/"), Err(HostFault::Disagrees));
    assert_eq!(ask(&["evil.com"], "http://localhost:3700/"), Err(HostFault::Disagrees));
    assert_eq!(ask(&["localhost:3700"], "http://a@localhost:3700/"), Err(HostFault::Disagrees));
}

#[test]
fn an_origin_is_ours_to_the_letter_or_refused() {
    let site = Site::loopback(3700);
    let ask = |origins: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        site.check_origin(&headers).map(|origin| origin.map(str::to_owned))
    };
    assert_eq!(ask(&[]), Ok(None));
    for ours in ["http://localhost:3700", "http://127.0.0.1:3700", "http://[::1]:3700"] {
        assert_eq!(ask(&[ours]), Ok(Some(ours.into())));
    }
    assert_eq!(ask(&["null"]), Err(OriginFault::Null));
    assert_eq!(ask(&["http://localhost:3700"; 2]), Err(OriginFault::Several));
    for foreign in [
        "",
        "NULL",
        "https://localhost:3700",
        "http://localhost",
        "http://localhost:3000",
        "http://localhost:37000",
        "http://localhost:3700/",
        "http://localhost:3700.evil.com",
        "http://localhost:3700@evil.com",
        "HTTP://localhost:3700",
        "http://LOCALHOST:3700",
        "http://localhost.:3700",
        "http://evil.com",
        "http://localhost:3700 http://evil.com",
        "localhost:3700",
        "*",
    ] {
        assert_eq!(ask(&[foreign]), Err(OriginFault::Foreign), "{foreign}");
    }
    let port_80 = Site::loopback(80);
    let mut headers = HeaderMap::new();
    headers.insert(ORIGIN, HeaderValue::from_static("http://localhost"));
    assert_eq!(port_80.check_origin(&headers), Ok(Some("http://localhost")));
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_written_back_the_same(text in "[\\[\\]a-zA-Z0-9:.@%/-]{0,24}") {
        if let Some(authority) = Authority::parse(&text) {
            prop_assert_eq!(Authority::parse(&authority.to_string()), Some(authority));
        }
    }

    #[test]
    fn no_bytes_panic_and_only_ours_pass(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, value.clone());
            headers.insert(ORIGIN, value);
            let site = Site::loopback(3700);
            prop_assert!(site.check_host(&headers, &Uri::from_static("/")).is_err());
            prop_assert!(site.check_origin(&headers).is_err());
        }
    }
}

#[test]
fn the_words_of_sec_fetch_site_are_the_standards() {
    let read = |words: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for word in words {
            headers.append("sec-fetch-site", HeaderValue::from_static(word));
        }
        FetchSite::of(&headers)
    };
    assert_eq!(read(&[]), FetchSite::Absent);
    assert_eq!(read(&["same-origin"]), FetchSite::SameOrigin);
    assert_eq!(read(&["same-site"]), FetchSite::SameSite);
    assert_eq!(read(&["cross-site"]), FetchSite::CrossSite);
    assert_eq!(read(&["none"]), FetchSite::None);
    for words in [&["Same-Origin"][..], &[""], &["none "], &["none", "none"]] {
        assert_eq!(read(words), FetchSite::Unknown, "{words:?}");
    }
}

#[test]
fn a_name_has_253_characters_at_most() {
    assert!(Authority::parse(&"a".repeat(253)).is_some());
    assert!(Authority::parse(&"a".repeat(254)).is_none());
}

#[test]
fn a_public_site_has_one_host_and_the_port_of_its_scheme() {
    let check = |origin: &str, host: &str, is_ours: bool| {
        let site = Site::public(origin, []).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let found = site.check_host(&headers, &Uri::from_static("/"));
        assert_eq!(found.is_ok(), is_ours, "{origin} {host}");
    };
    check("https://room.example", "room.example", true);
    check("https://room.example", "room.example:443", true);
    check("https://room.example", "room.example:80", false);
    check("http://127.0.0.1:3700", "127.0.0.1:3700", true);
    check("http://127.0.0.1:3700", "127.0.0.1", false);
    check("http://localhost", "localhost:80", true);
    check("http://localhost", "localhost:443", false);
    for origin in
        ["", "room.example", "ftp://room.example", "https://", "https://a/b", "https://a?b"]
    {
        assert!(Site::public(origin, []).is_none(), "{origin}");
    }
}

#[test]
fn an_origin_that_is_let_in_is_not_our_own() {
    let site = Site::public("https://room.example", ["https://app.example".to_owned()]).unwrap();
    assert!(site.is_own_origin("https://room.example"));
    assert!(!site.is_own_origin("https://app.example"));
    assert!(!site.is_own_origin("https://other.example"));
    let local = Site::loopback(3700);
    for own in ["http://localhost:3700", "http://127.0.0.1:3700", "http://[::1]:3700"] {
        assert!(local.is_own_origin(own), "{own}");
    }
}
