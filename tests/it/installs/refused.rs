//! Downloads and packages that are not what they should be: each leaves the old program, and
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use provider_sessions::{FailureCode, Status};
use room_tests::disk::SmallDisk;
use room_tests::registry::{Gives, Registry, package};

use super::bench::{Bench, program, row};

/// Version 1.0.0 is there; what is tried then fails so, and it stays.
async fn check(bench: Bench, status: Status, code: FailureCode) -> Bench {
    let view = bench.install().await;
    let failure = view.failure.clone().unwrap();
    assert_eq!((view.status, failure.code), (status, code), "{view:#?}");
    assert!(!failure.title.is_empty() && !failure.action.is_empty(), "{view:#?}");
    assert_eq!(bench.in_use().as_deref(), Some("1.0.0"), "{code:?}");
    bench.nothing_behind();
    bench
}

async fn installed() -> Bench {
    let bench = Bench::new(row("1.0.0", &program("1.0.0")), &Gives::It(program("1.0.0")));
    assert_eq!(bench.install().await.status, Status::Completed);
    bench
}

#[tokio::test]
async fn a_download_that_is_not_the_pinned_one_leaves_the_old_program() {
    let wanted = program("2.0.0");
    let mut other = wanted.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    let longer = || b"more".to_vec();
    let mut bench = installed().await;
    for (gives, code) in [
        (Gives::It(other), FailureCode::Integrity),
        (Gives::It(program("1.0.0 of another size")), FailureCode::Integrity),
        (Gives::ItAnd(wanted.clone(), longer()), FailureCode::Integrity),
        (Gives::Promises(u64::MAX / 2), FailureCode::Integrity),
        (Gives::Half(wanted.clone()), FailureCode::Network),
        (Gives::ItAnd(wanted[..9].to_vec(), Vec::new()), FailureCode::Network),
        (Gives::HalfAndWaits(wanted.clone()), FailureCode::Network),
        (Gives::Promises(wanted.len() as u64), FailureCode::Network),
        (Gives::Silence, FailureCode::Network),
        (Gives::Status(404, String::new()), FailureCode::Network),
        (Gives::Status(500, String::new()), FailureCode::Network),
        (Gives::Status(206, String::new()), FailureCode::Network),
        (Gives::Status(304, String::new()), FailureCode::Network),
    ] {
        bench = bench.instead(row("2.0.0", &wanted), &gives).await;
        bench = check(bench, Status::Failed, code).await;
    }
    // And then it works all the same.
    let bench = bench.instead(row("2.0.0", &wanted), &Gives::It(wanted.clone())).await;
    assert_eq!(bench.install().await.status, Status::Completed);
    assert_eq!(bench.in_use().as_deref(), Some("2.0.0"));
    bench.nothing_behind();
}

#[tokio::test]
async fn a_registry_that_sends_elsewhere_is_not_followed() {
    let wanted = program("2.0.0");
    let elsewhere = Registry::start(Gives::It(wanted.clone())).unwrap();
    let sends = Gives::Status(302, format!("{}/it.tgz", elsewhere.url()));
    let bench = installed().await.instead(row("2.0.0", &wanted), &sends).await;
    let bench = check(bench, Status::Failed, FailureCode::Network).await;
    assert_eq!(bench.registry.asked().len(), 1);
    assert_eq!(elsewhere.asked(), [""; 0]);
}

#[tokio::test]
async fn a_download_that_drips_ends_with_its_time() {
    let wanted = program("2.0.0");
    let bench = installed().await.instead(row("2.0.0", &wanted), &Gives::Drips(wanted)).await;
    let bench = bench.limited(Duration::from_millis(1500));
    check(bench, Status::TimedOut, FailureCode::Timeout).await;
}

#[tokio::test]
async fn a_package_that_is_no_program_leaves_the_old_one() {
    let script = |text: &str| {
        package(&[("package/bin/codex", 0o755, text.as_bytes()), ("package/a", 0o644, b"a")])
    };
    let mut link = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    link.append_link(&mut header, "package/bin/codex", "/bin/true").unwrap();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut &link.into_inner().unwrap()[..], &mut zip).unwrap();
    let link = zip.finish().unwrap();
    let bomb = vec![0; 8 << 20];
    let mut bench = installed().await;
    for (package, code) in [
        (b"<html>no archive</html>".to_vec(), FailureCode::Integrity),
        (link, FailureCode::Integrity),
        (package(&[("package/../../codex", 0o755, b"x")]), FailureCode::Integrity),
        (package(&[("/etc/room-was-here", 0o755, b"x")]), FailureCode::Integrity),
        (package(&[("package/bin/codex", 0o755, &bomb)]), FailureCode::Integrity),
        (package(&[("package/other", 0o755, b"x")]), FailureCode::Unsupported),
        (package(&[("package/bin/codex", 0o644, b"#!/bin/sh\n")]), FailureCode::Unsupported),
        (script("#!/no/such/interpreter\n"), FailureCode::Unsupported),
        (script("\x7fELF of another machine"), FailureCode::Unsupported),
        (script("#!/bin/sh\necho it needs a newer system >&2; exit 1\n"), FailureCode::Unsupported),
        (script("#!/bin/sh\necho codex-cli 9.9.9\n"), FailureCode::Integrity),
        (script("#!/bin/sh\necho hello\n"), FailureCode::Integrity),
    ] {
        bench = bench.instead(row("2.0.0", &package), &Gives::It(package.clone())).await;
        bench = check(bench, Status::Failed, code).await;
    }
    assert!(!std::path::Path::new("/etc/room-was-here").exists());
}

/// Bytes that do not become fewer when they are packed.
fn noise(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_full_disk_is_said_before_it_is_full_and_when_it_is() {
    const MB: u64 = 1_000_000;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let Some(disk) = SmallDisk::mount("a full disk", &data, 97 * MB) else { return };
    // 10 MB that must be there four times, beside what the server itself needs.
    let large = package(&[("package/bin/codex", 0o755, &noise(10_000_000))]);
    let bench = Bench::inside(folder, data, row("1.0.0", &large), &Gives::It(large.clone()));
    let view = bench.install().await;
    assert_eq!(view.failure.unwrap().code, FailureCode::CannotStore);
    assert_eq!(bench.registry.asked(), [""; 0], "nothing is downloaded for nothing");
    bench.nothing_behind();

    // 9 MB that become 90: more than there is.
    let (noise, zeros) = (noise(9_000_000), vec![0; 81_000_000]);
    let files: [room_tests::registry::File<'_>; 2] =
        [("package/bin/codex", 0o755, &noise), ("package/share", 0o644, &zeros)];
    let tight = package(&files);
    let mut row = row("1.0.0", &tight);
    row.install.archives[0].extra_files = vec!["package/share".to_owned()];
    let bench = bench.instead(row, &Gives::It(tight)).await;
    let view = bench.install().await;
    assert_eq!(view.failure.clone().unwrap().code, FailureCode::CannotStore, "{view:#?}");
    assert_eq!(bench.registry.asked().len(), 1, "{view:#?}");
    bench.nothing_behind();
    assert!(disk.free_bytes() > 96 * MB, "all of it is given back");
}
