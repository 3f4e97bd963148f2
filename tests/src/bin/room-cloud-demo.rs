//! A hosted Room and its control plane on this machine: `cargo xtask cloud-demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    room_tests::demo::run(std::env::args().skip(1))
}
