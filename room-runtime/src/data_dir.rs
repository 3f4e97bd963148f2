//! The data directory: ours alone, one server at a time, files that are never half written.
//!
//! [`Inspected`] looks without changing anything, so that a start that fails leaves no trace;
//! [`DataDir`] is the claimed directory.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use room_auth::Token;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::process::Pid;

/// The file whose lock makes a server the only one on the directory.
const LOCK: &str = "room.lock";

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A link could be turned elsewhere by someone else.
    #[error("{0} is a symbolic link; name the directory itself in ROOM_DATA_DIR")]
    Symlink(PathBuf),
    /// There is something else in its place.
    #[error("{0} is not a directory; name another in ROOM_DATA_DIR")]
    NotADirectory(PathBuf),
    /// Its owner could read and change what we write.
    #[error("{path} belongs to user {owner}, not to us; name another in ROOM_DATA_DIR")]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// Others could read what is in it.
    #[error("{path} is open to others (mode {mode:04o}); run `chmod 700 {path}`")]
    TooOpen {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be written.
    #[error("{path} cannot be written; make it writable or name another in ROOM_DATA_DIR")]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another server has it.
    #[error(
        "another Room{} already runs on {path}; `room open` gives a link to it",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other server's process, if it said so.
        pid: Option<u32>,
    },
    /// Anything else.
    #[error("{path} cannot be used")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A directory that was looked at and found fit; it may not exist yet.
#[derive(Debug)]
pub struct Inspected {
    path: PathBuf,
    /// The lock is taken already where there is one to take: nobody can come in between.
    lock: Option<OwnedFd>,
}

impl Inspected {
    /// Looks at a directory. Changes nothing.
    ///
    /// # Errors
    /// Says what is wrong with it, and how to put it right.
    pub fn look(path: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io { path: path.into(), source };
        if !fit(path)? {
            return Ok(Self { path: path.into(), lock: None });
        }
        let lock = match open_lock(path, OFlags::empty()) {
            Ok(file) => Some(take(file, path)?),
            Err(rustix::io::Errno::NOENT) => None,
            Err(error) => return Err(failed(error.into())),
        };
        Ok(Self { path: path.into(), lock })
    }

    /// Makes the directory if it is missing, and takes it.
    ///
    /// # Errors
    /// It cannot be made, or another server was quicker.
    pub fn claim(self) -> Result<DataDir, DataDirError> {
        let failed = |source| DataDirError::Io { path: self.path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let lock = if let Some(lock) = self.lock {
            lock
        } else {
            let file = open_lock(&self.path, OFlags::CREATE);
            take(file.map_err(|error| failed(error.into()))?, &self.path)?
        };
        let dir = rustix::fs::open(
            &self.path,
            OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY,
            Mode::empty(),
        );
        let dir = dir.map_err(|error| failed(error.into()))?;
        let mut lock = File::from(lock);
        let said = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        said.map_err(failed)?;
        Ok(DataDir { path: self.path, dir, _lock: lock })
    }
}

/// The directory, ours until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    dir: OwnedFd,
    _lock: File,
}

impl DataDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole or not at all, readable by us alone. What stood there is replaced, also
    /// if it was a link: its target is not touched. Not flushed to the disk: these files are of one
    /// run of the server, and after a power cut the next start writes them anew.
    ///
    /// # Errors
    /// Whatever the system says; nothing is left behind.
    pub fn write(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let temporary = format!(".{name}.{}", Token::random().expose());
        let written = self
            .write_new(&temporary, contents)
            .and_then(|()| Ok(rustix::fs::renameat(&self.dir, &temporary, &self.dir, name)?));
        if written.is_err() {
            self.remove(&temporary);
        }
        written
    }

    fn write_new(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.dir, name, flags | OFlags::WRONLY, mode)?;
        File::from(file).write_all(contents)
    }

    /// Makes sure that a file exists, is a plain one, and is readable by us alone.
    ///
    /// # Errors
    /// A link stands there, or the system refuses.
    pub fn ensure_private(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?)
    }

    /// Removes a file of ours; that it is gone already is as good.
    pub fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
    }

    /// A path for a Unix socket in the directory, short enough for the system's 108 bytes however
    /// deep the directory lies. Good as long as this is alive.
    pub fn socket_path(&self, name: &str) -> PathBuf {
        short_path(&self.path.join(name), &self.dir, name)
    }
}

/// A path for a Unix socket that a client can use, with what keeps it good.
///
/// # Errors
/// The directory cannot be opened.
pub fn client_socket_path(directory: &Path, name: &str) -> io::Result<(PathBuf, OwnedFd)> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let dir = rustix::fs::open(directory, flags, Mode::empty())?;
    Ok((short_path(&directory.join(name), &dir, name), dir))
}

fn short_path(plain: &Path, dir: &OwnedFd, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    /// `sun_path` holds 108 bytes on Linux, 104 elsewhere, the last one zero.
    const FITS: usize = 103;
    if cfg!(target_os = "linux") && plain.as_os_str().len() > FITS {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))
    } else {
        plain.into()
    }
}

