#![no_main]
//! The whole text of a bearer: no one can write a signature, so nothing is ever accepted.

use libfuzzer_sys::fuzz_target;
use room_auth_fuzz::BENCH;

fuzz_target!(|text: &str| {
    assert!(BENCH.bearer(text).is_err());
    assert!(BENCH.assertion(text).is_err());
});
