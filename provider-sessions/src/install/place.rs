//! Where installed programs are, and how a new one takes the place of the old one.
//!
//! ```text
//! {data}/cli/bin/codex                  a link to the program in use, looked at before PATH
//! {data}/cli/codex/0.169.0-linux-x64/   the package in use
//! {data}/cli/staging/{session}/         what is being installed
//! ```
//!
//! The link is replaced by a rename, so at every moment there is the old program or the new one.
//! Whatever the link does not lead to is removed: after an install, and at the next start when the
//! server was killed in the middle of one.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::InstallError;
use crate::home::private_dir;
use crate::session::SessionId;

/// The folder of installed programs, below the data directory.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("cli"))
    }

    /// Where the programs are looked for.
    pub(crate) fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    fn all_staging(&self) -> PathBuf {
        self.0.join("staging")
    }

    /// Makes an empty folder for one install, 0700. Dropped, it and all in it is gone.
    pub(crate) fn stage(&self, id: SessionId) -> io::Result<Staging> {
        for folder in [self.0.clone(), self.all_staging()] {
            private_dir(&folder)?;
            if !fs::symlink_metadata(&folder)?.is_dir() {
                return Err(io::Error::other("the folder of programs is a link"));
            }
        }
        let folder = self.all_staging().join(id.to_string());
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Staging(folder))
    }

    /// Puts a staged package in place and its program in use; then the older ones go.
    pub(crate) fn adopt(&self, staging: &Staging, new: &Package<'_>) -> Result<(), InstallError> {
        let folder = self.folder(new.provider)?;
        let inside = below_package(new.program)?;
        let name = plain(new.name)?;
        let disk = InstallError::Disk;
        let mut version = plain(new.version)?.to_owned();
        private_dir(&folder).map_err(disk)?;
        private_dir(&self.bin()).map_err(disk)?;
        if fs::symlink_metadata(folder.join(&version)).is_ok() {
            // The same version once more: the one in use stays until the link leads elsewhere.
            version = format!("{version}-{}", new.id);
        }
        // On disk before anything leads there.
        sync_all(&staging.package())?;
        fs::rename(staging.package().join("package"), folder.join(&version)).map_err(disk)?;
        sync(&folder)?;
        let target = Path::new("..").join(new.provider).join(&version).join(inside);
        let link = staging.0.join("link");
        let linked = symlink(target, &link)
            .and_then(|()| fs::rename(&link, self.bin().join(name)))
            .map_err(disk);
        if let Err(error) = linked {
            let _ = fs::remove_dir_all(folder.join(&version));
            // Only if it is empty: there was none before.
            let _ = fs::remove_dir(&folder);
            return Err(error);
        }
        sync(&self.bin())?;
        // In use. What is left of older ones costs space and nothing else.
        if let Err(error) = keep_only(&folder, &version) {
            tracing::warn!(%error, provider = new.provider, "older versions were not removed");
        }
        Ok(())
    }

    /// Removes what a killed server left: what was being installed, and packages not in use.
    ///
    /// `programs` are the providers with the names of their programs. No install may be going on.
    pub(crate) fn discard_leftovers(&self, programs: &[(String, String)]) -> io::Result<()> {
        absent(fs::remove_dir_all(self.all_staging()))?;
        for (provider, name) in programs {
            let (Ok(folder), Ok(_)) = (self.folder(provider), plain(name)) else { continue };
            match self.in_use(provider, name) {
                Some(version) => absent(keep_only(&folder, &version))?,
                None => absent(fs::remove_dir_all(folder))?,
            }
        }
        Ok(())
    }

    /// Where a provider's packages are.
    fn folder(&self, provider: &str) -> Result<PathBuf, InstallError> {
        match plain(provider)? {
            "bin" | "staging" => Err(InstallError::BadRow),
            name => Ok(self.0.join(name)),
        }
    }

    /// The folder of the package that a program's link leads into.
    fn in_use(&self, provider: &str, name: &str) -> Option<String> {
        let target = fs::read_link(self.bin().join(name)).ok()?;
        let mut parts = target.components();
        let ours = parts.next() == Some(Component::ParentDir)
            && parts.next() == Some(Component::Normal(OsStr::new(provider)));
        let version = parts.next().filter(|_| ours)?;
        version.as_os_str().to_str().map(ToOwned::to_owned)
    }
}

/// What is to be put in place.
#[derive(Clone, Copy)]
pub(crate) struct Package<'a> {
    pub(crate) id: SessionId,
    pub(crate) provider: &'a str,
    /// The program's name.
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// Where the program is in the archive.
    pub(crate) program: &'a str,
}

/// The folder of one install that is going on.
#[derive(Debug)]
pub(crate) struct Staging(PathBuf);

impl Staging {
    /// A new file for the download, for this user alone.
    pub(crate) fn archive(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).open(self.0.join("archive"))
    }

    pub(crate) fn remove_archive(&self) -> io::Result<()> {
        fs::remove_file(self.0.join("archive"))
    }

    /// Where the archive is unpacked.
    pub(crate) fn package(&self) -> PathBuf {
        self.0.join("unpacked")
    }

    /// Makes the folder to unpack into.
    pub(crate) fn make_package(&self) -> io::Result<PathBuf> {
        DirBuilder::new().mode(0o700).create(self.package())?;
        Ok(self.package())
    }

    /// Removes it with all in it.
    pub(crate) fn discard(&self) -> io::Result<()> {
        absent(fs::remove_dir_all(&self.0))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = self.discard() {
            tracing::warn!(%error, "what was being installed was not removed");
        }
    }
}

/// A name that is one folder's: it leads nowhere else.
fn plain(name: &str) -> Result<&str, InstallError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name && !name.starts_with('.') => Ok(name),
        _ => Err(InstallError::BadRow),
    }
}

/// Where in a package its program is: the path in the archive less `package/`.
pub(crate) fn below_package(program: &str) -> Result<&Path, InstallError> {
    let inside = Path::new(program).strip_prefix("package").map_err(|_| InstallError::BadRow)?;
    let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && inside.components().next().is_some() {
        Ok(inside)
    } else {
        Err(InstallError::BadRow)
    }
}

/// Removes everything in a provider's folder but one package.
fn keep_only(folder: &Path, version: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != version {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Nothing there is as good as removed.
fn absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Brings a folder's entries onto the disk.
fn sync(folder: &Path) -> Result<(), InstallError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(InstallError::Disk)
}

/// Brings a whole tree onto the disk: with all else that is to be written there, which is cheaper
/// than file by file.
fn sync_all(folder: &Path) -> Result<(), InstallError> {
    #[cfg(target_os = "linux")]
    {
        let folder = File::open(folder).map_err(InstallError::Disk)?;
        rustix::fs::syncfs(&folder).map_err(|error| InstallError::Disk(error.into()))
    }
    #[cfg(not(target_os = "linux"))]
    sync(folder)
}

#[cfg(test)]
mod tests;
