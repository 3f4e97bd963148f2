//! Programs that the Room itself installs, from a page on a phone.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;

use room_tests::app::Setup;
use room_tests::registry::{Gives, Registry, integrity, package};

use super::{PHONE, Person, chromium_for, more, one_time_link};

/// What `docs/providers.md` says of its example is true of this one. At a sign-in it waits until
/// someone has agreed.
const ACME: &str = r#"#!/bin/sh
home="${ACME_HOME:-$HOME/.acme}"
case "$1" in
--version) echo "acme 2.4.0";;
whoami)
    if [ -f "$home/token.json" ]; then echo "Signed in as ada@acme.example"; else echo "Not signed in"; exit 1; fi;;
login)
    echo "Open https://login.acme.example/device"
    echo "and enter the code ABCD-1234"
    while [ ! -f "$HOME/agreed" ]; do sleep 0.1; done
    mkdir -p "$home"
    echo "{}" >"$home/token.json"
    echo "Signed in";;
logout) rm -f "$home/token.json";;
esac
"#;

/// The row of the document, with an archive that the Room can install.
fn row(package: &[u8]) -> String {
    const DOCUMENT: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers.md"));
    let start = DOCUMENT.find("[[provider]]").unwrap();
    let length = DOCUMENT[start..].find("```").unwrap();
    let (row, place) = (&DOCUMENT[start..start + length], "\n[provider.home]");
    assert!(row.contains(place), "{row}");
    let archive = format!(
        "\n[[provider.install.archive]]\n\
         platform = \"{}-{}\"\n\
         package = \"acme-cli\"\n\
         version = \"2.4.0\"\n\
         integrity = \"{}\"\n\
         size_bytes = {}\n\
         program = \"package/acme\"\n",
        std::env::consts::OS,
        std::env::consts::ARCH,
        integrity(package),
        package.len(),
    );
    row.replacen(place, &(archive + place), 1)
}

/// A person's own provider: the Room downloads its program, and signs in with it.
#[tokio::test]
async fn a_phone_installs_a_program_and_signs_in_with_it() {
    let test = "a_phone_installs_a_program_and_signs_in_with_it";
    let Some(chromium) = chromium_for(test) else { return };
    for look in [PHONE].into_iter().chain(more()) {
        let acme = package(&[("package/acme", 0o755, ACME.as_bytes())]);
        let setup = Setup::new().unwrap();
        DirBuilder::new().mode(0o700).create(setup.data()).unwrap();
        fs::write(setup.data().join("room.toml"), row(&acme)).unwrap();
        let registry = Registry::start(Gives::It(acme)).unwrap();
        let setup = setup.var("ROOM_NPM_REGISTRY", &registry.url());
        let app = setup.search("/usr/bin:/bin").start().await.unwrap();
        let link = one_time_link(&app);
        let mut person = Person::run("program.mjs", &chromium, look, &[("LINK", link.as_str())]);
        let seen = person.expect("agree");
        assert_eq!((&seen["code"], registry.asked().len()), (&"ABCD-1234".into(), 1));
        let token = app.home().path().join(".acme/token.json");
        assert!(!token.exists());
        fs::write(app.home().path().join("agreed"), "").unwrap();
        person.tell("agreed");
        person.leave();
        assert!(token.exists(), "the program that was installed has signed in");
    }
}

/// The Room installs a missing program itself, says what went wrong with one that is not what it
/// should be, and gives up one that hangs.
#[tokio::test]
async fn a_phone_sees_an_install_fail_and_gives_one_up() {
    let test = "a_phone_sees_an_install_fail_and_gives_one_up";
    let Some(chromium) = chromium_for(test) else { return };
    let row = &provider_sessions::provider::built_in()[0];
    let promised = row.install.archive_here().unwrap().size_bytes;
    let wrong = package(&[("package/codex", 0o755, b"#!/bin/sh\n")]);
    for look in [PHONE].into_iter().chain(more()) {
        for (how, gives) in
            [("integrity", Gives::It(wrong.clone())), ("cancel", Gives::Promises(promised))]
        {
            let registry = Registry::start(gives).unwrap();
            let setup = Setup::new().unwrap().var("ROOM_NPM_REGISTRY", &registry.url());
            let app = setup.search("/usr/bin:/bin").start().await.unwrap();
            let link = one_time_link(&app);
            let more = [("LINK", link.as_str()), ("HOW", how)];
            let mut person = Person::run("install.mjs", &chromium, look, &more);
            if how == "cancel" {
                person.expect("installing");
                person.tell("go on");
            }
            person.leave();
            assert_eq!(registry.asked().len(), 1, "{how}");
            assert_eq!(app.descendants(), [], "{how}");
        }
    }
}
