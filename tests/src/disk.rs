//! A file system of a few megabytes, for root.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::not_run;

/// A small file system, gone on drop.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

/// A disk that breaks: from then on the kernel lets nobody write, also through open files.
#[derive(Debug)]
pub struct FragileDisk(SmallDisk);

impl FragileDisk {
    /// Makes one in that file and mounts it on a directory, or tells that `test` did not run.
    pub fn mount(test: &str, file: &Path, place: &Path) -> Option<Self> {
        let did = |program: &str, words: &[&OsStr]| {
            let output = Command::new(program).args(words).output();
            output.is_ok_and(|output| output.status.success())
        };
        let (file, at) = (file.as_os_str(), place.as_os_str());
        let mounted = did("truncate", &["-s".as_ref(), "32M".as_ref(), file])
            && did("mkfs.ext4", &["-q".as_ref(), file])
            && did("mount", &["-o".as_ref(), "loop".as_ref(), file, at])
            && did("chmod", &["700".as_ref(), at])
            && did("rm", &["-rf".as_ref(), place.join("lost+found").as_os_str()]);
        if mounted {
            return Some(Self(SmallDisk(place.to_owned())));
        }
        not_run(test, "only root with a loop device may mount a disk that breaks");
        None
    }

    /// Breaks it, as ext4 does when it finds itself damaged.
    ///
    /// # Panics
    ///
    /// When it does not break.
    pub fn fail(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,abort"]).arg(self.0.path());
        let _ = mount.output().expect("a disk can be remounted");
        let refused = std::fs::write(self.0.path().join("probe"), "x");
        assert!(refused.is_err(), "it can still be written");
    }
}

impl SmallDisk {
    /// Mounts one of so many bytes on a directory, or tells that `test` did not run: only root may.
    pub fn mount(test: &str, place: &Path, bytes: u64) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "room"])
            .arg(place)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            Some(Self(place.to_owned()))
        } else {
            not_run(test, "only root may mount a disk");
            None
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves no byte free.
    ///
    /// # Panics
    ///
    /// When that ends otherwise than with a full disk.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file on the disk");
        loop {
            match file.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Takes that back.
    ///
    /// # Panics
    ///
    /// When it was not filled.
    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// How many bytes are free.
    ///
    /// # Panics
    ///
    /// When it is not there any more.
    pub fn free_bytes(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.0).expect("it is mounted");
        found.f_bavail * found.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what is still running there is none of ours to wait for.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
