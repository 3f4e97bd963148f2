//! The last good key set in a file, so that a restart during an outage of the issuer finds it.
//!
//! The file holds public keys, but whoever could write it could let themselves in: it is created
//! for its owner alone, replaced by rename, and not read if anyone else may touch it. The form is
//! a few header lines, an empty line, and the document as it was fetched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::jwks::MAX_DOCUMENT_BYTES;
use crate::revocation::{from_unix, unix_seconds};

const MAGIC: &str = "room-auth key set 1";

/// Header lines are short; more than this is not our file.
const MAX_FILE_BYTES: u64 = MAX_DOCUMENT_BYTES as u64 + 16 * 1024;

/// Where the last good key set of one endpoint is kept.
#[derive(Debug, Clone)]
pub struct DiskCopy {
    path: PathBuf,
}

/// A key set as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedSet {
    pub(crate) fetched_at: SystemTime,
    pub(crate) etag: Option<String>,
    pub(crate) document: Vec<u8>,
}

/// Why a saved set is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskFault {
    #[error("file could not be read or written")]
    Io(#[from] io::Error),
    #[error("file belongs to or can be changed by someone else")]
    Unsafe,
    #[error("file is not a saved key set of this endpoint")]
    Foreign,
}

impl DiskCopy {
    /// In this file; its folder has to exist. One endpoint, one file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file as a whole: a reader sees the old one or the new one.
    pub(crate) fn save(&self, source: &str, set: &SavedSet) -> Result<(), DiskFault> {
        let fetched = unix_seconds(set.fetched_at);
        let etag = set.etag.as_ref().map_or_else(String::new, |etag| format!("etag: {etag}\n"));
        let head = format!("{MAGIC}\nsource: {source}\nfetched: {fetched}\n{etag}\n");
        if source.contains('\n') || set.etag.as_ref().is_some_and(|etag| etag.contains('\n')) {
            return Err(DiskFault::Foreign);
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let fresh = self.path.with_file_name(name);
        let written = write(&fresh, head.as_bytes(), &set.document)
            .and_then(|()| fs::rename(&fresh, &self.path))
            .and_then(|()| sync_folder(&self.path));
        if written.is_err() {
            let _gone = fs::remove_file(&fresh);
        }
        Ok(written?)
    }

    /// Reads the file; `Ok(None)` if there is none.
    pub(crate) fn load(&self, source: &str) -> Result<Option<SavedSet>, DiskFault> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        if !is_ours_alone(&metadata) {
            return Err(DiskFault::Unsafe);
        }
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        parse(&bytes, source).map(Some).ok_or(DiskFault::Foreign)
    }
}

fn parse(bytes: &[u8], source: &str) -> Option<SavedSet> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = std::str::from_utf8(&bytes[..end]).ok()?.lines();
    if lines.next()? != MAGIC || lines.next()?.strip_prefix("source: ")? != source {
        return None;
    }
    let fetched_at = from_unix(lines.next()?.strip_prefix("fetched: ")?.parse().ok()?);
    let etag = match lines.next() {
        Some(line) => Some(line.strip_prefix("etag: ")?.to_owned()),
        None => None,
    };
    let document = bytes[end + 2..].to_vec();
    lines.next().is_none().then_some(SavedSet { fetched_at, etag, document })
}

fn write(path: &Path, head: &[u8], body: &[u8]) -> io::Result<()> {
    // What a killed server left behind would be in the way of `create_new`.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(head)?;
    file.write_all(body)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(unix)]
fn is_ours_alone(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Nothing for group and others.
    metadata.is_file() && metadata.mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
fn is_ours_alone(metadata: &fs::Metadata) -> bool {
    metadata.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> SavedSet {
        SavedSet {
            fetched_at: from_unix(1_800_000_000),
            etag: Some("\"abc\"".to_owned()),
            document: b"{\"keys\":[]}\n\n{}".to_vec(),
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn what_was_saved_is_read_back() {
        let folder = folder();
        let disk = DiskCopy::new(folder.path().join("keys"));
        assert_eq!(disk.load("https://a").unwrap(), None);
        for set in [saved(), SavedSet { etag: None, ..saved() }] {
            disk.save("https://a", &set).unwrap();
            assert_eq!(disk.load("https://a").unwrap(), Some(set));
        }
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left behind: {names:?}");
    }

    #[test]
    fn the_largest_set_fits_and_more_is_not_read() {
        let folder = folder();
        let disk = DiskCopy::new(folder.path().join("keys"));
        let (source, etag) = ("s".repeat(4096), Some("e".repeat(4096)));
        let document = vec![b' '; MAX_DOCUMENT_BYTES];
        let largest = SavedSet { etag, document, ..saved() };
        disk.save(&source, &largest).unwrap();
        assert_eq!(disk.load(&source).unwrap(), Some(largest.clone()));
        let document = vec![b' '; 10 * MAX_DOCUMENT_BYTES];
        disk.save(&source, &SavedSet { document, ..largest }).unwrap();
        let read = disk.load(&source).unwrap().unwrap().document.len();
        assert!((MAX_DOCUMENT_BYTES..300 * 1024).contains(&read), "{read}");
    }

    #[test]
    fn a_file_of_another_endpoint_is_not_used() {
        let folder = folder();
        let disk = DiskCopy::new(folder.path().join("keys"));
        disk.save("https://a", &saved()).unwrap();
        assert!(matches!(disk.load("https://b"), Err(DiskFault::Foreign)));
        assert!(matches!(disk.save("https://a\n", &saved()), Err(DiskFault::Foreign)));
        for text in
            ["", "\n\n", "room-auth key set 1\nsource: https://a\n\n", "x".repeat(99).as_str()]
        {
            fs::write(disk.path(), text).unwrap();
            assert!(matches!(disk.load("https://a"), Err(DiskFault::Foreign)), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_touch_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder();
        let disk = DiskCopy::new(folder.path().join("keys"));
        disk.save("https://a", &saved()).unwrap();
        let mode = fs::metadata(disk.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(disk.path(), fs::Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(disk.load("https://a"), Err(DiskFault::Unsafe)));
        fs::remove_file(disk.path()).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        DiskCopy::new(&elsewhere).save("https://a", &saved()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, disk.path()).unwrap();
        assert!(matches!(disk.load("https://a"), Err(DiskFault::Unsafe)));
    }

    #[test]
    fn a_killed_writer_is_in_nobodys_way() {
        let folder = folder();
        let disk = DiskCopy::new(folder.path().join("keys"));
        fs::write(folder.path().join(format!("keys.{}.new", std::process::id())), "half").unwrap();
        disk.save("https://a", &saved()).unwrap();
        assert_eq!(disk.load("https://a").unwrap(), Some(saved()));
    }
}
