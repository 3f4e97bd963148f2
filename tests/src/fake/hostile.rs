//! What programs do that mean no good, or broke.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::process::setsid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{LIFETIME, PAUSE, Scenario, World, replay, tty};

/// First argument of the process that leaves the session, and of the one that stays behind.
const LEAVE: &str = "__leave";
const LINGER: &str = "__linger";

const FLOOD_LINES: usize = 20_000;
const CHAT: Duration = Duration::from_millis(20);
/// For a network that is cut at any moment.
const DRIP_LINES: usize = 400;
const DRIP_PAUSE: Duration = Duration::from_millis(150);
const NO_NEWLINE_BYTES: usize = 150_000_000;

/// Each of these has been somebody's incident.
const ESCAPES: &str = "\x1b]0;owned\x07\x1b]52;c;cm0gLXJmIC8=\x07\x1b[2J\x1b[31mred\x1b[0m\n\
    \u{202e}txet neddih\u{202c}\u{2066}\u{200b}\u{2069}\n\
    <img src=x onerror=alert(1)>\n\
    <script>fetch('https://evil.example/')</script>\n\
    \x1b]8;;javascript:alert(1)\x07click here\x1b]8;;\x07\n\
    Sign in at https://auth.openai.com.evil.example/codex/device\n\
    Sign in at https://claude.com@evil.example/cai/oauth/authorize?code=true\n\
    Sign in at http://auth.openai.com/codex/device\n\
    Sign in at https://evil.example/oauth/authorize?host=claude.com\n\
    \x1b]8;;https://evil.example/codex/device\x07https://auth.openai.com/codex/device\x1b]8;;\x07\n\
    \x1b[8mhidden\x1b[0m\x1bP+q544e\x1b\\\x1b_app\x1b\\\u{9b}31m\n";

/// More than any file of a login may have.
const LARGE_BYTES: u64 = 300 * 1024 * 1024;

/// Processes of a fork bomb.
const BOMB: usize = 100;

/// What codex shows, as far as a person needs it.
const CODE: &str = "1. Open this link in your browser\r\n   https://auth.openai.com/codex/device\r\n\r\n\
    2. Enter this one-time code\r\n   WXYZ-12345\r\n\r\n";

/// Stray continuations, a character cut off, an overlong one, a surrogate, what is beyond Unicode,
/// the C1 controls of another time, and a line that pretends to be the server's.
const NO_TEXT: &[u8] = b"\x80\xbf one\r\n\xe2\x82 two\r\n\xc0\xaf three\r\n\xed\xa0\x80 four\r\n\
    \xf5\x80\x80\x80 five\r\n\x9b31m six\r\n\x00\x00 seven\r\n\xff\xfe\r\n\
    {\"level\":\"ERROR\",\"message\":\"forged\"}\r\n";

/// What is left of a scenario once its first part was played.
pub(super) enum Then {
    /// The login goes on as usual.
    GoOn,
    /// It goes on and stores nothing.
    StoreNothing,
    /// It is over.
    End(ExitCode),
}

/// Plays the scenario that this program was told, as far as it comes before the login itself.
pub(super) fn play(world: &World, program: &str) -> Then {
    let text = std::fs::read_to_string(world.control.file(&format!("{program}.scenario")));
    let scenario = match text {
        Ok(text) => match Scenario::parse(&text) {
            Some(scenario) => scenario,
            None => return Then::End(super::fail("no such scenario")),
        },
        Err(_) => Scenario::Normal,
    };
    match scenario {
        Scenario::Normal | Scenario::StatusHangs | Scenario::HoldsPastes => Then::GoOn,
        Scenario::NoCredentials => Then::StoreNothing,
        Scenario::Replay(file) => Then::End(replay::run(&file)),
        Scenario::Silent => Then::End(linger()),
        Scenario::Dies => {
            tty::write("Error: something in here is broken\r\n");
            Then::End(ExitCode::from(7))
        }
        Scenario::Stubborn => {
            ignore_signals();
            Then::GoOn
        }
        Scenario::Grandchildren => leave_behind(world, false),
        Scenario::BareGrandchildren => leave_behind(world, true),
        Scenario::Flood | Scenario::LateFlood => {
            if scenario == Scenario::LateFlood {
                tty::write("ready\r\n");
                let start = Instant::now();
                while !world.control.take("flood") && start.elapsed() < LIFETIME {
                    std::thread::sleep(PAUSE);
                }
            }
            let lines: Vec<String> =
                (1..=FLOOD_LINES).map(|n| format!("line {n:05} of a flood\n")).collect();
            tty::write(&lines.concat());
            Then::GoOn
        }
        Scenario::Chatty => {
            let start = Instant::now();
            let mut number = 0;
            while !world.control.file("approve").exists() && start.elapsed() < LIFETIME {
                number += 1;
                tty::write(&format!("line {number:06} of a long talk\n"));
                std::thread::sleep(CHAT);
            }
            Then::GoOn
        }
        Scenario::Drip => drip(),
        Scenario::NoNewline => {
            let piece = "x".repeat(100_000);
            (0..NO_NEWLINE_BYTES / piece.len()).for_each(|_| tty::write(&piece));
            tty::write("\r\n");
            Then::GoOn
        }
        Scenario::Escapes => {
            tty::write(ESCAPES);
            Then::GoOn
        }
        Scenario::UnknownQuestion => ask(),
        Scenario::LargeFile => {
            let made = std::fs::File::create(world.home.join("large"))
                .and_then(|file| file.set_len(LARGE_BYTES));
            tty::write(&format!("A large file: {made:?}\r\n"));
            Then::GoOn
        }
        Scenario::FillsDisk => {
            fill_disk(&world.directory("CODEX_HOME", ".codex"));
            Then::GoOn
        }
        Scenario::Stops => {
            tty::write(CODE);
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::STOP);
            Then::GoOn
        }
        Scenario::ForkBomb => {
            for _ in 0..BOMB {
                if let Then::End(code) = leave_behind(world, true) {
                    return Then::End(code);
                }
            }
            Then::GoOn
        }
        Scenario::NoText => {
            tty::write_bytes(NO_TEXT);
            Then::GoOn
        }
        Scenario::Asks => {
            tty::deaf();
            (0..100).for_each(|_| tty::write(&"\x1b[6n\x1b[c".repeat(1000)));
            Then::GoOn
        }
        Scenario::ClosesTerminal => {
            tty::write("Letting go of the terminal\r\n");
            Then::End(close_terminal().map_or_else(|_| ExitCode::FAILURE, |()| linger()))
        }
    }
}

