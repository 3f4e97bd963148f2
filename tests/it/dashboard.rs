//! The page as an app, in Chromium on the real server: installed, offline, updated, on a bad network,
//! and on every route for everyone.
//!
//! The scripts in `ui/browser` lead: each asks for what only the test can do, a line at a time, and
//! [`attend`] does it.

use std::path::Path;

use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Answer, Setup};
use room_tests::fake::Scenario;
use room_tests::issuer::{ControlPlane, subject};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::browser::{DESKTOP, Look, PHONE, Person, chromium_for, printed_link};
use crate::room::{Room, id};

/// A Room, and how people come to it.
struct House {
    room: Room,
    /// Of a hosted one.
    plane: Option<ControlPlane>,
    /// What prints a link where there is no control plane.
    command: &'static str,
    /// Where browsers find it.
    address: String,
}

impl House {
    async fn local() -> Self {
        let room = Room::with(|setup| setup.fixed_port().unwrap()).await;
        let address = format!("http://localhost:{}", room.app.port());
        Self { room, plane: None, command: "open --no-open", address }
    }

    /// A hosted one; its page is asked for at `port`, or at its own if there is none.
    async fn hosted(setup: Setup, port: Option<u16>) -> Self {
        let plane = ControlPlane::start("inst-1").unwrap();
        let home = setup.home().text().to_owned();
        let setup = setup
            .env(plane.settings())
            .var("ROOM_PROVIDER_HOME", &home)
            .var("ROOM_CONTROL_PLANE_URL", &plane.url());
        let mut room = Room::from(setup).await;
        let address = format!("http://localhost:{}", port.unwrap_or(room.app.port()));
        plane.serve_room(&address);
        room.app.act_as(plane.token(Role::Owner));
        Self { room, plane: Some(plane), command: "", address }
    }

    /// A hosted one that its owner has a shell on, and nobody else a say in.
    async fn standalone() -> Self {
        let setup = Setup::new().unwrap().cloud_for_browsers().unwrap();
        let home = setup.home().text().to_owned();
        let setup = setup.var("ROOM_STANDALONE", "1").var("ROOM_PROVIDER_HOME", &home);
        let mut room = Room::from(setup.var("ROOM_INSTANCE_ID", "inst-1")).await;
        let bearer = room.app.command(&["token"]).unwrap().output().unwrap();
        room.app.act_as(String::from_utf8(bearer.stdout).unwrap().trim().to_owned());
        let address = format!("http://localhost:{}", room.app.port());
        Self { room, plane: None, command: "pair", address }
    }

    fn link(&self) -> String {
        match &self.plane {
            Some(plane) => format!("{}/#token={}", self.address, plane.token(Role::Owner)),
            None => printed_link(&self.room.app, self.command),
        }
    }

    async fn start(&mut self, asked: &Value) {
        for (name, value) in asked["set"].as_object().into_iter().flatten() {
            self.room.app.set(name, value.as_str().unwrap());
        }
        self.room.app.start().await.unwrap();
    }

    async fn revoke(&self) -> u16 {
        let plane = self.plane.as_ref().unwrap();
        let client = self.room.app.client();
        let revoke = client.bearing(&plane.service_token(), Method::POST, "/api/access/revoke");
        Answer::of(revoke.json(&json!({ "subject": subject(Role::Owner) }))).await.status.as_u16()
    }
}

/// Does what the script asks, until it is done.
async fn attend(mut house: House, mut person: Person) {
    loop {
        let asked = person.hear();
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        let answer = match text("step").as_str() {
            "link" => json!(house.link()),
            "stop" => {
                house.room.app.signal(Signal::TERM);
                house.room.app.wait();
                Value::Null
            }
            "start" => {
                house.start(&asked).await;
                Value::Null
            }
            "play" => {
                let scenario = match text("scenario").as_str() {
                    "flood" => Scenario::Flood,
                    "drip" => Scenario::Drip,
                    other => panic!("no scenario {other:?}"),
                };
                house.room.control.play(&text("provider"), &scenario);
                Value::Null
            }
            "approve" => {
                house.room.control.approve();
                Value::Null
            }
            "connect" => house.room.app.connect(&text("provider")).await,
            "session" => house.room.app.session(&text("session")).await,
            "input" => {
                let answer = house.room.app.input(&text("session"), &text("text")).await;
                json!(answer.status.as_u16())
            }
            "sign in codex" => {
                house.room.sign_in_codex().await;
                Value::Null
            }
            "cancel" => {
                let view = house.room.app.session(&text("session")).await;
                json!(house.room.app.cancel(id(&view)).await.status.as_u16())
            }
            "revoke" => json!(house.revoke().await),
            "signed in" => json!(house.room.app.home().codex().join("auth.json").exists()),
            "done" => break person.end(),
            other => panic!("no such step: {other:?}"),
        };
        person.tell(&answer.to_string());
    }
}