/// Whether a directory is there and fit for us; `Ok(false)`: it is not there, and can be made.
///
/// # Errors
/// Says what is wrong with it, and how to put it right.
pub fn fit(path: &Path) -> Result<bool, DataDirError> {
    let unwritable = |source: rustix::io::Errno| DataDirError::NotWritable {
        path: path.into(),
        source: source.into(),
    };
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => Err(DataDirError::Symlink(path.into())),
        Ok(found) if !found.is_dir() => Err(DataDirError::NotADirectory(path.into())),
        Ok(found) => {
            if found.uid() != rustix::process::geteuid().as_raw() {
                let owner = found.uid();
                return Err(DataDirError::ForeignOwner { path: path.into(), owner });
            }
            if found.mode() & 0o077 != 0 {
                let mode = found.mode() & 0o7777;
                return Err(DataDirError::TooOpen { path: path.into(), mode });
            }
            writable(path).map_err(unwritable)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut parents = path.ancestors().skip(1);
            let parent = parents.find(|parent| parent.symlink_metadata().is_ok());
            writable(parent.unwrap_or(Path::new("/"))).map_err(unwritable)?;
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(DataDirError::NotADirectory(path.into()))
        }
        Err(source) => Err(DataDirError::Io { path: path.into(), source }),
    }
}

fn writable(path: &Path) -> Result<(), rustix::io::Errno> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
}

fn open_lock(directory: &Path, more: OFlags) -> Result<OwnedFd, rustix::io::Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    rustix::fs::openat(CWD, directory.join(LOCK), flags, Mode::RUSR | Mode::WUSR)
}

/// How long the lock of a killed server may outlive it: a child that it had forked and that has not
/// come to its own program yet holds a copy for a moment. Whoever restarts at once meets that.
const ORPHANED_LOCK: Duration = Duration::from_secs(1);

/// The pause between two looks at it.
const LOCK_RETRY: Duration = Duration::from_millis(10);

fn take(file: OwnedFd, directory: &Path) -> Result<OwnedFd, DataDirError> {
    let path = || directory.to_path_buf();
    let start = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let pid = owner(&file);
                let gone = pid.and_then(Pid::from_raw).is_some_and(|pid| {
                    rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
                });
                if !gone || start.elapsed() >= ORPHANED_LOCK {
                    let pid = pid.and_then(|pid| u32::try_from(pid).ok());
                    return Err(DataDirError::InUse { path: path(), pid });
                }
                std::thread::sleep(LOCK_RETRY);
            }
            Err(error) => return Err(DataDirError::Io { path: path(), source: error.into() }),
        }
    }
}

/// Who says in the file that the lock is theirs.
fn owner(file: &OwnedFd) -> Option<i32> {
    let mut bytes = [0; 20];
    let count = rustix::io::pread(file, &mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..count]).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn looking_changes_nothing_and_claiming_makes_it_ours() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let inspected = Inspected::look(&path).unwrap();
        assert!(!temp.path().join("a").exists());
        let dir = inspected.claim().unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(LOCK)), 0o600);
        dir.write("api.token", b"secret").unwrap();
        assert_eq!(fs::read(path.join("api.token")).unwrap(), b"secret");
        assert_eq!(mode(&path.join("api.token")), 0o600);
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_second_server_is_told_of_the_first() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        let first = Inspected::look(&path).unwrap().claim().unwrap();
        let refused = Inspected::look(&path).unwrap_err();
        let DataDirError::InUse { pid, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*pid, Some(std::process::id()));
        drop(first);
        Inspected::look(&path).unwrap().claim().unwrap();
    }

    #[test]
    fn a_directory_that_is_not_ours_alone_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (open, link, file) =
            (temp.path().join("open"), temp.path().join("link"), temp.path().join("file"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
        symlink(&open, &link).unwrap();
        fs::write(&file, "").unwrap();
        let refused = |path: &Path| Inspected::look(path).unwrap_err();
        assert!(matches!(refused(&open), DataDirError::TooOpen { mode: 0o750, .. }));
        assert!(matches!(refused(&link), DataDirError::Symlink(_)));
        assert!(matches!(refused(&file), DataDirError::NotADirectory(_)));
        assert!(matches!(refused(&file.join("below")), DataDirError::NotADirectory(_)));
        assert!(refused(&open).to_string().contains("chmod 700"));
    }

    #[test]
    fn a_planted_link_is_replaced_and_its_target_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        let dir = Inspected::look(&path).unwrap().claim().unwrap();
        let target = temp.path().join("target");
        fs::write(&target, "untouched").unwrap();
        symlink(&target, path.join("api.token")).unwrap();
        dir.write("api.token", b"secret").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert!(!path.join("api.token").is_symlink());
        symlink(&target, path.join("room.db")).unwrap();
        assert!(dir.ensure_private("room.db").is_err());
    }

    #[test]
    fn a_deep_directory_still_gets_a_socket() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("d".repeat(120));
        let dir = Inspected::look(&path).unwrap().claim().unwrap();
        let _listener =
            std::os::unix::net::UnixListener::bind(dir.socket_path("room.sock")).unwrap();
        let (short, _keep) = client_socket_path(&path, "room.sock").unwrap();
        std::os::unix::net::UnixStream::connect(short).unwrap();
    }
}
