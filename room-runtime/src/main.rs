//! The `room` program: hands its arguments and environment to [`room_runtime::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    provider_sessions::run_launcher_if_asked();
    provider_sessions::stay_first_if_first();
    let environment = std::env::vars_os()
        .map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .collect();
    room_runtime::commands::run(std::env::args_os(), &environment)
}
