#![no_main]
//! The claims, under a good header and a good signature.

use libfuzzer_sys::fuzz_target;
use room_auth::{Role, Standing};
use room_auth_fuzz::{BENCH, HEADER, ISSUER, NOW, reread, seconds};

fuzz_target!(|payload: &[u8]| {
    let token = BENCH.key.sign(HEADER, payload).unwrap();
    let Ok(caller) = BENCH.bearer(&token) else { return };
    let claims = reread(payload);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["instanceId"], "inst-1");
    let ours = |audience: &serde_json::Value| audience == "quoroom-runtime";
    assert!(ours(&claims["aud"]) || claims["aud"].as_array().unwrap().iter().any(ours));
    assert_eq!(claims["sub"].as_str(), Some(caller.identity().subject.as_str()));
    assert!(!caller.identity().subject.trim().is_empty());
    let Standing::Person(role) = caller.standing() else { panic!("a service") };
    assert_eq!(Role::parse(claims["role"].as_str().unwrap()), Some(role));
    let (now, exp, iat) = (NOW as f64, seconds(&claims, "exp"), seconds(&claims, "iat"));
    assert!(now < exp + 30.0 && iat <= now + 30.0 && exp > iat && exp - iat <= 86_401.0);
    if claims.contains_key("nbf") {
        assert!(seconds(&claims, "nbf") <= now + 30.0);
    }
    assert_eq!(claims.get("jti").map(|id| id.as_str().unwrap()), caller.token_id());
});
