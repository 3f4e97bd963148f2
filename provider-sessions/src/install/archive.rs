//! Unpacks a package: regular files below `package/`, and nothing else an archive may hold.
//!
//! The bytes were checked against a pinned digest before they come here. All the same nothing in
//! them is trusted with a path, a mode or a size: a row may pin what its author never looked at.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::{Entry, EntryType};

use super::{InstallError, Stop};

/// Most bytes an archive may hold, unpacked; codex 0.169.0 has 425 MB, claude 2.1.330 381 MB.
const UNPACKED_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// What even a small archive may hold beyond ten times its size.
const MARGIN_BYTES: u64 = 1024 * 1024;

/// Most entries; codex has 44.
const ENTRIES: usize = 10_000;

/// The longest path of an entry, in bytes, and of one of its parts, as file systems have it.
const PATH_BYTES: usize = 1024;
const PART_BYTES: usize = 255;

/// How much is written between two looks at whether to stop.
const PIECE_BYTES: usize = 256 * 1024;

/// How much may come out of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) entries: usize,
}

impl Bounds {
    /// For an archive of that size: programs unpack to two or three times their size, never to ten.
    pub(crate) fn of(archive_bytes: u64) -> Self {
        let bytes = archive_bytes.saturating_mul(10).saturating_add(MARGIN_BYTES);
        Self { bytes: bytes.min(UNPACKED_BYTES), entries: ENTRIES }
    }
}

/// Unpacks the files that are wanted into `folder`, which must be there and empty, under the paths
/// they have in the archive. Their modes become 0755 or 0644. Blocking.
///
/// # Errors
/// An archive that holds what it should not, a disk that does not take it, or the wish to stop;
/// what was written until then stays for the caller to remove.
pub(crate) fn unpack(
    archive: &mut File,
    folder: &Path,
    wants: impl Fn(&str) -> bool,
    bounds: Bounds,
    stop: &Stop,
) -> Result<(), InstallError> {
    archive.seek(SeekFrom::Start(0)).map_err(InstallError::Disk)?;
    let unzipped = GzDecoder::new(BufReader::with_capacity(PIECE_BYTES, archive));
    // One byte more than allowed may come, so that reaching the bound is seen.
    let mut tar = tar::Archive::new(unzipped.take(bounds.bytes.saturating_add(1)));
    let mut unpacking =
        Unpacking { folder, bounds, stop, made: HashSet::new(), buffer: vec![0; PIECE_BYTES] };
    for (number, entry) in tar.entries().map_err(|_| bad("it is no archive"))?.enumerate() {
        stop.check()?;
        if number >= bounds.entries {
            return Err(bad("it holds too many files"));
        }
        let entry = entry.map_err(|_| bad("it is damaged"))?;
        unpacking.entry(entry, &wants)?;
    }
    if tar.into_inner().limit() == 0 {
        return Err(bad("it holds too much"));
    }
    Ok(())
}

fn bad(why: &'static str) -> InstallError {
    InstallError::BadArchive(why)
}

struct Unpacking<'a> {
    folder: &'a Path,
    bounds: Bounds,
    stop: &'a Stop,
    /// Folders that are there already.
    made: HashSet<PathBuf>,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn entry(
        &mut self,
        mut entry: Entry<'_, impl Read>,
        wants: &impl Fn(&str) -> bool,
    ) -> Result<(), InstallError> {
        let header = entry.header();
        match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            // Folders are made as files need them; a global header speaks of nothing.
            EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
            EntryType::Symlink | EntryType::Link => return Err(bad("it holds a link")),
            _ => return Err(bad("it holds something that is no file")),
        }
        if entry.size() > self.bounds.bytes {
            return Err(bad("it holds too much"));
        }
        let executable = header.mode().map_err(|_| bad("it is damaged"))? & 0o111 != 0;
        let bytes = entry.path_bytes();
        let path = checked_path(&bytes)?.to_owned();
        drop(bytes);
        if !wants(&path) {
            return Ok(());
        }
        self.write(&mut entry, Path::new(&path), executable)
    }

    fn write(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        executable: bool,
    ) -> Result<(), InstallError> {
        if let Some(parent) = path.parent() {
            self.folders(parent)?;
        }
        let mut options = OpenOptions::new();
        // A second entry of that name, or a file where a folder should be, is refused.
        let opened = options.write(true).create_new(true).mode(0o600).open(self.folder.join(path));
        let mut file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => bad("it holds a file twice"),
            _ => InstallError::Disk(error),
        })?;
        let mut left = entry.size();
        while left > 0 {
            self.stop.check()?;
            let count = entry.read(&mut self.buffer).map_err(|_| bad("it is damaged"))?;
            if count == 0 {
                return Err(bad("it ends too early"));
            }
            file.write_all(&self.buffer[..count]).map_err(InstallError::Disk)?;
            left = left.saturating_sub(count as u64);
        }
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode)).map_err(InstallError::Disk)
    }

    /// Makes a folder and those above it, up to our own.
    fn folders(&mut self, path: &Path) -> Result<(), InstallError> {
        if path.as_os_str().is_empty() || self.made.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folders(parent)?;
        }
        let made = DirBuilder::new().mode(0o755).create(self.folder.join(path));
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => bad("it holds a file twice"),
            _ => InstallError::Disk(error),
        })?;
        self.made.insert(path.to_owned());
        Ok(())
    }
}

/// A path that stays where it should: `package/` and plain names below it.
fn checked_path(bytes: &[u8]) -> Result<&str, InstallError> {
    let outside = || bad("it holds a file outside its folder");
    let text = std::str::from_utf8(bytes).map_err(|_| outside())?;
    if text.len() > PATH_BYTES || text.contains(['\0', '\\']) || text.contains("//") {
        return Err(outside());
    }
    let mut parts = Path::new(text).components();
    if parts.next() != Some(Component::Normal("package".as_ref())) {
        return Err(outside());
    }
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => name.len() <= PART_BYTES,
        _ => false,
    };
    // `components` passes over a dot in the middle: the text itself has none.
    let plain = parts.all(plain) && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if plain && text.len() > "package/".len() { Ok(text) } else { Err(outside()) }
}

#[cfg(test)]
mod tests;
