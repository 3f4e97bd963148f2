use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn at(hours: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50) + HOUR * hours
}

fn identity(issuer: &str, subject: &str) -> Identity {
    Identity { issuer: issuer.into(), subject: subject.into() }
}

fn person(issuer: &str, subject: &str) -> Person {
    let profile = Profile::default();
    Person { identity: identity(issuer, subject), role: Role::Member, profile, granted_at: at(0) }
}

fn device(id: &str, issuer: &str, subject: &str) -> Device {
    Device {
        id: id.into(),
        hash: TokenHash::of(id),
        identity: identity(issuer, subject),
        name: "phone".into(),
        paired_from: None,
        gate: None,
        grounds: Grounds { issued_at: at(0), ..Grounds::default() },
        created_at: at(0),
        last_used_at: at(0),
    }
}

#[test]
fn a_person_from_an_issuer_has_a_day_after_their_last_token() {
    let (person, device) = (person("https://id", "ada"), device("a", "https://id", "ada"));
    let check = |endpoint, hours| assert_eq!(lapses_at(&person, &device, endpoint), at(hours));
    check(Endpoint::Answers, 24);
    check(Endpoint::Down, 7 * 24);
    check(Endpoint::BackSince(at(2)), 24);
    check(Endpoint::BackSince(at(30)), 31);
    check(Endpoint::BackSince(at(1000)), 7 * 24);
}

#[test]
fn a_device_of_the_machines_own_has_thirty_days_of_rest_and_ninety_in_all() {
    let person = person("room:one", "x");
    let mut device = device("a", "room:one", "x");
    assert_eq!(lapses_at(&person, &device, Endpoint::Answers), at(30 * 24));
    device.last_used_at = at(20 * 24);
    assert_eq!(lapses_at(&person, &device, Endpoint::Answers), at(50 * 24));
    device.last_used_at = at(80 * 24);
    assert_eq!(lapses_at(&person, &device, Endpoint::Answers), at(90 * 24));
    assert_eq!(lapses_at(&person, &device, Endpoint::Down), at(90 * 24), "no issuer, no outage");
}

#[test]
fn a_cookie_belongs_to_one_device_until_it_gets_another() {
    let mut all = Devices::default();
    all.put_person(person("https://id", "ada"));
    all.insert(device("a", "https://id", "ada"));
    assert_eq!(all.find(&TokenHash::of("a")).unwrap().0.id, "a");
    all.insert(Device { hash: TokenHash::of("new"), ..device("a", "https://id", "ada") });
    assert!(all.find(&TokenHash::of("a")).is_none(), "the old cookie is worth nothing");
    assert_eq!(all.find(&TokenHash::of("new")).unwrap().0.id, "a");
    assert_eq!(all.len(), 1);
    assert!(all.remove("a").is_some());
    assert!(all.find(&TokenHash::of("new")).is_none() && all.is_empty());
    all.insert(device("b", "https://id", "nobody"));
    assert!(all.find(&TokenHash::of("b")).is_none(), "a device of nobody lets nobody in");
}

#[test]
fn past_the_bound_the_device_not_used_for_longest_goes() {
    let mut all = Devices::default();
    all.put_person(person("https://id", "ada"));
    for number in 0..DEVICES_EACH {
        let used = at(u32::try_from(number).unwrap() + 1);
        let last_used_at = if number == 7 { at(0) } else { used };
        all.insert(Device { last_used_at, ..device(&number.to_string(), "https://id", "ada") });
    }
    assert_eq!(all.no_place_for(&identity("https://id", "ada")), ["7"]);
    assert!(all.no_place_for(&identity("https://id", "grace")).is_empty());
}

#[test]
fn the_role_is_that_of_the_last_token() {
    let mut all = Devices::default();
    assert!(!all.put_person(person("https://id", "ada")));
    assert!(!all.put_person(person("https://id", "ada")));
    assert!(all.put_person(Person { role: Role::Viewer, ..person("https://id", "ada") }));
}

#[track_caller]
fn check_ended(target: Target, not_before: Timestamp, expected: &[&str]) {
    let mut all = Devices::default();
    for subject in ["ada", "grace"] {
        all.put_person(person("https://id", subject));
    }
    all.put_person(person("https://other", "ada"));
    let grounds = |token: &str, key: &str, issued_at| Grounds {
        token_id: Some(token.into()),
        key_id: Some(key.into()),
        thumbprint: Some(format!("print-{key}")),
        session_id: Some("sid-1".into()),
        issued_at,
    };
    let one = device("one", "https://id", "ada");
    all.insert(Device { grounds: grounds("t1", "k1", at(1)), ..one.clone() });
    all.insert(Device {
        id: "paired".into(),
        hash: TokenHash::of("paired"),
        paired_from: Some("one".into()),
        ..one
    });
    let two = device("two", "https://id", "ada");
    all.insert(Device { grounds: grounds("t2", "k2", at(5)), ..two });
    let grace = device("grace", "https://id", "grace");
    all.insert(Device { grounds: grounds("t3", "k2", at(1)), ..grace });
    let other = device("other", "https://other", "ada");
    all.insert(Device { grounds: grounds("t1", "k1", at(1)), ..other });
    let issuer = "https://id".to_owned();
    let mut ended = all.ended_by(&Revocation { issuer, target, not_before: not_before.into() });
    ended.sort();
    assert_eq!(ended, expected);
}

#[test]
fn a_revocation_ends_what_it_names_and_what_was_paired_from_it() {
    let target = |name: &str| name.to_owned();
    check_ended(Target::Token(target("t1")), at(0), &["one", "paired"]);
    check_ended(Target::Token(target("t9")), at(9), &[]);
    check_ended(Target::Key(target("k2")), at(0), &["grace", "two"]);
    check_ended(Target::Key(target("print-k1")), at(0), &["one", "paired"]);
    check_ended(Target::Subject(target("ada")), at(9), &["one", "paired", "two"]);
    check_ended(Target::Subject(target("ada")), at(3), &["one", "paired"]);
    check_ended(Target::Subject(target("ada")), at(0), &[]);
    check_ended(Target::Session(target("sid-1")), at(3), &["grace", "one", "paired"]);
    check_ended(Target::Instance, at(9), &["grace", "one", "paired", "two"]);
}

#[test]
fn lapsed_devices_are_found() {
    let mut all = Devices::default();
    all.put_person(person("https://id", "ada"));
    all.put_person(person("room:one", "x"));
    all.insert(device("a", "https://id", "ada"));
    all.insert(device("b", "room:one", "x"));
    let answers = |_: &str| Endpoint::Answers;
    assert!(all.lapsed(at(23), answers).is_empty());
    assert_eq!(all.lapsed(at(24), answers), ["a"]);
    assert!(all.lapsed(at(24), |_| Endpoint::Down).is_empty());
    assert_eq!(all.lapsed(at(31 * 24), answers).len(), 2);
}
