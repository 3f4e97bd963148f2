//! What only a hosted Room says.

use std::collections::BTreeMap;

use room_auth::{Profile, TokenHash};

use super::*;
use crate::cloud::devices::{Device, Grounds, Person};

fn ada() -> Person {
    Person {
        identity: Identity { issuer: "https://id.example".into(), subject: "u-7".into() },
        role: Role::Admin,
        profile: Profile {
            email: Some("ada@example.com".into()),
            email_verified: true,
            name: Some("Ada".into()),
        },
        granted_at: at(0),
    }
}

fn phone(person: &Person) -> Device {
    Device {
        id: ID.into(),
        hash: TokenHash::of("cookie"),
        identity: person.identity.clone(),
        name: "Ada's phone".into(),
        paired_from: Some("7c9e6679-7425-40de-944b-e07fc1f90ae7".into()),
        gate: None,
        grounds: Grounds::default(),
        created_at: at(0),
        last_used_at: at(60),
    }
}

#[test]
fn answers_about_who_is_here() {
    let person = ada();
    let mut one = wire::AccessSession::new(&phone(&person), &person, at(86_400));
    let all = |one: &wire::AccessSession| wire::AccessSessions { sessions: vec![one.clone()] };
    let event = protocol::event("access:changed", "access", 3, &all(&one), at(61), 0).unwrap();
    check("ws-access.json", &frame(&event));
    one.current = true;
    check("access-sessions.json", &all(&one));
    let code = wire::Pairing {
        code: "ABCDE-FGHJK".into(),
        url: "https://room.example/#pair=S".into(),
        expires_at: wire::time(at(180)),
    };
    check("pair.json", &code);
}

#[test]
fn answers_of_the_own_device() {
    let person = ada();
    let caller = Caller {
        identity: person.identity,
        standing: Standing::Person(person.role),
        session: ID.into(),
        device: "Ada's phone".into(),
        expires_at: Some(SystemTime::from(at(86_400))),
        profile: Some(person.profile),
        token: None,
    };
    check("verify-cloud.json", &wire::Verified::new(&caller, Some("i-1"), "cloud"));
    let bootstrap = wire::Bootstrap {
        mode: "cloud",
        build: "b1",
        name: Some("Ada's Room".into()),
        auth: vec!["token", "pair", "cloudflare"],
        control_plane_url: Some("https://cloud.example".into()),
        instance_id: Some("i-1".into()),
    };
    check("bootstrap-cloud.json", &bootstrap);
    let service = Caller { standing: Standing::Service, profile: None, ..caller };
    check("verify-service.json", &wire::Verified::new(&service, Some("i-1"), "cloud"));
}

#[test]
fn answers_about_the_instance() {
    let keys = wire::KeysView {
        issuer: "https://id.example".into(),
        state: "degraded",
        age_seconds: Some(4000),
        keys: 2,
    };
    let status = wire::RoomStatus {
        version: "0.1.0",
        build: "b1",
        uptime: 61,
        deployment_mode: "cloud",
        server_platform: "linux",
        name: Some("Ada's Room".into()),
        goal: Some("Ship the parser".into()),
        region: Some("ams".into()),
        plan: Some("small".into()),
        generated_at: wire::time(at(61)),
        providers: None,
        resources: None,
        storage: None,
        keys: Some(vec![keys]),
    };
    check("status-cloud.json", &status);
    let removed = vec!["/data/home/.codex/auth.json".into()];
    let done = Disconnected { ok: true, removed, removed_key: false, error: None, at: at(9) };
    let codex = wire::Disconnected::new(done, "/data/home".as_ref());
    let providers = BTreeMap::from([("codex".to_owned(), codex)]);
    check(
        "wipe.json",
        &wire::Wiped {
            ok: true,
            providers,
            devices: 0,
            sessions: 0,
            keys: 0,
            credentials: 0,
            backups: 0,
        },
    );
}
