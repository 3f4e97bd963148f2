//! `room backup` and `room restore`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use room_auth::Token;

use super::arguments::Restore;
use super::{complain, nobody_there, not_given, say, wait_for};
use crate::backup::restore::{RestoreError, Restored};
use crate::backup::{self, BackupError};
use crate::config::Config;
use crate::control::{self, Answer, BackupView, told};
use crate::data_dir::{DataDir, DataDirError, Inspected};

/// `EX_DATAERR`: the file.
const DATA: u8 = 65;
/// `EX_IOERR`: the disk.
const IO: u8 = 74;
/// `EX_TEMPFAIL`: a server is there.
const IN_USE: u8 = 75;
/// `EX_CONFIG`: the directory.
const CONFIG: u8 = 78;

/// Copies the state of the Room on a data directory into a file: asks the server if one runs there.
pub(super) fn back_up(directory: &Path, file: &Path) -> ExitCode {
    private_files();
    let to_output = file == Path::new("-");
    if !to_output && file.symlink_metadata().is_ok() {
        complain(&format!("{} is there already and is left as it is", file.display()));
        return ExitCode::from(73);
    }
    let (view, bytes): (BackupView, Box<dyn Read>) = match control::ask_for_backup(directory) {
        Ok((Answer::Backup(view), bytes)) => (view, Box::new(bytes)),
        Err(error) if nobody_there(&error) => match of_a_stopped_room(directory) {
            Ok((view, file)) => (view, Box::new(file)),
            Err(code) => return code,
        },
        answer => return not_given(directory, answer.map(|(answer, _)| answer)),
    };
    let bytes = bytes.take(view.bytes);
    let written = if to_output {
        write_out(bytes, &mut io::stdout().lock())
    } else {
        write_new(bytes, view.bytes, file)
    };
    match written {
        Ok(length) if length == view.bytes => {
            describe(&view, file, to_output);
            ExitCode::SUCCESS
        }
        Ok(length) => {
            let (file, whole) = (file.display(), view.bytes);
            complain(&format!("{file}: only {length} of {whole} bytes came; there is no backup"));
            ExitCode::from(IO)
        }
        Err(error) => {
            complain(&format!("{}: {error}; there is no backup", file.display()));
            ExitCode::from(IO)
        }
    }
}

fn describe(view: &BackupView, file: &Path, to_output: bool) {
    let tell = if to_output { complain } else { say };
    tell(&format!(
        "{}: the state of the Room {:?} at {}, complete to event {} of its activity, {} bytes.",
        file.display(),
        view.instance,
        view.made_at,
        view.last_activity,
        view.bytes,
    ));
    tell(
        "The sign-ins of codex and claude are not in it: sign in again after a restore. Keep it as \
         you keep a password: it says who did what.",
    );
    if view.sealed_keys > 0 {
        tell(&format!(
            "API keys in it ({}) stay sealed: they are of use only where ROOM_ENCRYPTION_KEY is the \
             same.",
            view.sealed_keys
        ));
    }
}

/// The whole file or none, and none that was there is replaced.
fn write_new(mut bytes: impl Read, expected: u64, file: &Path) -> io::Result<u64> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", Token::random().expose()));
    let part = Part(PathBuf::from(name));
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0)?;
    let length = io::copy(&mut bytes, &mut to)?;
    if length < expected {
        return Ok(length);
    }
    to.sync_all()?;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(rustix::fs::CWD, &part.0, rustix::fs::CWD, file, flags) {
        // A file system that cannot say "only if it is not there" is asked in two steps.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS)
            if file.symlink_metadata().is_err() =>
        {
            fs::rename(&part.0, file)?;
        }
        other => other?,
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(length)
}

/// A file that is not finished; gone on drop, unless it has its name by then.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn write_out(mut bytes: impl Read, out: &mut impl Write) -> io::Result<u64> {
    let length = io::copy(&mut bytes, out)?;
    out.flush()?;
    Ok(length)
}

