//! Real terminals, real processes: what the process layer promises, seen from outside.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ends;
mod guarded;
mod starts;
mod support;
