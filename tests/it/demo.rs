//! `cargo xtask cloud-demo`, as a person sees it.

use std::time::Duration;

use room_tests::app::SOON;
use room_tests::clis::built_binary;
use room_tests::terminal::Terminal;
use room_tests::{eventually, processes_with_marker};
use rustix::process::Signal;

struct Demo {
    terminal: Terminal,
    /// The directory of its Room, which stands in the environment of all it started.
    directory: String,
}

impl Demo {
    fn start() -> Self {
        let program = built_binary("room-cloud-demo").unwrap();
        let env = [("PATH".to_owned(), std::env::var("PATH").unwrap())];
        let terminal = Terminal::spawn(&program, &["--fake"], &env).unwrap();
        let output = terminal.wait_for("q  end", SOON);
        let (_, rest) = output.split_once("(log: ").unwrap();
        let (log, _) = rest.split_once("/room.log)").unwrap();
        Self { terminal, directory: log.to_owned() }
    }

    fn press(&mut self, key: &str, answer: &str) -> String {
        self.terminal.send(key).unwrap();
        self.terminal.wait_for(answer, SOON)
    }

    #[track_caller]
    fn has_ended(mut self) {
        assert!(self.terminal.wait(Duration::from_secs(20)).success());
        eventually(SOON, || processes_with_marker(&self.directory).is_empty().then_some(()));
        assert!(!std::path::Path::new(&self.directory).exists());
    }
}

#[test]
fn each_key_of_the_demo_does_what_its_line_says() {
    let mut demo = Demo::start();
    assert!(!processes_with_marker(&demo.directory).is_empty());
    demo.press("s", "1 keys of https://control.example, fresh");
    demo.press("r", "fetched it: 200 OK, 2 keys");
    demo.press("w", "looked again: 200 OK, 2 keys");
    demo.press("o", "answers 500 from now on");
    demo.press("o", "works again");
    demo.press("x", "person-viewer had was revoked (200 OK)");
    demo.press("m", "told by a logout token (200 OK)");
    let output = demo.press("l", "viewer  http://localhost:");
    for role in ["owner", "admin", "member", "viewer"] {
        assert!(output.contains(&format!("/sign-in?as={role}")), "{role}: {output}");
    }
    demo.terminal.send("q").unwrap();
    demo.has_ended();
}

#[test]
fn ctrl_c_and_a_signal_end_the_demo_and_all_of_it() {
    let mut demo = Demo::start();
    demo.terminal.send("\x03").unwrap();
    demo.has_ended();
    let demo = Demo::start();
    demo.terminal.signal(Signal::TERM).unwrap();
    demo.has_ended();
}
