//! Where a sign-in runs, so that a failed or cancelled one never costs the earlier one.
//!
//! A program that deletes its credentials at its start runs in a scratch home *inside* the real
//! one (same file system, so the result moves in by rename). The person's other files there are
//! never moved, merged or lost.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use crate::provider::{Home, HomeStrategy};
use crate::session::SessionId;
use crate::sweep::DirectoryMark;

/// What a scratch home is called, before the Room's mark and the session's id.
const SCRATCH_PREFIX: &str = ".room-login-";

/// The longest settings file that is copied into a scratch home or read for its store setting.
const SETTINGS_BYTES: u64 = 1024 * 1024;

/// Where one sign-in runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// In the person's own folder.
    InPlace,
    /// In a new folder inside it, moved over on success.
    Scratch {
        /// The person's own folder.
        home: PathBuf,
        /// The new one.
        scratch: PathBuf,
    },
}

/// Why a scratch home cannot be used, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlaceReason(pub(crate) &'static str);

impl std::fmt::Display for InPlaceReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Decides where a sign-in runs; reads, changes nothing.
///
/// # Errors
/// The reason why only running in place would work: that ends the earlier sign-in first, so the
/// person is asked.
pub(crate) fn plan(
    rules: &Home,
    home: &Path,
    mark: &DirectoryMark,
    id: SessionId,
) -> Result<Plan, InPlaceReason> {
    match rules.strategy {
        HomeStrategy::InPlace => return Ok(Plan::InPlace),
        HomeStrategy::Scratch => {}
    }
    for file in &rules.credentials {
        if fs::symlink_metadata(home.join(file)).is_ok_and(|found| !found.is_file()) {
            return Err(InPlaceReason("its credentials file is a link to another place"));
        }
    }
    if let Some(setting) = &rules.store_setting {
        let stored = read_bounded(&home.join(&setting.file)).unwrap_or_default();
        let value =
            stored.parse::<toml::Table>().ok().and_then(|mut table| table.remove(&setting.key));
        if value.is_some_and(|value| value.as_str() != Some(&setting.in_files)) {
            return Err(InPlaceReason("its settings keep credentials outside its folder"));
        }
    }
    let scratch = home.join(format!("{SCRATCH_PREFIX}{mark}-{id}"));
    Ok(Plan::Scratch { home: home.to_owned(), scratch })
}

