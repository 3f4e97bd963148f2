#![no_main]
//! The claims of a Cloudflare Access assertion, under a good header and a good signature.

use libfuzzer_sys::fuzz_target;
use room_auth_fuzz::{ASSERTION_HEADER, BENCH, NOW, TAG, reread, seconds};

fuzz_target!(|payload: &[u8]| {
    let token = BENCH.access_key.sign(ASSERTION_HEADER, payload).unwrap();
    let Ok(caller) = BENCH.assertion(&token) else { return };
    let claims = reread(payload);
    assert_eq!(claims["iss"], "https://team.cloudflareaccess.com");
    assert_eq!(claims["type"], "app");
    let ours = |audience: &serde_json::Value| audience == TAG;
    assert!(ours(&claims["aud"]) || claims["aud"].as_array().unwrap().iter().any(ours));
    let (now, exp, iat) = (NOW as f64, seconds(&claims, "exp"), seconds(&claims, "iat"));
    assert!(now < exp + 30.0 && iat <= now + 30.0 && exp > iat);
    match claims.get("common_name") {
        Some(name) => {
            assert_eq!(name, "client-1");
            assert_eq!(caller.identity().subject, "service-token:client-1");
            assert!(!claims.contains_key("email"));
        }
        None => {
            assert!(claims["email"].as_str().unwrap().eq_ignore_ascii_case("ada@example.com"));
            assert_eq!(claims["sub"].as_str(), Some(caller.identity().subject.as_str()));
        }
    }
});
