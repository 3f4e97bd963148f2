//! Installs of the providers' programs: sessions of the same shape as sign-ins, one live one a
//! provider, and never while that provider is being signed in.

use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::table::Refusal;
use super::{Connected, Inner, Live, SessionManager};
use crate::error::SessionError;
use crate::install::{
    Bounds, InstallError, Integrity, Package, Place, Staging, Stop, Wanted, below_package,
    download, unpack,
};
use crate::login::{Ending, Input, Limits, Login};
use crate::process::{SpawnError, run_until};
use crate::provider::{Archive, Provider};
use crate::session::{Kind, SessionView, Status, Step};
use crate::status::{PROBE_LIMIT, read_version};

const MEGABYTE: u64 = 1_000_000;

/// How much room an install takes, in tenths of the download's size: the download itself, and what
/// is in it. Both programs unpack to 2.2 times their size.
const SPACE_TENTHS: u64 = 35;

/// … and what must be left for the server's own files.
const SPACE_LEFT: u64 = 64 * MEGABYTE;

impl SessionManager {
    /// Installs the provider's program at the version its row pins, or joins the live install.
    ///
    /// # Errors
    /// Unknown provider, nothing to install on this machine, a sign-in of it runs, server stopping.
    pub async fn install(
        &self,
        provider: &str,
        started_by: &str,
    ) -> Result<Connected, SessionError> {
        let inner = &self.0;
        let index = inner.index(provider)?;
        let slot = &inner.slots[index];
        let row = &slot.provider;
        let archive = row.install.archive_here().ok_or_else(|| SessionError::NotInstallable {
            name: row.name.clone(),
            command: row.install.command.clone(),
        })?;
        let _changing = slot.changing.lock().await;
        inner.clean_start().await;
        let refused = |why| match why {
            Refusal::Stopping => SessionError::Stopping,
            Refusal::Other => SessionError::SigningIn { name: row.name.clone() },
        };
        let joined = |live: &Live| Connected { view: live.login().view().clone(), reused: true };
        if let Some(live) = inner.table.way(index, Kind::Install).await.map_err(refused)? {
            return Ok(joined(&live));
        }
        let limits = Limits { timeout: inner.settings.install.timeout, ..inner.limits() };
        let (live, _) = Live::new(Login::install(row, started_by, limits, Timestamp::now()));
        let view = live.login().view().clone();
        let start = || {
            inner.observer.status(&view);
            inner.update_status(index, |status| status.install = Some(view.id));
            let job = Job {
                inner: Arc::clone(inner),
                live: Arc::clone(&live),
                index,
                row: Arc::clone(row),
                archive: archive.clone(),
                stop: Stop::default(),
            };
            inner.tasks.spawn(job.run());
        };
        let begun = inner.table.begin(index, Kind::Install, &live, view.started_at, start);
        match begun.map_err(refused)? {
            Some(other) => Ok(joined(&other)),
            None => Ok(Connected { view, reused: false }),
        }
    }

    /// The provider's live install, or the last one that is still remembered.
    ///
    /// # Errors
    /// Unknown provider.
    pub fn latest_install(&self, provider: &str) -> Result<Option<SessionView>, SessionError> {
        let latest = self.0.table.readable(self.0.index(provider)?, Kind::Install);
        Ok(latest.map(|live| live.login().view().clone()))
    }
}

impl Inner {
    pub(super) fn place(&self) -> Place {
        Place::of(&self.settings.data_dir)
    }
}

/// One install.
struct Job {
    inner: Arc<Inner>,
    live: Arc<Live>,
    index: usize,
    row: Arc<Provider>,
    archive: Archive,
    stop: Stop,
}

impl Job {
    async fn run(self) {
        self.apply(Input::Launched);
        let timeout = tokio::time::sleep(self.inner.settings.install.timeout);
        let result = {
            let mut work = std::pin::pin!(self.work());
            let ending = tokio::select! {
                result = &mut work => Ok(result),
                ending = self.live.ending() => Err(ending),
                () = timeout => Err(Ending::TimedOut),
            };
            match ending {
                Ok(result) => result,
                Err(ending) => {
                    self.live.end(ending);
                    self.apply(Input::Ending(ending));
                    self.stop.ask();
                    // It hears that soon, and tidies up. What is in place by then stays.
                    work.await
                }
            }
        };
        match result {
            Ok(()) => self.apply(Input::Answered(Ok(true))),
            Err(InstallError::Stopped) => self.apply(Input::Gone),
            Err(error) => self.apply(Input::Broken(error.code(), sentence(&error))),
        }
        self.over().await;
    }

    /// From the download to the look at what is there now.
    async fn work(&self) -> Result<(), InstallError> {
        let place = self.inner.place();
        let (staging_place, id) = (place.clone(), self.live.id);
        let staging = Arc::new(blocking(move || staging_place.stage(id)).await?);
        let result = self.stage(&staging).await;
        let result = match result {
            Ok(()) => self.adopt(place, &staging).await,
            Err(error) => Err(error),
        };
        // Hundreds of megabytes take a moment to go, and are gone before anyone is told.
        let _ = blocking(move || staging.discard()).await;
        result
    }

