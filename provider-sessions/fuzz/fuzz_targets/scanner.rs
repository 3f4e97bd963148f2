#![no_main]
//! Whatever a program prints, in a terminal of any size: the same events for any division into
//! reads, each of them sound.

use libfuzzer_sys::fuzz_target;
use provider_sessions::Event;
use provider_sessions_fuzz::{Chosen, check};

fuzz_target!(|data: &[u8]| {
    let Some((chosen, bytes)) = Chosen::read(data) else { return };
    let mut whole = chosen.scanner();
    let mut expected = whole.push(bytes);
    expected.extend(whole.finish());
    let mut divided = chosen.scanner();
    let mut events: Vec<Event> = Vec::new();
    for piece in bytes.chunks(chosen.chunk) {
        events.extend(divided.push(piece));
        let _ = divided.current_line();
    }
    events.extend(divided.finish());
    assert_eq!(events, expected, "in pieces of {}", chosen.chunk);
    // A pause may come anywhere, and what is found then is sound as well.
    let mut paused = chosen.scanner();
    for piece in bytes.chunks(chosen.chunk) {
        expected.extend(paused.push(piece));
        expected.extend(paused.settle());
    }
    for event in &expected {
        check(chosen.provider, event);
    }
});
