#![no_main]
//! A key set document.

use libfuzzer_sys::fuzz_target;
use room_auth::KeySet;
use room_auth_fuzz::reread;

fuzz_target!(|document: &[u8]| {
    let Ok(parsed) = KeySet::parse(document) else { return };
    let entries = reread(document);
    let entries = entries["keys"].as_array().unwrap();
    assert!((1..=64).contains(&entries.len()));
    assert!(parsed.keys.len() >= 1 && parsed.keys.len() <= entries.len());
    assert!(parsed.left_out.iter().all(|entry| entry.index < entries.len()));
    for key in parsed.keys.keys() {
        let kid = key.kid().unwrap();
        let mut named = entries.iter().filter(|entry| entry["kid"] == kid);
        assert!(named.any(|entry| {
            let entry = entry.as_object().unwrap();
            ["d", "p", "q", "k"].iter().all(|name| !entry.contains_key(*name))
                && entry.get("kty").is_some_and(|kty| kty != "oct")
                && entry.get("use").is_none_or(|purpose| purpose == "sig")
        }));
        assert!(!key.verify(b"message", b"signature"));
    }
});
