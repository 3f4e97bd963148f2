//! Runs one sign-in: the terminal's bytes to the scanner, its events to the [`Login`], what the
//! person pasted to the program, and at the end the program's own word on whether it worked.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::failure::FailureCode;
use crate::home::{Plan, can_store};
use crate::login::{Ending, Input};
use crate::manager::{Handed, Inner, Live, Stamp};
use crate::pace::Pace;
use crate::paste::Paste;
use crate::process::Exit;
use crate::provider::{Ends, Method, Provider, Yields};
use crate::pty::{Terminal, open_terminal};
use crate::scan::{Event, Scanner};
use crate::screen::Size;

/// A program this quiet has said what it has to say: a link at the very end is whole.
const SETTLED: Duration = Duration::from_millis(300);

/// A link comes within a second; after this long without one the person is told.
const STUCK: Duration = Duration::from_secs(20);

/// Between the pasted text and Enter: together, long texts are taken for a paste and not submitted.
const BEFORE_ENTER: Duration = Duration::from_millis(300);

/// After the program's exit its last output is still read for this long.
const DRAIN: Duration = Duration::from_secs(2);

/// How often it is looked whether a program that does not end by itself has stored its sign-in.
const STORED: Duration = Duration::from_secs(1);

/// By then the launcher has killed whatever was left of the tree.
const GONE: Duration = Duration::from_secs(6);

/// What a sign-in is started with.
pub(crate) struct Start {
    pub(crate) provider: Arc<Provider>,
    pub(crate) method: Method,
    pub(crate) program: std::path::PathBuf,
    pub(crate) plan: Plan,
    /// What the person hands to the program.
    pub(crate) handed: mpsc::Receiver<Handed>,
}

/// Runs a sign-in to its end; the scratch home is gone when this returns.
pub(crate) async fn drive(inner: Arc<Inner>, live: Arc<Live>, start: Start) {
    let Start { provider, method, program, plan, mut handed } = start;
    let before = inner.fingerprint(&provider);
    match launch(&inner, &live, &provider, &method, program, &plan).await {
        Ok(terminal) => {
            inner.apply(&live, Input::Launched);
            let ended = Drive::new(&inner, &live, &provider, &method, terminal, before.clone())
                .run(&mut handed)
                .await;
            if let Some((exit, token)) = ended {
                inner.apply(&live, Input::Exited(exit));
                if live.is_active() {
                    match method.yields {
                        Yields::SignIn => settle(&inner, &live, &provider, &plan, &before).await,
                        Yields::Token => settle_token(&inner, &live, &provider, token).await,
                    }
                }
            }
        }
        Err((code, detail)) => inner.apply(&live, Input::Broken(code, detail)),
    }
    let discarded = blocking(move || plan.discard()).await;
    if let Err(error) = discarded {
        tracing::warn!(session = %live.id, %error, "scratch home not removed");
    }
    inner.finished(&live).await;
}

async fn launch(
    inner: &Inner,
    live: &Live,
    provider: &Provider,
    method: &Method,
    program: std::path::PathBuf,
    plan: &Plan,
) -> Result<Terminal, (FailureCode, String)> {
    let (preparing, rules) = (plan.clone(), provider.home.clone());
    blocking(move || preparing.prepare(&rules))
        .await
        .map_err(|error| (FailureCode::CannotStore, format!("No folder to sign in in: {error}")))?;
    let mut args = method.args.clone();
    if plan.moved_to().is_some() {
        args.extend(provider.home.scratch_args.iter().cloned());
    }
    let spec = inner.spec(provider, program, args, plan.moved_to(), Some(live.id));
    open_terminal(inner.launcher(), spec, Size::TERMINAL)
        .await
        .map_err(|error| (FailureCode::LaunchFailed, error.to_string()))
}

/// The program ended well: keep the token that it printed, if it then counts as signed in with it.
async fn settle_token(
    inner: &Inner,
    live: &Arc<Live>,
    provider: &Provider,
    token: Option<SecretString>,
) {
    // It ends just as well when it printed none.
    let kept = match token {
        Some(token) => inner.keep_token(provider, &token, live.id).await,
        None => Ok(false),
    };
    inner.apply(live, Input::Answered(kept));
}

