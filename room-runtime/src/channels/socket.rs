//! One client on a socket: reads what it says, writes what waits for it, and lets go of it when it
//! is silent, too slow, too loud or signed out.

mod subscriptions;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use room_auth::Caller;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Lost};
use super::frames::{Frame, Incoming};
use super::hub::Start;
use super::outbox::{Next, Outbox};
use super::protocol::{Answer, Close, Said};
use super::{Channel, join};
use crate::http::wire::time;
use crate::metrics::{Counted, SocketState};
use crate::sign_in::ends::{End, News, Watch};
use crate::sign_in::sockets::SocketPlace;
use crate::state::AppState;

/// How often we ask a silent client whether it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(25);

/// A client that was silent this long is gone; a browser answers every ping.
const SILENCE: Duration = Duration::from_mins(1);

/// How much is written in one call.
const BATCH_FRAMES: usize = 64;
/// The same, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// How many of those before the client is heard again, and others have their turn.
const BATCHES: usize = 4;

/// Messages a second, and at once.
const MESSAGES_A_SECOND: f64 = 30.0;
const MESSAGES_AT_ONCE: f64 = 60.0;

/// How long before the end of a sign-in the client is told.
const WARNING: Duration = Duration::from_mins(1);

/// How long a client may take what was said before the server stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A timer that is off by less than this is left as it is.
const ABOUT: Duration = Duration::from_millis(1);

/// Whose socket it is, and what it holds.
pub struct Client {
    /// Who listens.
    pub caller: Arc<Caller>,
    /// Hears when their sign-in ends or changes.
    pub watch: Watch,
    /// Counted among their sockets.
    pub place: Option<SocketPlace>,
}

/// How patient we are with a client that says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// After how long it is asked whether it is there, again and again.
    pub(super) ask: Duration,
    /// After how long it counts as gone.
    pub(super) silence: Duration,
    /// How long a page that nobody looks at keeps its socket, where that matters.
    pub(super) hidden: Option<Duration>,
}

/// Serves a socket until either side has had enough.
pub async fn serve(connection: Connection, app: AppState, client: Client) {
    let hidden = app.cloud.as_ref().map(|cloud| cloud.settings.idle_close);
    let patience = Patience { ask: HEARTBEAT, silence: SILENCE, hidden };
    serve_with(patience, connection, app, client).await;
}

/// The same with a patience of the caller's.
pub(super) async fn serve_with(
    patience: Patience,
    connection: Connection,
    app: AppState,
    client: Client,
) {
    let Client { caller, watch, place } = client;
    let Some(place) = place else {
        app.metrics.sockets.closed(Close::TooMany as u16);
        return close(connection, Close::TooMany).await;
    };
    let mut session = Session {
        caller,
        channels: Vec::new(),
        allowance: Allowance { left: MESSAGES_AT_ONCE, at: Instant::now() },
        outbox: Arc::default(),
        patience,
        connection,
        heard: Instant::now(),
        asked: None,
        warned: false,
        hidden_since: None,
        counted: Counted::open(&app),
        app,
    };
    session.say(&Answer::Hello {
        build: crate::http::build(),
        boot: session.app.boot.clone(),
        mode: session.app.config.mode(),
        now: time(session.app.now()),
        heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
    });
    let over = session.run(watch).await;
    let Session { app, channels, outbox, connection, mut counted, .. } = session;
    for channel in channels {
        app.hub.leave(channel, &outbox);
    }
    app.metrics.sockets.dropped.more(outbox.take_dropped());
    counted.is(SocketState::Closing);
    app.metrics.sockets.closed(over.code());
    drop((place, outbox));
    match over {
        Over::Gone => {}
        Over::Goodbye => connection.goodbye_too().await,
        Over::Closed(why) => close(connection, why).await,
    }
}

async fn close(connection: Connection, why: Close) {
    tracing::debug!(code = why as u16, "socket closed by us");
    if why == Close::TooSlow {
        connection.close_stuck(why as u16, why.reason()).await;
    } else {
        connection.close(why as u16, why.reason()).await;
    }
}

struct Session {
    caller: Arc<Caller>,
    channels: Vec<Channel>,
    allowance: Allowance,
    outbox: Arc<Outbox>,
    patience: Patience,
    connection: Connection,
    /// When the client last said anything.
    heard: Instant,
    /// When it was last asked whether it is there, if that was after it.
    asked: Option<Instant>,
    /// Whether the client was told that its sign-in ends soon.
    warned: bool,
    /// Since when nobody looks at the page.
    hidden_since: Option<Instant>,
    /// Among the sockets that are counted.
    counted: Counted,
    app: AppState,
}

/// What there is to do.
enum Event {
    Said(Incoming),
    Lost(Lost),
    News(News, Watch),
    Time,
    Stop,
}

/// How a socket ended.
enum Over {
    /// The line is gone.
    Gone,
    /// The client said goodbye.
    Goodbye,
    /// We have a reason.
    Closed(Close),
}