/// The same of a Room that does not run.
fn of_a_stopped_room(directory: &Path) -> Result<(BackupView, File), ExitCode> {
    let claimed = claim(directory, directory.join(crate::store::FILE).exists())?;
    let made = wait_for(async {
        backup::restore::finish(claimed.path())?;
        backup::unnamed(claimed.path(), Timestamp::now()).await
    });
    match made {
        Ok(made) => Ok((BackupView::new(made.bytes, &made.about), made.into_file())),
        Err(error) => {
            complain(&told(&error));
            if matches!(error, BackupError::Store(_)) {
                complain(
                    "if this version of Room never ran here, start it once; else `room doctor` says more",
                );
            }
            Err(ExitCode::from(IO))
        }
    }
}

/// `room restore`.
pub(super) fn restore(config: &Config, asked: &Restore) -> ExitCode {
    private_files();
    let opened = open(&asked.file);
    let (mut file, bytes) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            complain(&format!("{}: {error}", asked.file.display()));
            return ExitCode::from(66);
        }
    };
    let claimed = match claim(&config.data_dir, true) {
        Ok(claimed) => claimed,
        Err(code) => return code,
    };
    let (ours, from, now) = (config.owner(), asked.from.as_deref(), Timestamp::now());
    let done = wait_for(async {
        backup::restore::restore(&claimed, &mut *file, bytes, ours, from, now).await
    });
    match done {
        Ok(restored) => {
            report(config, &restored);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&told(&error));
            complain("nothing was changed");
            ExitCode::from(match error {
                RestoreError::File(_)
                | RestoreError::NewerSchema(_)
                | RestoreError::OtherInstance { .. } => DATA,
                RestoreError::Room(_) | RestoreError::Store(_) | RestoreError::Io(_) => IO,
            })
        }
    }
}

fn open(file: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), 0));
    }
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(file), bytes))
}

fn report(config: &Config, restored: &Restored) {
    let about = &restored.about;
    say(&format!(
        "Restored: the state of the Room {:?} at {}, complete to event {} of its activity.",
        about.instance, about.made_at, about.last_activity
    ));
    say(&format!(
        "Everyone is signed out ({} devices), and tokens issued before now are refused.",
        restored.devices
    ));
    match restored.revocations {
        Some(0) => {}
        Some(count) => say(&format!("{count} revocations of the earlier database stay in force.")),
        None => say(
            "The earlier database could not be read: who was thrown out since the backup was made \
             is not known here.",
        ),
    }
    if let Some(earlier) = &restored.earlier {
        say(&format!("The earlier database is kept as {}.", earlier.display()));
    }
    if about.sealed_keys > 0 {
        let usable = if config.encryption_keys.is_empty() {
            "ROOM_ENCRYPTION_KEY is not set, so they are of no use"
        } else if about.instance != config.owner() {
            "they were sealed for another Room, so set them again"
        } else {
            "they open with the same ROOM_ENCRYPTION_KEY as before"
        };
        say(&format!("API keys in it: {}; {usable}.", about.sealed_keys));
    }
    say("Sign in to codex and claude again: their sign-ins are in no backup.");
}

/// Takes a data directory that no server runs on.
fn claim(directory: &Path, is_there: bool) -> Result<DataDir, ExitCode> {
    if !is_there {
        complain(&format!(
            "no Room runs on {0}, and none has: there is nothing in it",
            directory.display()
        ));
        return Err(ExitCode::from(CONFIG));
    }
    Inspected::look(directory).and_then(Inspected::claim).map_err(|error| match error {
        DataDirError::InUse { path, .. } => {
            complain(&format!("a Room runs on {}; stop it first", path.display()));
            ExitCode::from(IN_USE)
        }
        error => {
            complain(&told(&error));
            ExitCode::from(CONFIG)
        }
    })
}

/// Whatever is made from here on is for us alone.
fn private_files() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
