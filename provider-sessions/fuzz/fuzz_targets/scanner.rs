#![no_main]
//! Whatever a program prints, in a terminal of any size: the same events for any division into
//! reads, each of them sound.

use libfuzzer_sys::fuzz_target;
use provider_sessions::Event;
use provider_sessions_fuzz::{Chosen, check};

/// How often a scanner is asked what only a pause asks: each look costs the whole screen.
const PAUSES: usize = 16;

fuzz_target!(|data: &[u8]| {
    let Some((chosen, bytes)) = Chosen::read(data) else { return };
    let mut whole = chosen.scanner();
    let mut expected = whole.push(bytes);
    expected.extend(whole.finish());
    let between = bytes.len().div_ceil(chosen.chunk).div_ceil(PAUSES).max(1);
    let mut divided = chosen.scanner();
    let mut events: Vec<Event> = Vec::new();
    for (read, piece) in bytes.chunks(chosen.chunk).enumerate() {
        events.extend(divided.push(piece));
        if read % between == 0 {
            let _ = divided.current_line();
        }
    }
    events.extend(divided.finish());
    assert_eq!(events, expected, "in pieces of {}", chosen.chunk);
    // A pause may come anywhere, and what is found then is sound as well.
    let mut paused = chosen.scanner();
    for (read, piece) in bytes.chunks(chosen.chunk).enumerate() {
        expected.extend(paused.push(piece));
        if read % between == 0 {
            expected.extend(paused.settle());
        }
    }
    for event in &expected {
        check(chosen.provider, event);
    }
});