impl Over {
    /// The code for the count.
    fn code(&self) -> u16 {
        match self {
            Self::Gone => 1006,
            Self::Goodbye => 1000,
            Self::Closed(why) => *why as u16,
        }
    }
}

impl From<Close> for Over {
    fn from(why: Close) -> Self {
        Self::Closed(why)
    }
}

impl Session {
    async fn run(&mut self, watch: Watch) -> Over {
        let stay = self.app.farewell.stay();
        let mut stopped = pin!(stay.over());
        let mut news = pin!(heard_of(watch));
        let mut timer = pin!(sleep_until(self.next_time()));
        loop {
            let event = poll_fn(|cx| {
                if stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Event::Stop);
                }
                if let Poll::Ready((news, watch)) = news.as_mut().poll(cx) {
                    return Poll::Ready(Event::News(news, watch));
                }
                self.poll(cx, timer.as_mut())
            })
            .await;
            let went_on = match event {
                Event::Stop => {
                    // What became of a sign-in was said just now: that is heard before the goodbye.
                    let rest = poll_fn(|cx| self.poll_rest(cx));
                    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
                    Err(Close::Restarting.into())
                }
                Event::News(News::Ended(End::SignedOut), _) => Err(Close::SignInAgain.into()),
                Event::News(News::Ended(End::Revoked), _) => Err(Close::NotAllowed.into()),
                Event::News(News::Stands(_), watch) => {
                    news.set(heard_of(watch));
                    self.look_again().map_err(Over::from)
                }
                Event::Time => {
                    let went_on = self.on_time();
                    timer.as_mut().reset(self.next_time());
                    went_on.map_err(Over::from)
                }
                Event::Lost(Lost::Gone) => Err(Over::Gone),
                Event::Lost(Lost::Fault) => Err(Close::BadProtocol.into()),
                Event::Said(incoming) => match self.take(incoming) {
                    Ok(None) => Ok(()),
                    // Rare, and large: an idle socket keeps no room for it.
                    Ok(Some(token)) => match Box::pin(self.reauth(&token)).await {
                        Ok(watch) => {
                            news.set(heard_of(watch));
                            Ok(())
                        }
                        Err(why) => Err(why.into()),
                    },
                    Err(over) => Err(over),
                },
            };
            if let Err(over) = went_on {
                return over;
            }
        }
    }

    /// Writes what can be written; then what the client said, or the time.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Event> {
        if let Err(lost) = self.write(cx) {
            return Poll::Ready(Event::Lost(lost));
        }
        // Who does not take what it asked for is not heard asking for more.
        if !self.outbox.is_full()
            && let Poll::Ready(heard) = self.connection.poll_read(cx)
        {
            return Poll::Ready(heard.map_or_else(Event::Lost, Event::Said));
        }
        let next = self.next_time();
        // What is due later than it was is seen when the timer fires.
        if next + ABOUT < timer.deadline() {
            timer.as_mut().reset(next);
        }
        timer.poll(cx).map(|()| Event::Time)
    }

    /// Writes what waits, until that is all, the kernel takes no more, or others should have a turn.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        for _ in 0..BATCHES {
            match self.connection.poll_write(cx) {
                Poll::Ready(written) => written?,
                Poll::Pending => return Ok(()),
            }
            let writing = self.connection.writing();
            match self.outbox.poll_next(cx, writing, BATCH_FRAMES, BATCH_BYTES) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Next::Write) => {
                    let count = self.connection.writing().len();
                    self.app.metrics.sockets.sent.more(count as u64);
                }
                Poll::Ready(Next::Rejoin(channel, seq)) => {
                    self.app.metrics.sockets.dropped.more(self.outbox.take_dropped());
                    if !join(&self.app, channel, &self.outbox, Start::Missed(seq)) {
                        self.outbox.forget(channel);
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Writes until nothing waits, or the line is gone.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lost = self.write(cx).is_err();
        let is_all = self.connection.writing().is_empty() && self.outbox.queued_bytes() == 0;
        if lost || is_all { Poll::Ready(()) } else { Poll::Pending }
    }

    /// When something is due if nothing happens before.
    fn next_time(&self) -> Instant {
        let now = Instant::now();
        let ask = self.asked.unwrap_or(self.heard) + self.patience.ask;
        let others = [self.next_expiry(), self.idle_in()].map(|left| left.map(|left| now + left));
        let stuck = self.connection.look_at();
        others.into_iter().chain([stuck]).flatten().fold(ask, Instant::min)
    }

    /// Does what is due.
    fn on_time(&mut self) -> Result<(), Close> {
        if self.connection.is_stuck() {
            return Err(Close::TooSlow);
        }
        if self.next_expiry().is_some_and(|left| left.is_zero()) {
            self.expire()?;
        }
        if self.idle_in().is_some_and(|left| left.is_zero()) {
            // A page that shows a sign-in keeps the machine awake, seen or not.
            if !self.app.publisher.has_live() {
                return Err(Close::Idle);
            }
            self.hidden_since = Some(Instant::now());
        }
        if self.asked.unwrap_or(self.heard).elapsed() >= self.patience.ask {
            // While it is not heard, what it takes says that it is there.
            if self.heard.elapsed() >= self.patience.silence && !self.outbox.is_full() {
                return Err(Close::GoingAway);
            }
            self.asked = Some(Instant::now());
            self.outbox.answer(Frame::ping());
        }
        Ok(())
    }

    /// Takes what the client sent; a new bearer is given back.
    fn take(&mut self, incoming: Incoming) -> Result<Option<String>, Over> {
        (self.heard, self.asked) = (Instant::now(), None);
        if !self.allowance.take() {
            return Err(Close::TooMany.into());
        }
        match incoming {
            Incoming::Text(text) => return Ok(self.hear(&text)?),
            Incoming::Ping(payload) => self.outbox.answer(Frame::pong(&payload)),
            Incoming::Pong | Incoming::Part => {}
            Incoming::Close(_) => return Err(Over::Goodbye),
        }
        Ok(None)
    }

    fn hear(&mut self, text: &str) -> Result<Option<String>, Close> {
        let Ok(said) = serde_json::from_str::<Said>(text) else {
            return Err(Close::BadProtocol);
        };
        match said {
            Said::Subscribe { channels, after, boot } => {
                let same_run = boot.is_none_or(|boot| boot == self.app.boot);
                // Positions of another run count as none.
                let none = HashMap::new();
                self.subscribe(channels, if same_run { &after } else { &none });
            }
            Said::Unsubscribe { channels } => self.unsubscribe(channels),
            Said::Ping { id } => self.say(&Answer::Pong { id }),
            Said::Visible { value } => {
                let since = self.hidden_since.unwrap_or_else(Instant::now);
                self.hidden_since = (!value).then_some(since);
                self.counted.is(if value { SocketState::Open } else { SocketState::Hidden });
            }
            Said::Reauth { token } => return Ok(Some(token)),
            Said::Unknown => self.say(&Answer::Error {
                code: "unknown_type",
                message: "This Room does not know that message.",
            }),
        }
        Ok(None)
    }

    /// A new bearer: of the same person, or the socket is over.
    async fn reauth(&mut self, token: &str) -> Result<Watch, Close> {
        let caller = self.app.sign_in.by_text(&self.app, token).await;
        let caller = caller.map_err(|_| Close::SignInAgain)?;
        if caller.identity != self.caller.identity {
            return Err(Close::NotAllowed);
        }
        let watch = self.app.sign_in.watch(&self.app, &caller).ok_or(Close::SignInAgain)?;
        self.stand_as(caller);
        Ok(watch)
    }

    /// Something about the sign-in has changed: who it is now, and what they may hear.
    fn look_again(&mut self) -> Result<(), Close> {
        let caller = self.app.sign_in.again(&self.app, &self.caller).ok_or(Close::SignInAgain)?;
        self.stand_as(caller);
        Ok(())
    }

    /// How long a hidden page may still keep its socket: a hosted machine sleeps without any.
    fn idle_in(&self) -> Option<Duration> {
        Some(self.patience.hidden?.saturating_sub(self.hidden_since?.elapsed()))
    }

    /// How long until the sign-in must be warned of, or ends.
    fn next_expiry(&self) -> Option<Duration> {
        let ends = self.caller.expires_at?;
        let left = ends.duration_since(self.app.clock.now()).unwrap_or_default();
        Some(if self.warned { left } else { left.saturating_sub(WARNING) })
    }

    fn expire(&mut self) -> Result<(), Close> {
        let (was, warned) = (self.caller.expires_at, self.warned);
        // Another device of the same person may have brought a newer token.
        self.look_again()?;
        if self.caller.expires_at != was {
            return Ok(());
        }
        if warned {
            return Err(Close::SignInAgain);
        }
        self.warned = true;
        if let Some(at) = self.caller.expires_at.and_then(|at| Timestamp::try_from(at).ok()) {
            self.say(&Answer::AuthExpiring { at: time(at) });
        }
        Ok(())
    }

    fn say(&self, answer: &Answer) {
        self.outbox.answer(answer.frame());
    }
}

/// A bucket of messages.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let since = now.duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * MESSAGES_A_SECOND).min(MESSAGES_AT_ONCE);
        self.at = now;
        self.left -= 1.0;
        self.left >= 0.0
    }
}

/// Waits for news of a sign-in.
async fn heard_of(mut watch: Watch) -> (News, Watch) {
    let news = watch.changed().await.map(|()| *watch.borrow_and_update());
    (news.unwrap_or(News::Ended(End::SignedOut)), watch)
}
