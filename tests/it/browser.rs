//! A person with a browser, on a phone and at a desk: the page on the real server, with the fake
//! programs and with the real ones.

mod programs;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Answer, Setup, TestApp};
use room_tests::fake::Scenario;
use room_tests::issuer::{ControlPlane, subject};
use room_tests::not_run;
use serde_json::{Value, json};
use url::Url;

use crate::real_logins::World;
use crate::room::Room;

/// What the browser's person looks at.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) view: &'static str,
    pub(crate) theme: &'static str,
}

pub(crate) const PHONE: Look = Look { view: "phone", theme: "light" };
pub(crate) const DESKTOP: Look = Look { view: "desktop", theme: "dark" };
/// Only for pictures to look at: `ROOM_TEST_SHOTS=folder cargo test --test it browser`.
const MORE: [Look; 2] =
    [Look { view: "phone", theme: "dark" }, Look { view: "desktop", theme: "light" }];

const CODEX_KEY: &str = "sk-proj-0123456789abcdefghijklmnop-q9Zk";
const CLAUDE_KEY: &str = "sk-ant-api03-0123456789abcdefghijklmnop-t4Wv";

/// The script in its browser, until it is done or dropped.
pub(crate) struct Person {
    script: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Person {
    fn open(app: &TestApp, chromium: &Path, look: Look) -> Self {
        let link = one_time_link(app);
        let more = [("LINK", link.as_str()), ("CODEX_KEY", CODEX_KEY), ("CLAUDE_KEY", CLAUDE_KEY)];
        Self::run("sign-in.mjs", chromium, look, &more)
    }

    /// Starts a script with what it needs to know.
    pub(crate) fn run(script: &str, chromium: &Path, look: Look, more: &[(&str, &str)]) -> Self {
        let mut script = Command::new("node")
            .arg(ui().join("browser").join(script))
            .env("CHROMIUM", chromium)
            .env("VIEW", look.view)
            .env("THEME", look.theme)
            .env("SHOTS", std::env::var("ROOM_TEST_SHOTS").unwrap_or_default())
            .envs(more.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(script.stdout.take().unwrap());
        let hears = script.stdin.take().unwrap();
        Self { script, says, hears }
    }

    /// The next thing the person sees, which must be of that step.
    fn expect(&mut self, step: &str) -> Value {
        let said = self.hear();
        assert_eq!(said["step"], step, "{said}");
        said
    }

    /// The next thing the person sees or asks for.
    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the browser gave up; what it saw stands above");
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn tell(&mut self, text: &str) {
        writeln!(self.hears, "{text}").unwrap();
    }

    fn leave(mut self) {
        self.expect("done");
        self.end();
    }

    /// After it has said that it is done.
    pub(crate) fn end(mut self) {
        self.tell("goodbye");
        assert!(self.script.wait().unwrap().success());
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// What the vendors and the programs themselves say while a person signs in and out.
trait Vendors {
    fn approve(&self, code: &str);
    fn paste(&self, link: &str) -> String;
    fn signed_in(&self, program: &str) -> bool;

    /// Whether a person can agree on the page that the browser's sign-in of codex opens: the real one
    /// listens on a port that the whole machine shares.
    fn agrees(&self) -> bool {
        false
    }

    /// Tells the vendors that the keys are good, where they are there to say so.
    fn knows_keys(&self) -> bool {
        false
    }

    /// Whether claude has a sign-in that ends in a token.
    fn prints_token(&self) -> bool {
        false
    }

    /// Makes codex ask something that nobody taught the Room, where that can be had.
    fn puzzle(&self) -> bool {
        false
    }
}

fn walk(app: &TestApp, vendors: &impl Vendors, chromium: &Path, look: Look) {
    let knows_keys = vendors.knows_keys();
    let mut person = Person::open(app, chromium, look);
    let seen = person.expect("codex");
    assert_eq!(seen["link"], "https://auth.openai.com/codex/device");
    vendors.approve(seen["code"].as_str().unwrap());
    person.tell("approved");
    let seen = person.expect("claude");
    assert!(vendors.signed_in("codex"), "the program itself agrees");
    person.tell(&vendors.paste(seen["link"].as_str().unwrap()));
    person.expect("cancelled");
    assert!(vendors.signed_in("claude"));
    assert!(vendors.signed_in("codex"), "a cancelled sign-in keeps the earlier one");
    person.tell("go on");
    person.expect("browser");
    person.tell(if vendors.agrees() { "agrees" } else { "does not" });
    if vendors.agrees() {
        let seen = person.expect("callback");
        person.tell(&callback(seen["link"].as_str().unwrap()));
    }
    // codex keeps its key itself; claude's is the Room's own.
    let file = app.home().codex().join("auth.json");
    let kept = || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(CODEX_KEY));
    for provider in ["codex", "claude"] {
        let seen = person.expect("key");
        assert_eq!((&seen["provider"], &seen["good"]), (&json!(provider), &json!(knows_keys)));
        assert_eq!(kept(), provider == "codex", "a key of {provider}");
        person.tell("seen");
        assert_eq!(person.expect("no-key")["provider"], provider);
        assert!(!kept(), "the key of {provider} is gone");
        person.tell("gone");
    }
    person.expect("token");
    person.tell(if vendors.prints_token() { "prints one" } else { "prints none" });
    if vendors.prints_token() {
        let seen = person.expect("claude");
        person.tell(&vendors.paste(seen["link"].as_str().unwrap()));
    }
    person.expect("puzzle");
    person.tell(if vendors.puzzle() { "asks" } else { "does not ask" });
    person.leave();
    assert!(!vendors.signed_in("codex") && !vendors.signed_in("claude"));
}

/// Where the vendor's page sends the browser of who agreed: the link's own address, with a code.
fn callback(link: &str) -> String {
    let link = Url::parse(link).unwrap();
    let value = |name: &str| {
        let found = link.query_pairs().find(|(known, _)| known == name);
        found.unwrap().1.into_owned()
    };
    let mut address = Url::parse(&value("redirect_uri")).unwrap();
    let code = ("code", "ac_a-good.code");
    address.query_pairs_mut().extend_pairs([code, ("state", &value("state"))]);
    address.into()
}

impl Vendors for Room {
    fn approve(&self, _: &str) {
        self.control.approve();
    }

    fn paste(&self, link: &str) -> String {
        let (_, state) = link.rsplit_once("&state=").unwrap();
        format!("good-abcdefcode#{state}")
    }

    fn signed_in(&self, program: &str) -> bool {
        let home = self.app.home();
        match program {
            "codex" => home.codex().join("auth.json").exists(),
            _ => home.claude().join(".credentials.json").exists(),
        }
    }

    fn agrees(&self) -> bool {
        true
    }

    fn puzzle(&self) -> bool {
        self.control.play("codex", &Scenario::UnknownQuestion);
        true
    }
}

impl Vendors for World {
    fn approve(&self, code: &str) {
        self.openai.approve(code).unwrap();
    }

    fn paste(&self, link: &str) -> String {
        self.anthropic.sign_in(link).unwrap()
    }

    fn signed_in(&self, program: &str) -> bool {
        match program {
            "codex" => self.codex_is_signed_in(),
            _ => self.claude_is_signed_in(),
        }
    }

    fn knows_keys(&self) -> bool {
        self.openai.accept_key(CODEX_KEY);
        self.anthropic.accept_key(CLAUDE_KEY);
        true
    }

    fn prints_token(&self) -> bool {
        true
    }
}

/// A Room whose way to the vendors ends at a closed door of this machine.
async fn offline() -> Room {
    let closed = "http://127.0.0.1:9".to_owned();
    let proxies = ["HTTPS_PROXY", "HTTP_PROXY"].map(|name| (name.to_owned(), closed.clone()));
    Room::with(|setup| setup.env(proxies)).await
}

#[tokio::test]
async fn a_phone_signs_the_fake_programs_in_and_out() {
    let Some(chromium) = chromium_for("a_phone_signs_the_fake_programs_in_and_out") else { return };
    let room = offline().await;
    walk(&room.app, &room, &chromium, PHONE);
    for look in more() {
        let room = offline().await;
        walk(&room.app, &room, &chromium, look);
    }
}

#[tokio::test]
async fn a_desktop_signs_the_real_programs_in_and_out() {
    let test = "a_desktop_signs_the_real_programs_in_and_out";
    let Some(chromium) = chromium_for(test) else { return };
    let Some(world) = World::new(test).await else { return };
    walk(&world.app, &world, &chromium, DESKTOP);
    for look in more() {
        let Some(world) = World::new(test).await else { return };
        walk(&world.app, &world, &chromium, look);
    }
}

/// An owner on a phone, a desk that is brought in by the QR code, and a member who looks on.
#[tokio::test]
async fn a_phone_and_a_desk_live_through_a_day_at_a_hosted_room() {
    let test = "a_phone_and_a_desk_live_through_a_day_at_a_hosted_room";
    let Some(chromium) = chromium_for(test) else { return };
    hosted(&chromium, PHONE).await;
    for look in more().filter(|look| look.view == PHONE.view) {
        hosted(&chromium, look).await;
    }
}

async fn hosted(chromium: &Path, look: Look) {
    let plane = ControlPlane::start("inst-1").unwrap();
    let setup = Setup::new().unwrap().cloud_for_browsers().unwrap().env(plane.settings());
    let home = setup.home().text().to_owned();
    let setup = setup.var("ROOM_PROVIDER_HOME", &home);
    let room = Room::from(setup.var("ROOM_CONTROL_PLANE_URL", &plane.url())).await;
    let public_url = format!("http://localhost:{}", room.app.port());
    plane.serve_room(&public_url);
    let link = |role: Role| format!("{public_url}/#token={}", plane.token(role));
    let (owner, member) = (link(Role::Owner), link(Role::Member));
    let links = [("LINK", owner.as_str()), ("OTHER", member.as_str())];
    let mut person = Person::run("hosted.mjs", chromium, look, &links);
    let seen = person.expect("codex");
    let (code, link) = (seen["code"].as_str().unwrap(), seen["link"].as_str().unwrap());
    assert_eq!(link, "https://auth.openai.com/codex/device");
    room.control.approve();
    person.tell("approved");
    let members = person.expect("seen");
    let text = members["text"].as_str().unwrap();
    assert!(text.contains("providers:"), "the member's socket was heard: {text}");
    for secret in [code, link, "one-time code", "owner@example.com"] {
        assert!(!text.contains(secret), "{secret:?} in what a member was sent: {text}");
    }
    person.tell("fine");
    person.expect("revoke");
    let client = room.app.client();
    let revoke = client.bearing(&plane.service_token(), Method::POST, "/api/access/revoke");
    let done = Answer::of(revoke.json(&json!({ "subject": subject(Role::Owner) }))).await;
    assert_eq!(done.status, 200, "{done:?}");
    person.tell("revoked");
    person.leave();
}

fn more() -> impl Iterator<Item = Look> {
    let wanted = std::env::var_os("ROOM_TEST_SHOTS").is_some();
    MORE.into_iter().filter(move |_| wanted)
}

pub(crate) fn one_time_link(app: &TestApp) -> String {
    printed_link(app, "open --no-open")
}

/// What a command of Room's prints to sign one browser in.
pub(crate) fn printed_link(app: &TestApp, command: &str) -> String {
    let words: Vec<_> = command.split(' ').collect();
    let output = app.command(&words).unwrap().output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let is_link = |word: &&str| word.contains("/#code=") || word.contains("/#pair=");
    let link = printed.split_whitespace().find(is_link);
    link.unwrap_or_else(|| panic!("a link in {printed:?}")).to_owned()
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("ui")
}

/// Chromium and what drives it, or nothing after telling that `test` did not run.
pub(crate) fn chromium_for(test: &str) -> Option<PathBuf> {
    let named = std::env::var("ROOM_TEST_BROWSER");
    let chromium = PathBuf::from(named.as_deref().unwrap_or("/usr/bin/chromium"));
    let driver = ui().join("node_modules/playwright-core");
    if chromium.is_file() && driver.is_dir() {
        return Some(chromium);
    }
    not_run(test, "left out, or no Chromium, or no npm packages in ui");
    None
}