/// The program ended well: ask its own status command, keep the credentials, ask again.
async fn settle(
    inner: &Inner,
    live: &Arc<Live>,
    provider: &Arc<Provider>,
    plan: &Plan,
    before: &[Stamp],
) {
    if plan.moved_to().is_some() {
        // From here to the rename a cancel still means that nothing was stored.
        let asked = tokio::select! {
            asked = inner.ask(provider, plan.moved_to(), Some(live.id)) => asked,
            ending = live.ending() => {
                inner.apply(live, Input::Ending(ending));
                return inner.apply(live, Input::Gone);
            }
        };
        if asked != Ok(true) {
            return inner.apply(live, Input::Answered(asked));
        }
        let (keeping, rules) = (plan.clone(), provider.home.clone());
        if let Err(error) = blocking(move || keeping.keep(&rules)).await {
            return inner.apply(live, Input::NotKept(error.to_string()));
        }
    }
    let answer = inner.confirm(provider, live.id).await;
    // On a full disk claude says that it is done and has stored nothing: without an earlier sign-in
    // it is signed out, and with one that answers in the new one's place.
    if plan.moved_to().is_none() && inner.fingerprint(provider) == before {
        let folder = inner.folder(provider);
        if let Err(error) = blocking(move || can_store(&folder)).await {
            let detail = format!("Nothing was stored, for nothing can be written there: {error}");
            return inner.apply(live, Input::NotKept(detail));
        }
    }
    inner.apply(live, Input::Answered(answer));
}

/// The loop around one terminal.
struct Drive<'a> {
    inner: &'a Inner,
    live: &'a Arc<Live>,
    provider: &'a Provider,
    terminal: Terminal,
    scanner: Scanner,
    /// Lines not yet told, and the one being written.
    pace: Pace,
    /// When the program counts as quiet.
    settle_at: Option<Instant>,
    stuck_at: Option<Instant>,
    /// When Enter follows the pasted text.
    enter_at: Option<Instant>,
    /// When to look whether a program that goes on afterwards has stored its sign-in.
    stored_at: Option<Instant>,
    /// What its credential files were before.
    before: Vec<Stamp>,
    /// The long-lived token that it printed.
    token: Option<SecretString>,
    /// A pasted address that is being opened.
    opening: Option<Opening>,
    seen_link: bool,
}

impl<'a> Drive<'a> {
    fn new(
        inner: &'a Inner,
        live: &'a Arc<Live>,
        provider: &'a Provider,
        method: &Method,
        terminal: Terminal,
        before: Vec<Stamp>,
    ) -> Self {
        Self {
            inner,
            live,
            provider,
            terminal,
            scanner: Scanner::for_method(provider, method, Size::TERMINAL),
            pace: Pace::new(inner.limits().max_lines),
            settle_at: None,
            stuck_at: Some(Instant::now() + STUCK),
            enter_at: None,
            stored_at: (method.ends == Ends::Stored).then(|| Instant::now() + STORED),
            before,
            token: None,
            opening: None,
            seen_link: false,
        }
    }

    /// Until the program is gone: its exit, and the token it printed; nothing when it was ended
    /// from outside.
    async fn run(
        mut self,
        handed: &mut mpsc::Receiver<Handed>,
    ) -> Option<(Exit, Option<SecretString>)> {
        let timeout = Instant::now() + self.inner.limits().timeout;
        let mut buffer = vec![0; 16 * 1024];
        let mut exit = None;
        let mut open = true;
        let mut drained_at = None;
        while open || exit.is_none() {
            let timers = [
                self.pace.next(),
                self.settle_at,
                self.stuck_at,
                self.enter_at,
                self.stored_at,
                drained_at,
            ];
            let next = timers.into_iter().flatten().fold(timeout, Instant::min);
            tokio::select! {
                read = self.terminal.read(&mut buffer), if open => match read {
                    Ok(0) | Err(_) => open = false,
                    Ok(count) => self.feed(&buffer[..count]).await,
                },
                ended = self.terminal.exited(), if exit.is_none() => {
                    exit = Some(ended);
                    drained_at = Some(Instant::now() + DRAIN);
                }
                Some(what) = handed.recv(), if exit.is_none() => self.hand(what).await,
                opened = opened(&mut self.opening) => {
                    self.opening = None;
                    if let Err(why) = opened {
                        self.inner.apply(self.live, Input::NotTaken(why));
                    }
                }
                ending = self.live.ending() => {
                    self.end(ending).await;
                    return None;
                }
                () = sleep_until(next) => {
                    let now = Instant::now();
                    if now >= timeout {
                        self.live.end(Ending::TimedOut);
                    }
                    if drained_at.is_some_and(|at| now >= at) {
                        open = false;
                    }
                    if exit.is_none() && self.has_stored(now).await {
                        self.close().await;
                        return Some((Exit { code: Some(0), signal: None }, None));
                    }
                    self.tick(now).await;
                }
            }
        }
        let events = self.scanner.finish();
        self.take(events).await;
        self.tell_all();
        // The launcher ends what the program left behind; nobody waits longer than it may take.
        let _ = tokio::time::timeout(GONE, self.terminal.gone()).await;
        self.inner.count_orphans(self.terminal.orphans());
        exit.map(|exit| (exit, self.token))
    }

    /// Ends the whole tree and waits until it is gone.
    async fn end(self, ending: Ending) {
        self.inner.apply(self.live, Input::Ending(ending));
        let (inner, live) = (self.inner, self.live);
        self.close().await;
        inner.apply(live, Input::Gone);
    }