    /// Downloads, checks, unpacks, and runs the program once where it lies.
    async fn stage(&self, staging: &Arc<Staging>) -> Result<(), InstallError> {
        let Self { archive, row, stop, .. } = self;
        let integrity = Integrity::parse(&archive.integrity).ok_or(InstallError::BadRow)?;
        let inside = below_package(&archive.program)?.to_owned();
        let (data_dir, size) = (self.inner.settings.data_dir.clone(), archive.size_bytes);
        blocking_result(move || enough_space(&data_dir, size)).await?;

        let settings = &self.inner.settings;
        let client =
            crate::http::builder(&settings.environment).and_then(reqwest::ClientBuilder::build);
        let client = client.map_err(InstallError::Client)?;
        let url = archive.url(&settings.install.registry);
        let total = megabytes(size);
        self.say(format!("Downloading {} {}, {total} MB.", row.name, row.install.tested));
        let opening = Arc::clone(staging);
        let file = blocking(move || opening.archive()).await?;
        let wanted = Wanted {
            url: &url,
            size_bytes: size,
            integrity: &integrity,
            stall: settings.install.stall,
        };
        let progress = |bytes| self.say(format!("Downloaded {} of {total} MB.", megabytes(bytes)));
        let mut file = download(&client, &wanted, file, stop, progress).await?;

        self.apply(Input::At(Step::Storing));
        self.say("The download is what it should be. Unpacking.".to_owned());
        let (unpacked, archive, stopped) = (Arc::clone(staging), archive.clone(), stop.clone());
        let unpacking = move || {
            let folder = unpacked.make_package().map_err(InstallError::Disk)?;
            let wants = |path: &str| archive.wants(path);
            unpack(&mut file, &folder, wants, Bounds::of(size), &stopped)?;
            drop(file);
            unpacked.remove_archive().map_err(InstallError::Disk)
        };
        blocking_result(unpacking).await?;

        self.apply(Input::At(Step::Verifying));
        self.say("Checking that it runs.".to_owned());
        self.try_out(&staging.package().join("package").join(inside)).await
    }

    /// Runs `--version` and compares.
    async fn try_out(&self, program: &Path) -> Result<(), InstallError> {
        self.stop.check()?;
        let args = vec!["--version".to_owned()];
        let spec = self.inner.spec(&self.row, program.to_owned(), args, None, Some(self.live.id));
        let run = run_until(self.inner.launcher(), spec, PROBE_LIMIT, self.stop.asked()).await;
        self.stop.check()?;
        let output = run.map_err(|error| match error {
            SpawnError::Program { .. } => InstallError::DoesNotRun(error.to_string()),
            // Its own trouble, not the program's.
            error => InstallError::Disk(io::Error::other(error)),
        })?;
        if output.timed_out || output.exit.code != Some(0) {
            let said =
                output.stderr.lines().chain(output.stdout.lines()).find(|line| !line.is_empty());
            let said = said.unwrap_or("it said nothing").chars().take(200).collect();
            return Err(InstallError::DoesNotRun(said));
        }
        let expected = &self.row.install.tested;
        match read_version(&output.stdout) {
            Some(found) if found == *expected => Ok(()),
            found => Err(InstallError::OtherVersion {
                found: found.unwrap_or_else(|| "unknown".to_owned()),
                expected: expected.clone(),
            }),
        }
    }

    /// Takes the old program's place, and looks at what is true now before anyone is told.
    async fn adopt(&self, place: Place, staging: &Arc<Staging>) -> Result<(), InstallError> {
        {
            // A probe that began with the old program is over first, and its answer older.
            let _asking = self.inner.slots[self.index].asking.lock().await;
            self.stop.check()?;
            let (staging, row, archive) =
                (Arc::clone(staging), Arc::clone(&self.row), self.archive.clone());
            let id = self.live.id;
            let adopting = move || {
                let package = Package {
                    id,
                    provider: &row.id,
                    name: &row.program,
                    version: &archive.version,
                    program: &archive.program,
                };
                place.adopt(&staging, &package)
            };
            blocking_result(adopting).await?;
        }
        self.say(format!("{} {} is installed.", self.row.name, self.row.install.tested));
        self.inner.probe(self.index).await;
        Ok(())
    }

    /// Nothing of it goes on any more.
    async fn over(&self) {
        let failed = self.live.login().view().status != Status::Completed;
        self.inner.update_status(self.index, |status| {
            if status.install == Some(self.live.id) {
                status.install = None;
            }
        });
        if failed {
            self.inner.sweep(self.live.id).await;
        }
        self.live.finish();
    }

    fn apply(&self, input: Input) {
        self.inner.apply(&self.live, input);
    }

    fn say(&self, text: String) {
        self.inner.remark(&self.live, text);
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(MEGABYTE)
}

/// The error and what is behind it, as a sentence.
fn sentence(error: &InstallError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = deeper.source();
    }
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

/// Refuses what would fill the disk that the server itself writes to.
fn enough_space(data_dir: &Path, download: u64) -> Result<(), InstallError> {
    let found = rustix::fs::statvfs(data_dir).map_err(|error| InstallError::Disk(error.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = download.saturating_mul(SPACE_TENTHS) / 10 + SPACE_LEFT;
    if free < needed {
        let (free, needed) = (free / MEGABYTE, megabytes(needed));
        return Err(InstallError::NoSpace { free, needed });
    }
    Ok(())
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, InstallError> {
    blocking_result(move || work().map_err(InstallError::Disk)).await
}

async fn blocking_result<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InstallError> + Send + 'static,
) -> Result<T, InstallError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(InstallError::Disk(io::Error::other(error))),
    }
}
