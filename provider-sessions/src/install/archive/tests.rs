//! Archives as a hostile or careless author makes them.

use std::io::Cursor;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

/// One entry: what it is, its path, its mode and what is in it (or where it leads).
type Raw<'a> = (EntryType, &'a str, u32, &'a [u8]);

/// An archive of these entries, with paths that the crate itself would refuse to write.
fn archive(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, path, mode, content) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.set_link_name(std::str::from_utf8(content).unwrap()).unwrap();
        }
        let content = if is_link { &[][..] } else { content };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    zip(&builder.into_inner().unwrap())
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

fn bounds() -> Bounds {
    Bounds { bytes: 1 << 20, entries: 20 }
}

/// Unpacks everything; gives what came of it and the folder.
fn unpacked(bytes: &[u8]) -> (Result<(), InstallError>, tempfile::TempDir) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("in");
    std::fs::create_dir(&folder).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    (unpack(&mut file, &folder, |_| true, bounds(), &Stop::default()), outer)
}

#[track_caller]
fn refused(entries: &[Raw<'_>], why: &str) {
    let (result, outer) = unpacked(&archive(entries));
    let error = result.unwrap_err();
    assert!(matches!(error, InstallError::BadArchive(found) if found == why), "{error}");
    // Nothing outside its folder, ever.
    let names: Vec<_> =
        outer.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["in"]);
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn files_come_out_with_plain_modes() {
    let entries: [Raw<'_>; 4] = [
        (EntryType::Directory, "package/", 0o777, b""),
        (FILE, "package/bin/run", 0o4777, b"program"),
        (FILE, "package/README.md", 0o666, b"text"),
        (FILE, "package/bin/locked", 0o000, b""),
    ];
    let (result, outer) = unpacked(&archive(&entries));
    result.unwrap();
    let package = outer.path().join("in/package");
    assert_eq!(std::fs::read(package.join("bin/run")).unwrap(), b"program");
    for (file, mode) in [("bin/run", 0o755), ("README.md", 0o644), ("bin/locked", 0o644)] {
        let found = std::fs::metadata(package.join(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode, "{file}");
    }
}

#[test]
fn only_what_is_wanted_comes_out() {
    let entries: [Raw<'_>; 2] =
        [(FILE, "package/a", 0o755, b"1"), (FILE, "package/b/c", 0o755, b"2")];
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&archive(&entries)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wants = |path: &str| path == "package/a";
    unpack(&mut file, folder.path(), wants, bounds(), &Stop::default()).unwrap();
    assert!(folder.path().join("package/a").exists());
    assert!(!folder.path().join("package/b").exists());
}

#[test]
fn a_path_that_leads_elsewhere_is_refused() {
    for path in [
        "package/../../x",
        "package/..",
        "../x",
        "/etc/x",
        "x",
        "package",
        "package/./x",
        "package//x",
        "package/a\\x",
        "other/package/x",
        "./package/x",
    ] {
        refused(&[(FILE, path, 0o755, b"x")], "it holds a file outside its folder");
    }
    let long = format!("package/{}", "d/".repeat(600) + "x");
    let error = checked_path(long.as_bytes()).unwrap_err();
    assert!(matches!(error, InstallError::BadArchive(_)));
    assert!(checked_path(format!("package/{}", "n".repeat(256)).as_bytes()).is_err());
    assert!(checked_path(b"package/\xff").is_err());
    assert_eq!(checked_path("package/ä b".as_bytes()).unwrap(), "package/ä b");
}

#[test]
fn links_and_devices_are_refused() {
    let link = "it holds a link";
    refused(&[(EntryType::Symlink, "package/x", 0o777, b"/etc/passwd")], link);
    refused(&[(EntryType::Link, "package/x", 0o777, b"/etc/passwd")], link);
    refused(
        &[
            (EntryType::Symlink, "package/d", 0o777, b"/tmp"),
            (FILE, "package/d/x", 0o644, b"through the link"),
        ],
        link,
    );
    for kind in [EntryType::Fifo, EntryType::Char, EntryType::Block] {
        refused(&[(kind, "package/x", 0o666, b"")], "it holds something that is no file");
    }
}

#[test]
fn the_same_file_twice_is_refused() {
    let twice = "it holds a file twice";
    refused(&[(FILE, "package/x", 0o644, b"1"), (FILE, "package/x", 0o644, b"2")], twice);
    refused(&[(FILE, "package/x", 0o644, b"1"), (FILE, "package/x/y", 0o644, b"2")], twice);
    refused(&[(FILE, "package/x/y", 0o644, b"1"), (FILE, "package/x", 0o644, b"2")], twice);
}

#[test]
fn an_archive_that_grows_too_large_is_refused() {
    let much = "it holds too much";
    let large = vec![0; (1 << 20) + 1];
    refused(&[(FILE, "package/x", 0o644, &large)], much);
    let half = vec![0; 600 * 1024];
    let halves: [Raw<'_>; 2] =
        [(FILE, "package/1", 0o644, &half), (FILE, "package/2", 0o644, &half)];
    let (result, _) = unpacked(&archive(&halves));
    assert!(matches!(result, Err(InstallError::BadArchive(_))), "both together: {result:?}");
    let names: Vec<String> = (0..30).map(|number| format!("package/{number}")).collect();
    let many: Vec<Raw<'_>> = names.iter().map(|name| (FILE, &**name, 0o644, &b""[..])).collect();
    refused(&many, "it holds too many files");
}

/// A megabyte of zeros that unzips from a kilobyte, a thousand times over.
#[test]
fn a_bomb_is_refused_without_its_bytes_being_written() {
    let mut header = Header::new_gnu();
    header.set_path("package/bomb").unwrap();
    header.set_entry_type(FILE);
    header.set_mode(0o644);
    // It says that it is small.
    header.set_size(512);
    header.set_cksum();
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(header.as_bytes()).unwrap();
    zip.write_all(&[1; 512]).unwrap();
    // What follows claims to be another file, of which only its end is missing.
    header.set_path("package/rest").unwrap();
    header.set_size(1 << 19);
    header.set_cksum();
    zip.write_all(header.as_bytes()).unwrap();
    for _ in 0..64 {
        zip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bytes = zip.finish().unwrap();
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let (result, outer) = unpacked(&bytes);
    let size = |file: &str| std::fs::metadata(outer.path().join("in/package").join(file));
    // The two files are whole, and what comes after the end of an archive is not looked at.
    assert!(result.is_ok() || matches!(result, Err(InstallError::BadArchive(_))), "{result:?}");
    let written = size("bomb").unwrap().len() + size("rest").map_or(0, |found| found.len());
    assert!(written <= bounds().bytes, "{written}");
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let whole =
        archive(&[(FILE, "package/x", 0o755, &[7; 5000]), (FILE, "package/y", 0o644, b"y")]);
    for cut in 0..whole.len().min(60) {
        let (result, _) = unpacked(&whole[..cut]);
        assert!(matches!(result, Err(InstallError::BadArchive(_))), "cut at {cut}: {result:?}");
    }
    for bytes in [&b""[..], b"<html>", &zip(b"no archive at all"), &zip(&[0xff; 4096])] {
        let (result, _) = unpacked(bytes);
        assert!(matches!(result, Err(InstallError::BadArchive(_))), "{result:?}");
    }
}

#[test]
fn a_wish_to_stop_is_heard_in_the_middle() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&archive(&[(FILE, "package/x", 0o755, b"1")])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stop = Stop::default();
    stop.ask();
    let result = unpack(&mut file, folder.path(), |_| true, bounds(), &stop);
    assert!(matches!(result, Err(InstallError::Stopped)));
}

#[test]
fn a_disk_that_does_not_take_it_says_so() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&archive(&[(FILE, "package/x", 0o755, b"1")])).unwrap();
    let missing = Path::new("/nonexistent/place");
    let result = unpack(&mut file, missing, |_| true, bounds(), &Stop::default());
    assert!(matches!(result, Err(InstallError::Disk(_))), "{result:?}");
    // Not even an empty archive is one.
    let mut nothing = Cursor::new(Vec::new());
    nothing.write_all(&zip(&[0; 1024])).unwrap();
    let (result, _) = unpacked(&nothing.into_inner());
    assert!(result.is_ok(), "an archive without files: {result:?}");
}
