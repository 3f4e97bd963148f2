//! The fake `codex` and `claude`: one program, which of the two its name says.

use std::process::ExitCode;

fn main() -> ExitCode {
    room_tests::fake::run(std::env::args())
}
