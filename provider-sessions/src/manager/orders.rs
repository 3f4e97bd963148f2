//! The sessions and their table in every order that those who begin, join, cancel and stop can run
//! in, as far as some thousand random schedules show: the same sources once more, with locks that
//! yield at each step. A session that nobody ends, or a waiting that nobody ends, leaves no one who
//! can go on, and the schedule fails.

#![expect(dead_code, reason = "the sources are those of the manager")]

use std::time::Duration;

use jiff::Timestamp;
use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use self::live::Live;
use self::sync::{Arc, Mutex, MutexGuard};
use self::table::{Refusal, Table};
use crate::login::{Ending, Input, Limits, Login};
use crate::process::Exit;
use crate::provider::{self, Provider};
use crate::session::{Kind, Status, Step};

#[expect(clippy::duplicate_mod, reason = "with other locks it is another module")]
#[path = "live.rs"]
mod live;
#[expect(clippy::duplicate_mod, reason = "as above")]
#[path = "table.rs"]
mod table;

/// What the sources lock with.
mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use shuttle::sync::{Arc, Mutex, MutexGuard};
}

/// How many schedules each test tries.
const SCHEDULES: usize = 10_000;

/// What the program of a session does.
#[derive(Clone, Copy)]
enum Program {
    /// Waits for a person who never comes.
    Waits,
    /// Ends by itself, signed in.
    Succeeds,
}

/// One provider, and all that became of its sessions.
struct World {
    table: Table,
    program: Program,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How many programs run now.
    running: usize,
    begun: usize,
    /// How each session ended, as it was told.
    ended: Vec<Status>,
    /// Whether all was stopped.
    stopped: bool,
    tasks: Vec<JoinHandle<()>>,
}

fn row() -> &'static Provider {
    &provider::built_in()[0]
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn login(kind: Kind) -> Login {
    let limits = Limits { timeout: Duration::from_mins(15), max_lines: 5 };
    match kind {
        Kind::SignIn => {
            let method = row().method(None).expect("a first method");
            Login::new(row(), method, "owner", limits, now())
        }
        Kind::Install => Login::install(row(), "owner", limits, now()),
    }
}

/// As the manager does it.
fn cancel(live: &Live) {
    live.cancel(row(), now(), |view| assert_eq!(view.step, Step::Cancelling));
    block_on(live.done());
    assert!(!live.is_active(), "who cancelled sees it over");
}

impl World {
    fn new(program: Program) -> Arc<Self> {
        let table = Table::new(1, Duration::from_mins(1));
        Arc::new(Self { table, program, seen: Mutex::new(Seen::default()) })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("not poisoned")
    }

    /// As the manager does it.
    fn open(self: &Arc<Self>, kind: Kind) -> Result<Arc<Live>, Refusal> {
        if let Some(live) = block_on(self.table.way(0, kind))? {
            return Ok(live);
        }
        let (live, _) = Live::new(login(kind));
        let start = || {
            let mut seen = self.seen();
            assert!(!seen.stopped, "nothing begins once all was stopped");
            seen.begun += 1;
            let (world, live) = (Arc::clone(self), Arc::clone(&live));
            seen.tasks.push(thread::spawn(move || world.drive(&live)));
        };
        let other = self.table.begin(0, kind, &live, now(), start)?;
        Ok(other.unwrap_or(live))
    }

    fn stop(&self) {
        self.table.stop();
        self.seen().stopped = true;
        loop {
            let Some(task) = self.seen().tasks.pop() else { break };
            task.join().expect("a task ends well");
        }
        assert_eq!(self.seen().running, 0);
    }

    /// The task of a session, in place of the driver.
    fn drive(&self, live: &Live) {
        {
            let mut seen = self.seen();
            seen.running += 1;
            assert_eq!(seen.running, 1, "two programs of one provider");
        }
        self.apply(live, Input::Launched);
        match self.program {
            Program::Waits => {
                let ending = block_on(live.ending());
                self.apply(live, Input::Ending(ending));
                self.apply(live, Input::Gone);
            }
            Program::Succeeds => {
                self.apply(live, Input::Exited(Exit { code: Some(0), signal: None }));
                self.apply(live, Input::Answered(Ok(true)));
            }
        }
        // Until its scratch home is gone too, something of it goes on.
        self.seen().running -= 1;
        live.finish();
    }

    fn apply(&self, live: &Live, input: Input) {
        let mut login = live.login();
        if login.apply(input, row(), now()) && !login.view().is_active() {
            self.seen().ended.push(login.view().status);
        }
    }

    /// That all is over, each session once.
    fn is_over(&self, allowed: &[Status]) {
        self.stop();
        let seen = self.seen();
        assert_eq!(seen.ended.len(), seen.begun, "each ends once");
        assert!(seen.ended.iter().all(|status| allowed.contains(status)), "{:?}", seen.ended);
    }
}

#[test]
fn who_connects_at_once_shares_one_program() {
    let test = || {
        let world = World::new(Program::Waits);
        let people: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.open(Kind::SignIn).expect("it goes on").id)
            })
            .collect();
        let mut ids: Vec<_> = people.into_iter().map(|one| one.join().expect("well")).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "all see the same");
        world.is_over(&[Status::Failed]);
        assert_eq!(world.seen().begun, 1);
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn who_connects_while_another_cancels_joins_or_begins_after_it() {
    let test = || {
        let world = World::new(Program::Waits);
        let first = world.open(Kind::SignIn).expect("nothing else");
        let ending = Arc::clone(&first);
        let cancelling = thread::spawn(move || cancel(&ending));
        let connecting = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.open(Kind::SignIn).expect("it goes on"))
        };
        cancelling.join().expect("well");
        let second = connecting.join().expect("well");
        assert!(second.id == first.id || first.is_done(), "not beside what is ending");
        world.is_over(&[Status::Canceled, Status::Failed]);
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn whatever_begins_while_all_is_stopped_ends_or_does_not_begin() {
    let test = || {
        let world = World::new(Program::Waits);
        let people: Vec<_> = [Kind::SignIn, Kind::Install]
            .map(|kind| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.open(kind).err())
            })
            .into();
        world.stop();
        for one in people {
            let refused = one.join().expect("well");
            assert!(refused.is_none_or(|why| [Refusal::Stopping, Refusal::Other].contains(&why)));
        }
        world.is_over(&[Status::Failed]);
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn an_exit_and_a_cancel_at_once_end_it_once_and_both_see_that() {
    let test = || {
        let world = World::new(Program::Succeeds);
        let live = world.open(Kind::SignIn).expect("nothing else");
        let people: Vec<_> = (0..2)
            .map(|_| {
                let live = Arc::clone(&live);
                thread::spawn(move || cancel(&live))
            })
            .collect();
        for one in people {
            one.join().expect("well");
        }
        // What is stored by then is not thrown away.
        world.is_over(&[Status::Completed]);
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn a_sign_in_and_an_install_are_never_at_once() {
    let test = || {
        let world = World::new(Program::Waits);
        let people: Vec<_> = [Kind::SignIn, Kind::Install, Kind::SignIn]
            .map(|kind| {
                let world = Arc::clone(&world);
                thread::spawn(move || match world.open(kind) {
                    Ok(live) => live.end(Ending::Cancelled),
                    Err(why) => assert_eq!(why, Refusal::Other),
                })
            })
            .into();
        for one in people {
            one.join().expect("well");
        }
        world.is_over(&[Status::Canceled]);
    };
    shuttle::check_random(test, SCHEDULES);
}
