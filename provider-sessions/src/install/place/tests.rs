//! Old and new programs in one place.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Stages a package whose program says `text`.
fn staged(place: &Place, id: SessionId, text: &str) -> Staging {
    let staging = place.stage(id).unwrap();
    let package = staging.make_package().unwrap().join("package/bin");
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("run"), text).unwrap();
    staging
}

fn package(id: SessionId, version: &str) -> Package<'_> {
    Package { id, provider: "codex", name: "codex", version, program: "package/bin/run" }
}

fn adopt(place: &Place, version: &str, text: &str) {
    let id = SessionId::random();
    place.adopt(&staged(place, id, text), &package(id, version)).unwrap();
}

fn in_use(place: &Place) -> Option<String> {
    fs::read_to_string(place.bin().join("codex")).ok()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_version_takes_the_place_of_the_old_one() {
    let data = tempfile::tempdir().unwrap();
    let place = Place::of(data.path());
    for (version, text) in [("1.0.0", "one"), ("2.0.0", "two"), ("2.0.0", "two again")] {
        adopt(&place, version, text);
        assert_eq!(in_use(&place).as_deref(), Some(text));
        assert_eq!(names(&data.path().join("cli/codex")).len(), 1, "older ones are gone");
        assert_eq!(names(&data.path().join("cli/staging")), [""; 0], "nothing is left of it");
    }
    let link = fs::read_link(place.bin().join("codex")).unwrap();
    assert!(link.starts_with("../codex"), "the data directory may move: {}", link.display());
}

#[test]
fn what_is_staged_is_private_and_goes_with_it() {
    let data = tempfile::tempdir().unwrap();
    let place = Place::of(data.path());
    let staging = place.stage(SessionId::random()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(staging.archive().unwrap());
    assert_eq!((mode(&staging.0), mode(&staging.0.join("archive"))), (0o700, 0o600));
    assert!(staging.archive().is_err(), "a file that is there is not taken over");
    let folder = staging.0.clone();
    drop(staging);
    assert!(!folder.exists());
}

#[test]
fn a_folder_that_is_a_link_is_not_followed() {
    let [data, elsewhere] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    symlink(elsewhere.path(), data.path().join("cli")).unwrap();
    assert!(Place::of(data.path()).stage(SessionId::random()).is_err());
    assert_eq!(names(elsewhere.path()), [""; 0]);
}

#[test]
fn what_cannot_be_put_in_place_leaves_the_old_one() {
    let data = tempfile::tempdir().unwrap();
    let place = Place::of(data.path());
    adopt(&place, "1.0.0", "one");
    // A folder cannot be replaced by a link.
    fs::remove_file(place.bin().join("codex")).unwrap();
    fs::create_dir_all(place.bin().join("codex/in the way")).unwrap();
    let id = SessionId::random();
    let staging = staged(&place, id, "two");
    let result = place.adopt(&staging, &package(id, "2.0.0"));
    assert!(matches!(result, Err(InstallError::Disk(_))));
    assert_eq!(names(&data.path().join("cli/codex")), ["1.0.0"]);
}

#[test]
fn a_start_removes_what_a_killed_server_left_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let place = Place::of(data.path());
    let rows = [("codex", "codex"), ("claude", "claude"), ("bin", "x"), ("..", "y")]
        .map(|(provider, name)| (provider.to_owned(), name.to_owned()));
    place.discard_leftovers(&rows).unwrap();
    adopt(&place, "2.0.0", "two");
    // Killed after the rename and before the link, and before the old ones went.
    for left in ["cli/codex/3.0.0/bin", "cli/codex/1.0.0/bin", "cli/claude/9.9.9", "cli/other/1"] {
        fs::create_dir_all(data.path().join(left)).unwrap();
    }
    std::mem::forget(staged(&place, SessionId::random(), "half"));
    fs::write(place.bin().join("own"), "a person's").unwrap();
    place.discard_leftovers(&rows).unwrap();
    assert_eq!(in_use(&place).as_deref(), Some("two"));
    assert_eq!(names(&data.path().join("cli")), ["bin", "codex", "other"]);
    assert_eq!(names(&data.path().join("cli/codex")), ["2.0.0"]);
    assert_eq!(names(&place.bin()), ["codex", "own"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let place = Place::of(data.path());
    let id = SessionId::random();
    let good = package(id, "1.0.0");
    for bad in [
        Package { provider: "..", ..good },
        Package { provider: "bin", ..good },
        Package { provider: "a/b", ..good },
        Package { version: "../x", ..good },
        Package { version: "", ..good },
        Package { name: "../codex", ..good },
        Package { program: "bin/run", ..good },
        Package { program: "package/../run", ..good },
        Package { program: "package/", ..good },
    ] {
        let staging = place.stage(id).unwrap();
        let result = place.adopt(&staging, &bad);
        assert!(matches!(result, Err(InstallError::BadRow)), "{:?}", bad.provider);
    }
    assert_eq!(names(&data.path().join("cli")), ["staging"]);
}