fn person(
    house: &House,
    chromium: &Path,
    script: &str,
    look: Look,
    more: &[(&str, &str)],
) -> Person {
    let link = house.link();
    let mut known = vec![("LINK", link.as_str())];
    known.extend_from_slice(more);
    Person::run(script, chromium, look, &known)
}

#[tokio::test]
async fn the_page_installs_and_opens_without_its_room() {
    let Some(chromium) = chromium_for("the_page_installs_and_opens_without_its_room") else {
        return;
    };
    let house = House::local().await;
    let script = person(&house, &chromium, "app.mjs", PHONE, &[]);
    attend(house, script).await;
}

#[tokio::test]
async fn a_new_build_is_offered_in_an_open_page_and_taken_on_a_tap() {
    let test = "a_new_build_is_offered_in_an_open_page_and_taken_on_a_tap";
    let Some(chromium) = chromium_for(test) else { return };
    let house = House::hosted(Setup::new().unwrap().cloud_for_browsers().unwrap(), None).await;
    let script = person(&house, &chromium, "update.mjs", PHONE, &[]);
    attend(house, script).await;
}

#[tokio::test]
async fn a_bad_network_loses_nothing_and_heals_by_itself() {
    let Some(chromium) = chromium_for("a_bad_network_loses_nothing_and_heals_by_itself") else {
        return;
    };
    let (setup, port) = Setup::new().unwrap().cloud_behind_a_proxy().unwrap();
    let house = House::hosted(setup, Some(port)).await;
    let (port, target) = (port.to_string(), house.room.app.port().to_string());
    let more = [("PROXY", port.as_str()), ("TARGET", target.as_str())];
    let script = person(&house, &chromium, "network.mjs", PHONE, &more);
    attend(house, script).await;
}

#[tokio::test]
async fn a_renewal_takes_nothing_out_of_anyones_hands() {
    let Some(chromium) = chromium_for("a_renewal_takes_nothing_out_of_anyones_hands") else {
        return;
    };
    let house = House::hosted(Setup::new().unwrap().cloud_for_browsers().unwrap(), None).await;
    let script = person(&house, &chromium, "renew.mjs", PHONE, &[]);
    attend(house, script).await;
}

#[tokio::test]
async fn everyone_can_use_every_page_of_a_local_room() {
    let Some(chromium) = chromium_for("everyone_can_use_every_page_of_a_local_room") else {
        return;
    };
    let house = House::local().await;
    let script = person(&house, &chromium, "everyone.mjs", PHONE, &[("MODE", "local")]);
    attend(house, script).await;
}

#[tokio::test]
async fn everyone_can_use_every_page_of_a_hosted_room() {
    let Some(chromium) = chromium_for("everyone_can_use_every_page_of_a_hosted_room") else {
        return;
    };
    let house = House::hosted(Setup::new().unwrap().cloud_for_browsers().unwrap(), None).await;
    let script = person(&house, &chromium, "everyone.mjs", PHONE, &[("MODE", "cloud")]);
    attend(house, script).await;
}

#[tokio::test]
async fn an_owner_wipes_a_hosted_room_and_has_the_proof() {
    let Some(chromium) = chromium_for("an_owner_wipes_a_hosted_room_and_has_the_proof") else {
        return;
    };
    for standalone in [false, true] {
        let house = if standalone {
            House::standalone().await
        } else {
            House::hosted(Setup::new().unwrap().cloud_for_browsers().unwrap(), None).await
        };
        let plane = house.plane.as_ref().map(ControlPlane::url).unwrap_or_default();
        let script = person(&house, &chromium, "wipe.mjs", PHONE, &[("PLANE", &plane)]);
        attend(house, script).await;
    }
}

#[tokio::test]
async fn a_sign_in_needs_no_mouse_and_is_read_aloud() {
    let Some(chromium) = chromium_for("a_sign_in_needs_no_mouse_and_is_read_aloud") else {
        return;
    };
    let house = House::local().await;
    let script = person(&house, &chromium, "keyboard.mjs", DESKTOP, &[]);
    attend(house, script).await;
}

#[tokio::test]
async fn lighthouse_finds_nothing_to_better() {
    let Some(chromium) = chromium_for("lighthouse_finds_nothing_to_better") else { return };
    let house = House::local().await;
    let script = person(&house, &chromium, "lighthouse.mjs", DESKTOP, &[]);
    attend(house, script).await;
}

/// Not one of the gate's: Firefox and WebKit are no part of a machine that runs it.
/// `cargo test -p room-tests --features engines --test it engines`
#[cfg(feature = "engines")]
#[tokio::test]
async fn other_engines_show_the_sign_in_screen() {
    let Some(chromium) = chromium_for("other_engines_show_the_sign_in_screen") else { return };
    let house = House::local().await;
    let script = person(&house, &chromium, "engines.mjs", DESKTOP, &[]);
    attend(house, script).await;
}
