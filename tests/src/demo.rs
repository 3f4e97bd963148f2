//! `cargo xtask cloud-demo`: a hosted Room and a control plane beside it, for a person to play with.
//!
//! One key, one deed; what it did is told in a line. Everything is on loopback and in a directory
//! that goes with it, and all of it ends on `q`, Ctrl-C, or a terminal that is closed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it speaks to the person who runs it"
)]

mod keys;
mod room;

use std::io;
use std::process::ExitCode;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use room_auth::Role;
use serde_json::{Value, json};

use self::keys::{Heard, Keyboard};
use self::room::HostedRoom;
use crate::issuer::{ControlPlane, FORM, ISSUER, Keys, form, subject};

const INSTANCE: &str = "demo";

const MENU: &str = "\
  l  fresh links           r  rotate the signing key      w  withdraw the old keys
  o  outage of the keys    x  revoke the viewer           m  remove the member
  s  state of the keys     h  this list                   q  end
";

/// Every role, from the top.
const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];

/// Runs the demonstration until the person ends it.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.collect();
    let fake = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--fake"] => true,
        _ => {
            eprintln!("cloud-demo [--fake]: with --fake, codex and claude are stand-ins");
            return ExitCode::from(2);
        }
    };
    match demonstrate(fake) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloud-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(fake: bool) -> io::Result<()> {
    // Before anything is started: from here on a signal is heard, not died of.
    let mut keyboard = Keyboard::take()?;
    let plane = ControlPlane::start(INSTANCE)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let room = HostedRoom::start(&plane, fake)?;
    plane.serve_room(room.url());
    let mut demo = Demo { plane, room, http: reqwest::Client::new(), kids: Vec::new() };
    runtime.block_on(demo.room.answers())?;
    demo.welcome();
    loop {
        if let Some(status) = demo.room.exited()? {
            return Err(io::Error::other(format!(
                "Room ended with {status}:\n{}",
                demo.room.log()
            )));
        }
        match keyboard.next()? {
            Heard::End | Heard::Key('q') => break,
            Heard::Nothing => {}
            Heard::Key(key) => runtime.block_on(demo.act(key)),
        }
    }
    println!("ending Room …");
    demo.room.end()
}

struct Demo {
    plane: ControlPlane,
    room: HostedRoom,
    http: reqwest::Client,
    /// Keys that no longer sign and are still published.
    kids: Vec<String>,
}

impl Demo {
    fn welcome(&self) {
        println!("Room, hosted, at {} (log: {})", self.room.url(), self.room.log_file().display());
        println!("A control plane at {}", self.plane.url());
        println!();
        println!("Sign in as one of four; each in a private window, for they share the cookie:");
        for role in ROLES {
            println!("  {:<7} {}/sign-in?as={0}", role.as_str(), self.plane.url());
        }
        println!();
        print!("{MENU}");
    }

    async fn act(&mut self, key: char) {
        match key {
            'l' => self.links(),
            'r' => self.rotate().await,
            'w' => self.withdraw().await,
            'o' => self.outage().await,
            'x' => self.revoke().await,
            'm' => self.remove().await,
            's' => self.state().await,
            'h' | '?' => print!("{MENU}"),
            _ => {}
        }
    }

    /// Links that hold a token each: good once, within ten minutes.
    fn links(&self) {
        println!("Links with a token, each good once and for ten minutes:");
        for role in ROLES {
            println!(
                "  {:<7} {}/#token={}",
                role.as_str(),
                self.room.url(),
                self.plane.token(role)
            );
        }
    }

    async fn rotate(&mut self) {
        let before = self.plane.key_id();
        let kid = self.plane.rotate();
        self.kids.push(before);
        println!("Tokens are signed with key {kid} from now on; the old one stays published.");
        self.say_state("Room met a token of the new key and fetched it").await;
    }

    async fn withdraw(&mut self) {
        if self.kids.is_empty() {
            self.rotate().await;
        }
        let kids = std::mem::take(&mut self.kids);
        for kid in &kids {
            self.plane.withdraw(kid);
        }
        println!(
            "No longer published: {}. Links made before this no longer work; devices that are signed \
             in stay.",
            kids.join(", ")
        );
        // A key Room has never seen makes it look again at once; else it looks within a minute.
        let before = self.plane.key_id();
        self.plane.rotate();
        self.kids.push(before);
        self.say_state("Room looked again").await;
    }

    async fn outage(&mut self) {
        if self.plane.answering() == Keys::Served {
            self.plane.answer(Keys::Status(500));
            println!(
                "The key endpoint answers 500 from now on. Nobody is signed out; within a minute \
                 /readyz says degraded. o again ends it."
            );
        } else {
            self.plane.answer(Keys::Served);
            println!("The key endpoint works again.");
        }
        self.state().await;
    }

    async fn revoke(&mut self) {
        let whom = subject(Role::Viewer);
        let answer =
            self.call(Method::POST, "/api/access/revoke", &json!({ "subject": whom })).await;
        println!("Everything {whom} had was revoked ({answer}); a fresh link lets them in again.");
    }

    async fn remove(&mut self) {
        let whom = subject(Role::Member);
        self.plane.remove(&whom);
        let path = format!("{}/api/auth/backchannel-logout", self.room.url());
        let request = self.http.post(path).header(CONTENT_TYPE, FORM);
        let answer = request.body(form(&self.plane.logout_token(&whom))).send().await;
        println!(
            "{whom} is no longer a member and gets no more tokens; Room was told by a logout token \
             ({}).",
            told(answer.as_ref())
        );
    }

    async fn state(&self) {
        self.say_state("The keys, as Room has them").await;
    }

    async fn say_state(&self, what: &str) {
        let token = self.plane.service_token();
        let path = format!("{}/api/status?parts=keys", self.room.url());
        match self.http.get(path).bearer_auth(token).send().await {
            Ok(answer) => {
                let status = answer.status();
                let body: Value = answer.json().await.unwrap_or_default();
                let keys = &body["keys"][0];
                println!(
                    "{what}: {status}, {} keys of {ISSUER}, {}, confirmed {} s ago; the endpoint was \
                     asked {} times.",
                    keys["keys"],
                    keys["state"].as_str().unwrap_or("unknown"),
                    keys["ageSeconds"],
                    self.plane.fetches(),
                );
            }
            Err(error) => println!("{what}: no answer ({error})"),
        }
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> String {
        let request = self.http.request(method, format!("{}{path}", self.room.url()));
        let answer = request.bearer_auth(self.plane.service_token()).json(body).send().await;
        told(answer.as_ref())
    }
}

fn told(answer: Result<&reqwest::Response, &reqwest::Error>) -> String {
    match answer {
        Ok(answer) => answer.status().to_string(),
        Err(error) => error.to_string(),
    }
}
