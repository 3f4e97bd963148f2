//! The same server for an hour under what a bad day brings: pages that come and go, some that do not
//! read, a sign-in opened and ended each second, requests all the while. What it holds at the end is
//! what it held at the start, and no page missed an event.

mod trend;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use crate::app::{Setup, TestApp};
use crate::clis::fake_clis;
use crate::fake::{Control, Scenario};
use crate::load::{Mode, Options, connect};
use crate::socket::Socket;
use crate::vitals::Vitals;

use self::trend::slope;

/// Pages at any moment.
const PAGES: u64 = 57;

/// Pages that never read: a twentieth of all.
const DEAF: u64 = 3;

/// How long a page stays at most.
const STAY: Duration = Duration::from_secs(20);

/// How long one that does not read stays; then it looks why it was closed.
const DEAF_STAY: Duration = Duration::from_secs(8);

const EACH_LOGIN: Duration = Duration::from_secs(1);
const EACH_REQUEST: Duration = Duration::from_millis(50);
const EACH_SAMPLE: Duration = Duration::from_secs(10);

/// Growth under this is none.
const MIB_AN_HOUR: f64 = 1.0;

/// A shorter run cannot tell a trend from chance; it is told and not judged.
const JUDGED: Duration = Duration::from_mins(30);

/// After the load everything that it took is given back within this.
const REST: Duration = Duration::from_secs(40);

/// What was held at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    seconds: f64,
    resident_mib: f64,
    descriptors: usize,
    threads: usize,
    children: usize,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    minutes: f64,
    sockets: u64,
    events: u64,
    deaf: u64,
    logins: u64,
    requests: u64,
    /// Pages that missed an event, were closed, or could not come.
    faults: Vec<String>,
    /// By least squares, from a sixth of the time on.
    resident_mib_an_hour: f64,
    first: Sample,
    last: Sample,
    /// Before the load, and after it.
    at_rest: [Sample; 2],
    passed: bool,
}

impl Outcome {
    /// Whether nothing grew and nothing was lost.
    pub fn passed(&self) -> bool {
        self.passed
    }
}

#[derive(Default)]
struct Counts {
    sockets: AtomicU64,
    events: AtomicU64,
    deaf: AtomicU64,
    logins: AtomicU64,
    requests: AtomicU64,
}

struct World {
    app: TestApp,
    control: Control,
    counts: Counts,
    /// The channel of the newest sign-in.
    channel: watch::Sender<String>,
    end: Instant,
}

/// Runs for so long, telling each sample.
///
/// # Panics
///
/// When the server or the fake programs are not built, or the server ends.
pub async fn soak(lasts: Duration, tell: impl Fn(&Sample)) -> Outcome {
    LocalSet::new().run_until(run(lasts, tell)).await
}

async fn run(lasts: Duration, tell: impl Fn(&Sample)) -> Outcome {
    let clis = fake_clis().expect("the fake programs are built");
    let setup = Setup::new().expect("directories");
    let setup = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off").var("ROOM_LOG", "warn");
    let setup = setup.search(&format!("{}:/usr/bin:/bin", clis.path().display()));
    let control = Control::new(setup.home().path());
    let app = setup.start().await.expect("a server");
    let start = Instant::now();
    let world = Arc::new(World {
        app,
        control,
        counts: Counts::default(),
        channel: watch::Sender::new("activity".to_owned()),
        end: start + lasts,
    });
    // All that is made once is made. After its first copy of the database SQLite keeps one more
    // descriptor of it, for the next: closing it would end the locks of the connection that is open.
    for round in 0..10 {
        world.sign_in(round).await;
    }
    let copy = world.app.request(Method::POST, "/api/instance/backup").send().await;
    let copy = copy.expect("an answer").error_for_status().expect("a copy");
    copy.bytes().await.expect("the whole copy");
    tokio::time::sleep(REST).await;
    let before = world.sample(start);
    let world = Arc::new(Arc::into_inner(world).expect("nobody else has it").until(lasts));

    let mut tasks = JoinSet::new();
    (0..PAGES).for_each(|page| drop(tasks.spawn_local(pages(Arc::clone(&world), page))));
    (0..DEAF).for_each(|_| drop(tasks.spawn_local(deaf(Arc::clone(&world)))));
    tasks.spawn_local(logins(Arc::clone(&world)));
    tasks.spawn_local(requests(Arc::clone(&world)));
    let (start, mut samples) = (Instant::now(), Vec::new());
    let mut pause = tokio::time::interval(EACH_SAMPLE);
    let mut faults = Vec::new();
    while world.goes_on() {
        tokio::select! {
            _ = pause.tick() => {
                let sample = world.sample(start);
                tell(&sample);
                samples.push(sample);
            }
            Some(ended) = tasks.join_next() => faults.extend(fault(ended)),
        }
    }
    while let Some(ended) = tasks.join_next().await {
        faults.extend(fault(ended));
    }
    tokio::time::sleep(REST).await;
    let after = world.sample(start);
    judge(&world.counts, &samples, [before, after], faults, start.elapsed())
}

fn fault(ended: Result<Result<(), String>, tokio::task::JoinError>) -> Option<String> {
    match ended {
        Ok(ended) => ended.err(),
        Err(panicked) => Some(panicked.to_string()),
    }
}

