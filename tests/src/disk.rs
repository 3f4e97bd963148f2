//! A file system of a few megabytes, for root.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system, gone on drop.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many bytes on a directory, or tells that `test` did not run: only root may.
    #[expect(clippy::print_stderr, reason = "who runs the tests is to see which did not run")]
    pub fn mount(test: &str, place: &Path, bytes: u64) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "room"])
            .arg(place)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            Some(Self(place.to_owned()))
        } else {
            eprintln!("NOT RUN: {test}: only root may mount a disk");
            None
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
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
