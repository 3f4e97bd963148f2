//! Wrong answers: each is a fault of the endpoint, and what is held stays in use.

use super::*;

#[tokio::test]
async fn a_status_that_is_no_answer_changes_nothing() {
    let bench = Bench::new().await;
    for status in [500, 503, 429, 404, 401, 204, 206, 300] {
        bench
            .goes_wrong(Answer::status(status), |fault| *fault == FetchFault::Status(status))
            .await;
    }
    assert_eq!(bench.state(), KeyState::Fresh);
    bench.clock.advance(Duration::from_mins(6));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.server.answer(Answer::json(&bench.issuer.jwks()));
    bench.refresh().await;
    let health = bench.store.health();
    assert_eq!((health.state, health.failures, health.generation), (KeyState::Fresh, 0, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (bench, elsewhere) = (Bench::new().await, Server::start().await);
    let other = issuer();
    elsewhere.answer(Answer::json(&other.jwks()));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: {}\r\n", elsewhere.url());
        let code = status[..3].parse().unwrap();
        bench
            .goes_wrong(Answer::with(status, &location, b""), |fault| {
                *fault == FetchFault::Status(code)
            })
            .await;
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_slow_or_silent_is_left() {
    let bench = Bench::new().await;
    for answer in [Answer::Hang, Answer::Drip] {
        let start = Instant::now();
        bench.goes_wrong(answer, |fault| *fault == FetchFault::Timeout).await;
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_huge_answer_is_cut_off_early() {
    let bench = Bench::new().await;
    for announced in [true, false] {
        bench.goes_wrong(Answer::Huge { announced }, |fault| *fault == FetchFault::TooLarge).await;
    }
    // What is counted went into the sockets' buffers; the client itself keeps 256 KiB at most.
    assert!(bench.server.sent() < 20_000_000, "{} bytes", bench.server.sent());
    bench
        .goes_wrong(Answer::EndlessHeaders, |fault| {
            matches!(fault, FetchFault::Connect(_) | FetchFault::Timeout)
        })
        .await;
    assert!(bench.server.sent() < 40_000_000, "{} bytes", bench.server.sent());
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let bench = Bench::new().await;
    // The head of a gzip stream is enough: nothing may try to read on.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 1000]].concat();
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, gzip"] {
        let header = format!("Content-Encoding: {encoding}\r\n");
        bench
            .goes_wrong(Answer::with("200 OK", &header, &bomb), |fault| {
                *fault == FetchFault::Compressed
            })
            .await;
    }
    bench
        .goes_wrong(Answer::with("200 OK", "", &bomb), |fault| {
            *fault == FetchFault::KeySet(KeySetFault::NotJson)
        })
        .await;
    for request in bench.server.requests() {
        assert!(!request.contains("accept-encoding"), "{request}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_replaces_nothing() {
    let bench = Bench::new().await;
    for (body, expected) in [
        ("", KeySetFault::NotJson),
        ("<html>", KeySetFault::NotJson),
        ("null", KeySetFault::NotJson),
        ("{}", KeySetFault::NoKeysArray),
        (r#"{"keys":[]}"#, KeySetFault::NoUsableKey(Vec::new())),
    ] {
        bench.goes_wrong(Answer::json(body), |fault| *fault == FetchFault::KeySet(expected)).await;
    }
    let oct = r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}"#;
    bench
        .goes_wrong(Answer::json(oct), |fault| {
            matches!(fault, FetchFault::KeySet(KeySetFault::NoUsableKey(left)) if left.len() == 1)
        })
        .await;
    for cut in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":["[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ke",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ] {
        bench
            .goes_wrong(Answer::Raw(cut.to_vec()), |fault| {
                matches!(fault, FetchFault::Body(_) | FetchFault::Connect(_))
            })
            .await;
    }
}

#[tokio::test]
async fn one_rotten_key_among_good_ones_costs_nobody_else() {
    let bench = Bench::new().await;
    let rotten = [
        "null",
        r#"{"kty":"oct","k":"AAAA","kid":"a"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"b"}"#,
        r#"{"kty":"AKP","alg":"ML-DSA-44","kid":7}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA","kid":"c"}"#,
    ];
    let list = format!(r#"{{"keys":[{},"#, rotten.join(","));
    let document = bench.issuer.jwks().replacen(r#"{"keys":["#, &list, 1);
    bench.server.answer(Answer::json(&document));
    bench.refresh().await;
    let health = bench.store.health();
    assert_eq!((health.state, health.keys), (KeyState::Fresh, 1));
    assert_eq!(health.left_out.len(), rotten.len());
    assert_eq!(health.left_out.iter().filter(|entry| entry.fault.is_alarming()).count(), 3);
    assert!(bench.verify(&bench.mint()).is_ok());
}

fn tls() -> (tokio_rustls::rustls::ServerConfig, String) {
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (config, made.cert.pem())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (config, pem) = tls();
    let server = Server::start_tls(config).await;
    let mut bench = Bench::new().await;
    server.answer(Answer::json(&issuer().jwks()));
    let by_name = format!("https://localhost:{}/jwks", server.port());
    let by_address = format!("https://127.0.0.1:{}/jwks", server.port());
    let to_plain_http = bench.server.url().replacen("http:", "https:", 1);
    let trusting = options().root_certificate(pem);
    for (url, options) in
        [(&by_name, options()), (&by_address, trusting.clone()), (&to_plain_http, options())]
    {
        bench.fetch = HttpFetch::new(url, &options).unwrap();
        bench.refresh().await;
        let health = bench.store.health();
        // A server without TLS waits for the rest of what it takes for a request.
        let is_right = match health.last_fault {
            Some(FetchFault::Connect(_)) => true,
            Some(FetchFault::Timeout) => *url == to_plain_http,
            _ => false,
        };
        assert!(is_right, "{url}: {health:?}");
        assert!(bench.verify(&bench.mint()).is_ok());
    }
    assert_eq!(server.requests().len(), 0, "nothing was asked without trust");
    server.answer(Answer::json(&bench.issuer.jwks()));
    bench.fetch = HttpFetch::new(&by_name, &trusting).unwrap();
    bench.refresh().await;
    assert_eq!(bench.store.health().failures, 0, "{:?}", bench.store.health());
}

#[tokio::test]
async fn an_unchanged_set_is_not_sent_again() {
    let bench = Bench::new().await;
    let tagged = "ETag: \"v1\"\r\nCache-Control: max-age=600\r\n";
    bench.server.answer(Answer::with("200 OK", tagged, bench.issuer.jwks().as_bytes()));
    bench.refresh().await;
    bench.server.answer(Answer::status(304));
    bench.server.requests();
    bench.clock.advance(Duration::from_mins(11));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.refresh().await;
    assert!(bench.server.requests()[0].contains("if-none-match: \"v1\""));
    assert_eq!(bench.state(), KeyState::Fresh);
    assert!(bench.verify(&bench.mint()).is_ok());
}