fn drip() -> Then {
    for n in 1..=DRIP_LINES {
        tty::write(&format!("line {n:05} of a drip\r\n"));
        std::thread::sleep(DRIP_PAUSE);
    }
    Then::GoOn
}

/// Whether `status` of this program never answers.
pub(super) fn status_hangs(world: &World, program: &str) -> bool {
    plays(world, program, &Scenario::StatusHangs)
}

/// Whether a long text with its Enter is taken for a paste.
pub(super) fn holds_pastes(world: &World, program: &str) -> bool {
    plays(world, program, &Scenario::HoldsPastes)
}

fn plays(world: &World, program: &str, scenario: &Scenario) -> bool {
    let text = std::fs::read_to_string(world.control.file(&format!("{program}.scenario")));
    text.is_ok_and(|text| Scenario::parse(&text).as_ref() == Some(scenario))
}

/// Waits to be ended, for a run's lifetime at most.
pub(super) fn linger() -> ExitCode {
    let start = Instant::now();
    while start.elapsed() < LIFETIME {
        std::thread::sleep(PAUSE);
    }
    ExitCode::FAILURE
}

/// Until no more goes in.
fn fill_disk(folder: &std::path::Path) {
    use std::io::Write as _;
    let Ok(mut file) = std::fs::File::create(folder.join("junk")) else { return };
    let piece = vec![b'x'; 64 * 1024];
    while file.write_all(&piece).is_ok() {}
    tty::write("The disk is full\r\n");
}

fn ask() -> Then {
    tty::write("Continue with foo? ");
    let mut answer = String::new();
    match std::io::stdin().read_line(&mut answer) {
        Ok(1..) if answer.trim() == "y" => Then::GoOn,
        Ok(_) | Err(_) => {
            tty::write("Not continuing\r\n");
            Then::End(ExitCode::FAILURE)
        }
    }
}

fn close_terminal() -> rustix::io::Result<()> {
    let nowhere = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)
}

/// Handlers that do nothing: ignoring a signal for good would need unsafe code.
fn ignore_signals() {
    for signal in [SIGTERM, SIGHUP, SIGINT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .expect("these signals may be handled");
    }
}

/// Starts a process that starts a process and ends: the last one has another parent, session and
/// group, ignores polite signals, and holds nothing of the terminal.
fn leave_behind(world: &World, bare: bool) -> Then {
    let Ok(program) = std::env::current_exe() else { return Then::End(ExitCode::FAILURE) };
    let mut leave = Command::new(program);
    leave.arg(LEAVE).arg(&world.home).stdin(Stdio::null()).stdout(Stdio::null());
    leave.stderr(Stdio::null());
    if bare {
        leave.env_clear();
    }
    match leave.status() {
        Ok(status) if status.success() => Then::GoOn,
        Ok(_) | Err(_) => Then::End(ExitCode::FAILURE),
    }
}

/// Plays the processes that are left behind, if these arguments are theirs.
pub(super) fn run_daemon(args: &[&str]) -> Option<ExitCode> {
    match args {
        [LEAVE, home] => {
            let left = setsid().is_ok()
                && std::env::current_exe().is_ok_and(|program| {
                    let mut linger = Command::new(program);
                    linger.args([LINGER, home]).spawn().is_ok()
                });
            Some(if left { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        [LINGER, _home] => {
            ignore_signals();
            Some(linger())
        }
        _ => None,
    }
}
