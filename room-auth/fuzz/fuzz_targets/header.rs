#![no_main]
//! The header, signed over good claims.

use libfuzzer_sys::fuzz_target;
use room_auth_fuzz::{BENCH, CLAIMS, reread};

fuzz_target!(|header: &[u8]| {
    let token = BENCH.key.sign(header, CLAIMS).unwrap();
    if BENCH.bearer(&token).is_err() {
        return;
    }
    let header = reread(header);
    assert!(matches!(header["alg"].as_str(), Some("EdDSA" | "Ed25519")));
    assert_eq!(header["kid"], "key-1");
    for name in ["crit", "b64", "zip", "enc"] {
        assert!(!header.contains_key(name), "{name}");
    }
    if let Some(typ) = header.get("typ") {
        assert!(typ.as_str().unwrap().eq_ignore_ascii_case("JWT"));
    }
});