    /// Whether a program that goes on afterwards has what it was started for.
    async fn has_stored(&mut self, now: Instant) -> bool {
        if self.stored_at.is_none_or(|at| now < at) {
            return false;
        }
        self.stored_at = Some(now + STORED);
        self.inner.fingerprint(self.provider) != self.before
            && self.inner.ask(self.provider, None, Some(self.live.id)).await == Ok(true)
    }

    /// Stops the program and reads what it still says, until nothing of it is left.
    async fn close(mut self) {
        self.terminal.stop();
        let mut buffer = vec![0; 16 * 1024];
        let deadline = Instant::now() + GONE;
        let mut open = true;
        loop {
            tokio::select! {
                () = self.terminal.gone() => break,
                () = sleep_until(deadline) => break,
                read = self.terminal.read(&mut buffer), if open => match read {
                    Ok(0) | Err(_) => open = false,
                    Ok(count) => self.feed(&buffer[..count]).await,
                },
            }
        }
        let events = self.scanner.finish();
        self.take(events).await;
        self.tell_all();
        self.inner.count_orphans(self.terminal.orphans());
        drop(self.terminal);
        self.inner.sweep(self.live.id).await;
    }

    async fn feed(&mut self, bytes: &[u8]) {
        let events = self.scanner.push(bytes);
        let now = Instant::now();
        self.settle_at = Some(now + SETTLED);
        if !self.seen_link {
            self.stuck_at = Some(now + STUCK);
        }
        self.take(events).await;
        self.pace.printed(now);
        self.tell();
        // A program that floods must not keep a worker for itself.
        tokio::task::yield_now().await;
    }

    async fn tick(&mut self, now: Instant) {
        if self.settle_at.is_some_and(|at| now >= at) {
            self.settle_at = None;
            let events = self.scanner.settle();
            self.take(events).await;
        }
        if self.stuck_at.is_some_and(|at| now >= at) {
            self.stuck_at = None;
            // A question is often a line without an end: what is known of it comes first.
            self.tell_all();
            self.inner.apply(self.live, Input::Stuck);
        }
        if self.enter_at.is_some_and(|at| now >= at) {
            self.enter_at = None;
            self.type_in(b"\r").await;
        }
        self.tell();
    }

    async fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Line(text) => self.pace.add(text, Instant::now()),
                Event::Reply(bytes) => {
                    if let Err(error) = self.terminal.write(&bytes).await {
                        tracing::debug!(%error, "terminal query not answered");
                    }
                }
                Event::Link(_) | Event::Code(_) | Event::Prompt { .. } => {
                    self.seen_link = true;
                    self.stuck_at = None;
                    self.inner.apply(self.live, Input::Seen(event));
                }
                Event::Answer(bytes) => self.type_in(&bytes).await,
                Event::Token(token) => self.token = Some(token.into_secret()),
                Event::PromptGone | Event::Failed { .. } | Event::Stored => {
                    self.inner.apply(self.live, Input::Seen(event));
                }
            }
        }
    }

    /// Tells what is due.
    fn tell(&mut self) {
        for message in self.pace.take(Instant::now(), || self.scanner.current_line()) {
            self.inner.tell(self.live, message);
        }
    }

    /// Tells all there is.
    fn tell_all(&mut self) {
        for message in self.pace.take_all(Instant::now(), self.scanner.current_line()) {
            self.inner.tell(self.live, message);
        }
    }

    /// Types what a person handed over, Enter follows by itself; an address is opened instead.
    async fn hand(&mut self, what: Handed) {
        match what {
            Handed::Paste(Paste::Code(code)) => self.enter(&code).await,
            Handed::Line(line) => self.enter(line.expose_secret()).await,
            Handed::Paste(Paste::Callback(address)) => {
                for (_, value) in address.query_pairs() {
                    self.scanner.mask(&value);
                }
                self.opening = Some(open(address));
            }
        }
    }

    async fn enter(&mut self, text: &str) {
        self.scanner.mask(text);
        self.type_in(text.as_bytes()).await;
        self.enter_at = Some(Instant::now() + BEFORE_ENTER);
    }

    async fn type_in(&mut self, bytes: &[u8]) {
        if let Err(error) = self.terminal.write(bytes).await {
            let remark = format!("The code could not be typed: {error}");
            self.inner.remark(self.live, remark);
        }
    }
}

/// How the opening of a pasted address went: why the program did not take it, for a person.
type Opening = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

#[cfg(feature = "http")]
fn open(address: Url) -> Opening {
    Box::pin(async { crate::callback::open(address).await.map_err(|error| error.to_string()) })
}

#[cfg(not(feature = "http"))]
fn open(_: Url) -> Opening {
    // Such a method is not offered in this build.
    Box::pin(std::future::ready(Err("No address can be opened from here.".to_owned())))
}

async fn opened(opening: &mut Option<Opening>) -> Result<(), String> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

/// File work off the async threads.
async fn blocking(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(std::io::Error::other(error)),
    }
}
