//! The `room` program.
fn main() {}