fn judge(
    counts: &Counts,
    samples: &[Sample],
    at_rest: [Sample; 2],
    mut faults: Vec<String>,
    lasted: Duration,
) -> Outcome {
    faults.truncate(20);
    let warm = samples.len() / 6;
    let points = samples.iter().skip(warm).map(|one| (one.seconds / 3600.0, one.resident_mib));
    let growth = slope(&points.collect::<Vec<_>>());
    let [before, after] = at_rest;
    let back = after.descriptors <= before.descriptors
        && after.threads <= before.threads
        && after.children <= before.children;
    let flat = lasted < JUDGED || growth <= MIB_AN_HOUR;
    let count = |one: &AtomicU64| one.load(Ordering::Relaxed);
    Outcome {
        minutes: lasted.as_secs_f64() / 60.0,
        sockets: count(&counts.sockets),
        events: count(&counts.events),
        deaf: count(&counts.deaf),
        logins: count(&counts.logins),
        requests: count(&counts.requests),
        resident_mib_an_hour: growth,
        first: samples.get(warm).copied().unwrap_or(before),
        last: samples.last().copied().unwrap_or(after),
        at_rest,
        passed: faults.is_empty() && back && flat,
        faults,
    }
}

impl World {
    fn until(self, lasts: Duration) -> Self {
        Self { end: Instant::now() + lasts, ..self }
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
    fn sample(&self, start: Instant) -> Sample {
        let vitals = Vitals::of(self.app.pid());
        Sample {
            seconds: start.elapsed().as_secs_f64(),
            resident_mib: vitals.resident_kib as f64 / 1024.0,
            descriptors: vitals.descriptors,
            threads: vitals.threads,
            children: vitals.children,
        }
    }

    /// One sign-in, opened, looked at and ended.
    async fn sign_in(&self, round: u64) {
        let program = ["codex", "claude"][usize::from(round % 3 == 2)];
        let scenario = match round % 7 {
            1 => Scenario::Flood,
            3 => Scenario::Grandchildren,
            4 => Scenario::Dies,
            _ => Scenario::Normal,
        };
        self.control.play(program, &scenario);
        let session = self.app.connect(program).await;
        let id = session["sessionId"].as_str().expect("an id").to_owned();
        self.channel.send_replace(format!("provider-auth:{id}"));
        let shown = |view: &Value| {
            view["active"] == false
                || view["deviceCode"].is_string()
                || view["verificationUrl"].is_string()
        };
        self.app.session_until(&id, shown).await;
        if round.is_multiple_of(5) && program == "codex" {
            self.control.approve();
            self.app.session_until(&id, |view| view["active"] == false).await;
        } else {
            self.app.cancel(&id).await;
        }
        self.counts.logins.fetch_add(1, Ordering::Relaxed);
    }
}

/// A page after the other: each hears the providers and the newest sign-in for a while.
async fn pages(world: Arc<World>, number: u64) -> Result<(), String> {
    let mut turn = number;
    while world.goes_on() {
        // Stays of other lengths, the same in each run.
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let stay = STAY.mul_f64(f64::from(u16::try_from(turn >> 48).unwrap_or(0)) / 65_536.0);
        let until = tokio::time::Instant::now() + stay;
        let mut socket = Socket::open(world.app.port(), world.app.token()).await;
        let channel = world.channel.borrow().clone();
        socket.subscribe(&["providers", &channel]).await;
        world.counts.sockets.fetch_add(1, Ordering::Relaxed);
        // What comes out of order, or a close, ends the task and is a fault.
        while tokio::time::timeout_at(until, socket.next()).await.is_ok() {
            world.counts.events.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// One that does not read after the other.
async fn deaf(world: Arc<World>) -> Result<(), String> {
    while world.goes_on() {
        let options = Options {
            mode: Mode::Deaf,
            clients: 1,
            address: (Ipv4Addr::LOCALHOST, world.app.port()).into(),
            path: "/ws".to_owned(),
            token: Some(world.app.token().to_owned()),
            channel: Some(world.channel.borrow().clone()),
            receive_buffer: Some(4096),
        };
        // The sign-in may be forgotten by then, and nothing comes.
        let joined = tokio::time::timeout(Duration::from_secs(5), connect(&options)).await;
        let Ok(joined) = joined else { continue };
        let crowd = joined.map_err(|error| format!("one that does not read: {error}"))?;
        tokio::time::sleep(DEAF_STAY).await;
        crowd.end().await;
        world.counts.deaf.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn logins(world: Arc<World>) -> Result<(), String> {
    let mut pause = tokio::time::interval(EACH_LOGIN);
    let mut round = 0;
    while world.goes_on() {
        pause.tick().await;
        world.sign_in(round).await;
        round += 1;
    }
    Ok(())
}

async fn requests(world: Arc<World>) -> Result<(), String> {
    let mut pause = tokio::time::interval(EACH_REQUEST);
    let mut round = 0_usize;
    while world.goes_on() {
        pause.tick().await;
        let path = ["/api/auth/verify", "/api/providers/status", "/api/status"][round % 3];
        let answer = world.app.get(path).await;
        if !answer.status.is_success() {
            return Err(format!("{path}: {answer:?}"));
        }
        round += 1;
        world.counts.requests.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