impl Plan {
    /// Makes the folder (0700) and copies the settings.
    pub(crate) fn prepare(&self, rules: &Home) -> io::Result<()> {
        let Self::Scratch { home, scratch } = self else { return Ok(()) };
        private_dir(home)?;
        DirBuilder::new().mode(0o700).create(scratch)?;
        for file in &rules.settings {
            match read_bounded(&home.join(file)) {
                Ok(text) => write_private(&scratch.join(file), text.as_bytes())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The folder to point the program at, where that is not the person's own.
    pub(crate) fn moved_to(&self) -> Option<&Path> {
        match self {
            Self::InPlace => None,
            Self::Scratch { scratch, .. } => Some(scratch),
        }
    }

    /// Puts the new credentials in the place of the old ones, by rename, synced to disk.
    pub(crate) fn keep(&self, rules: &Home) -> io::Result<()> {
        let Self::Scratch { home, scratch } = self else { return Ok(()) };
        for file in &rules.credentials {
            let new = scratch.join(file);
            let found = fs::symlink_metadata(&new)?;
            if !found.is_file() {
                return Err(io::Error::other("the program left no regular credentials file"));
            }
            File::open(&new)?.sync_all()?;
            fs::rename(&new, home.join(file))?;
        }
        File::open(home)?.sync_all()
    }

    /// Removes the scratch home and whatever is left in it.
    pub(crate) fn discard(&self) -> io::Result<()> {
        match self {
            Self::InPlace => Ok(()),
            Self::Scratch { scratch, .. } => match fs::remove_dir_all(scratch) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

/// Removes one credential file below the folder; false if there is none.
///
/// The name itself goes, wherever it may lead, but no link on the way to it is followed: whoever
/// could put one there could have any file of this name removed.
pub(crate) fn remove_credential(folder: &Path, file: &str) -> io::Result<bool> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let (above, name) = file.rsplit_once('/').unwrap_or(("", file));
    let removed = (|| {
        let mut at = openat(CWD, folder, flags, Mode::empty())?;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            at = openat(&at, part, flags, Mode::empty())?;
        }
        unlinkat(&at, name, AtFlags::empty())
    })();
    match removed {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            Err(io::Error::other("a folder on the way to it is a link or no folder"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the scratch homes that a killed server left in `home`.
///
/// `mark` names this server's data directory: another Room's live sign-ins are left alone.
pub(crate) fn discard_leftovers(home: &Path, mark: &DirectoryMark) -> io::Result<usize> {
    let mut removed = 0;
    let entries = match fs::read_dir(home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| is_scratch_name(name, mark));
        if ours && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether a folder's name is one that [`plan`] gives: nothing else is ever removed.
fn is_scratch_name(name: &str, mark: &DirectoryMark) -> bool {
    name.strip_prefix(SCRATCH_PREFIX)
        .and_then(|rest| rest.strip_prefix(&mark.to_string())?.strip_prefix('-'))
        .is_some_and(|id| id.parse::<SessionId>().is_ok())
}

/// Makes a folder only this user can enter, with those above it.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}

/// Whether a file can be written in that folder now. The file has no name and is gone at once; where
/// there is none like that, nobody knows, and it counts as writable.
pub(crate) fn can_store(folder: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            // As much as credentials take.
            Ok(file) => File::from(file).write_all(&[0; 4096])?,
            Err(
                error @ (Errno::NOSPC | Errno::DQUOT | Errno::ACCESS | Errno::PERM | Errno::ROFS),
            ) => return Err(error.into()),
            Err(_) => {}
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = folder;
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    if !found.is_file() || found.len() > SETTINGS_BYTES {
        return Err(io::Error::other("a settings file is not a small regular file"));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::provider;

    fn mark() -> DirectoryMark {
        DirectoryMark::of(Path::new("/one"))
    }

    fn codex() -> Home {
        provider::built_in()[0].home.clone()
    }

    #[test]
    fn a_scratch_home_copies_settings_and_replaces_credentials_only_when_kept() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join(".codex");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("config.toml"), "model = \"x\"").unwrap();
        fs::write(home.join("auth.json"), "old").unwrap();
        fs::write(home.join("history.jsonl"), "mine").unwrap();
        let plan = plan(&codex(), &home, &mark(), SessionId::random()).unwrap();
        plan.prepare(&codex()).unwrap();
        let scratch = plan.moved_to().unwrap().to_owned();
        assert_eq!(fs::read_to_string(scratch.join("config.toml")).unwrap(), "model = \"x\"");
        assert_eq!(fs::metadata(&scratch).unwrap().permissions().mode() & 0o777, 0o700);

        assert!(plan.keep(&codex()).is_err(), "nothing to keep yet");
        assert_eq!(fs::read_to_string(home.join("auth.json")).unwrap(), "old");
        fs::write(scratch.join("auth.json"), "new").unwrap();
        plan.keep(&codex()).unwrap();
        plan.discard().unwrap();
        plan.discard().unwrap();
        assert_eq!(fs::read_to_string(home.join("auth.json")).unwrap(), "new");
        assert_eq!(fs::read_to_string(home.join("history.jsonl")).unwrap(), "mine");
        assert!(!scratch.exists());
    }

    #[test]
    fn linked_credentials_and_keyrings_need_the_person_to_be_asked() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        symlink("/dev/null", home.join("auth.json")).unwrap();
        assert!(plan(&codex(), home, &mark(), SessionId::random()).is_err());
        fs::remove_file(home.join("auth.json")).unwrap();
        for (text, asks) in [
            ("cli_auth_credentials_store = \"keyring\"", true),
            ("cli_auth_credentials_store = \"file\"", false),
            ("[profiles.x]\ncli_auth_credentials_store = \"keyring\"", false),
            ("not toml at all [", false),
        ] {
            fs::write(home.join("config.toml"), text).unwrap();
            assert_eq!(plan(&codex(), home, &mark(), SessionId::random()).is_err(), asks, "{text}");
        }
    }

    #[test]
    fn a_credential_file_goes_by_its_name_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (home, target) = (dir.path().join("home"), dir.path().join("target"));
        for folder in [&home, &home.join("sub"), &target] {
            fs::create_dir(folder).unwrap();
        }
        for file in [home.join("auth.json"), home.join("sub/key"), target.join("auth.json")] {
            fs::write(file, "x").unwrap();
        }
        symlink(&target, home.join("linked")).unwrap();
        symlink(&target, dir.path().join("moved")).unwrap();
        symlink(target.join("auth.json"), home.join("link.json")).unwrap();
        assert!(remove_credential(&home, "auth.json").unwrap());
        assert!(!remove_credential(&home, "auth.json").unwrap(), "it is gone");
        assert!(remove_credential(&home, "sub/key").unwrap());
        assert!(remove_credential(&home, "link.json").unwrap(), "the link itself");
        assert!(remove_credential(&home, "linked/auth.json").is_err());
        assert!(remove_credential(&dir.path().join("moved"), "auth.json").is_err());
        assert!(!remove_credential(&dir.path().join("absent"), "auth.json").unwrap());
        assert_eq!(fs::read_to_string(target.join("auth.json")).unwrap(), "x");
    }

    #[test]
    fn only_our_own_leftovers_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let ours = dir.path().join(format!("{SCRATCH_PREFIX}{}-{}", mark(), SessionId::random()));
        let another = dir.path().join(format!(
            "{SCRATCH_PREFIX}{}-{}",
            DirectoryMark::of(Path::new("/other")),
            SessionId::random()
        ));
        let other = dir.path().join(format!("{SCRATCH_PREFIX}notes"));
        let target = dir.path().join("target");
        for path in [&ours, &another, &other, &target] {
            fs::create_dir(path).unwrap();
        }
        symlink(
            &target,
            dir.path().join(format!("{SCRATCH_PREFIX}{}-{}", mark(), SessionId::random())),
        )
        .unwrap();
        assert_eq!(discard_leftovers(dir.path(), &mark()).unwrap(), 1);
        assert!(!ours.exists() && another.exists() && other.exists() && target.exists());
        assert_eq!(discard_leftovers(&dir.path().join("absent"), &mark()).unwrap(), 0);
    }
}
