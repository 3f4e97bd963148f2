//! One client on a socket: reads what it says, writes what waits for it, and lets go of it when it
//! is silent, too slow, too loud or signed out.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{Sink as _, SinkExt};
use jiff::Timestamp;
use room_auth::Caller;
use tokio::time::{Instant as Timer, timeout};

use super::hub::{Outbox, Start};
use super::protocol::{Answer, Close, Said};
use super::{Channel, has_session, join};
use crate::http::wire::time;
use crate::sign_in::ends::{End, News, Watch};
use crate::sign_in::sockets::SocketPlace;
use crate::state::AppState;

/// How often we ask whether the client is there.
pub const HEARTBEAT: Duration = Duration::from_secs(25);

/// A client that was silent this long is gone; a browser answers every ping.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a client may take nothing of what waits for it.
const STUCK: Duration = Duration::from_secs(2);

/// More time for long frames: a phone on a slow line takes 16 KiB a second.
const SLOW_BYTES_A_SECOND: usize = 16 * 1024;

/// How much is written before the client is heard again.
const BATCH_FRAMES: usize = 64;
/// The same, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// Messages a second, and at once.
const MESSAGES_A_SECOND: f64 = 30.0;
const MESSAGES_AT_ONCE: f64 = 60.0;

/// Channels a socket may hear.
const CHANNELS: usize = 64;

/// How long before the end of a sign-in the client is told.
const WARNING: Duration = Duration::from_mins(1);

/// Whose socket it is, and what it holds.
pub struct Client {
    /// Who listens.
    pub caller: Arc<Caller>,
    /// Hears when their sign-in ends or changes.
    pub watch: Watch,
    /// Counted among their sockets.
    pub place: Option<SocketPlace>,
}

/// Serves a socket until either side has had enough.
pub async fn serve(mut socket: WebSocket, app: AppState, client: Client) {
    if client.place.is_none() {
        return close(&mut socket, Close::TooMany).await;
    }
    let outbox = Arc::new(Outbox::default());
    let mut session = Session {
        caller: client.caller,
        watch: client.watch,
        channels: HashSet::new(),
        allowance: Allowance { left: MESSAGES_AT_ONCE, at: Instant::now() },
        outbox: outbox.clone(),
        app: app.clone(),
        warned: false,
        hidden_since: None,
    };
    session.say(&Answer::Hello {
        build: crate::http::build(),
        boot: app.boot.clone(),
        mode: app.config.mode(),
        now: time(app.now()),
        heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
    });
    let why = session.run(&mut socket).await;
    for channel in &session.channels {
        app.hub.leave(*channel, &outbox);
    }
    if let Some(why) = why {
        tracing::debug!(code = why as u16, "socket closed by us");
        close(&mut socket, why).await;
    }
    drop(client.place);
}

struct Session {
    caller: Arc<Caller>,
    watch: Watch,
    channels: HashSet<Channel>,
    allowance: Allowance,
    outbox: Arc<Outbox>,
    app: AppState,
    warned: bool,
    /// Since when nobody looks at the page.
    hidden_since: Option<Timer>,
}

impl Session {
    /// Until the client goes (`None`) or we have a reason to close.
    async fn run(&mut self, socket: &mut WebSocket) -> Option<Close> {
        let mut heartbeat = tokio::time::interval_at(Timer::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            if let Err(why) = self.write(socket).await {
                return why;
            }
            let (expiry, idle) = (self.next_expiry(), self.idle_in());
            let more = !self.outbox.is_empty();
            tokio::select! {
                () = self.app.stop.cancelled() => return Some(Close::Restarting),
                news = heard_of(&mut self.watch) => match news {
                    News::Stands(_) => if let Err(why) = self.look_again() {
                        return Some(why);
                    },
                    News::Ended(End::SignedOut) => return Some(Close::SignInAgain),
                    News::Ended(End::Revoked) => return Some(Close::NotAllowed),
                },
                () = std::future::ready(()), if more => {}
                () = self.outbox.ready() => {}
                () = until(idle) => {
                    // A page that shows a sign-in keeps the machine awake, seen or not.
                    if !self.app.publisher.has_live() {
                        return Some(Close::Idle);
                    }
                    self.hidden_since = Some(Timer::now());
                }
                () = until(expiry) => {
                    if let Err(why) = self.expire() {
                        return Some(why);
                    }
                }
                _ = heartbeat.tick() => {
                    if heard.elapsed() >= SILENCE {
                        return Some(Close::GoingAway);
                    }
                    if send(socket, Message::Ping(axum::body::Bytes::new())).await.is_err() {
                        return Some(Close::TooSlow);
                    }
                }
                message = socket.recv() => {
                    heard = Instant::now();
                    match message {
                        None | Some(Ok(Message::Close(_))) => return None,
                        Some(Ok(Message::Text(text))) => {
                            if let Err(why) = self.hear(&text).await {
                                return Some(why);
                            }
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                            if !self.allowance.take() {
                                return Some(Close::TooMany);
                            }
                        }
                        // Too long, malformed, or bytes: none of it is the protocol.
                        Some(Ok(Message::Binary(_)) | Err(_)) => return Some(Close::BadProtocol),
                    }
                }
            }
        }
    }

    /// Writes some of what waits, so that the client is heard in between. `Err(None)`: it is gone.
    async fn write(&mut self, socket: &mut WebSocket) -> Result<(), Option<Close>> {
        let mut frames = self.outbox.take(BATCH_FRAMES, BATCH_BYTES);
        while frames.is_empty() {
            let Some((channel, seq)) = self.outbox.take_missed() else { return Ok(()) };
            if !join(&self.app, channel, &self.outbox, Start::Missed(seq)) {
                self.outbox.forget(channel);
            }
            frames = self.outbox.take(BATCH_FRAMES, BATCH_BYTES);
        }
        write_all(socket, frames).await
    }

    async fn hear(&mut self, text: &str) -> Result<(), Close> {
        if !self.allowance.take() {
            return Err(Close::TooMany);
        }
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
                self.hidden_since = (!value).then(|| self.hidden_since.unwrap_or_else(Timer::now));
            }
            Said::Reauth { token } => self.reauth(&token).await?,
            Said::Unknown => self.say(&Answer::Error {
                code: "unknown_type",
                message: "This Room does not know that message.",
            }),
        }
        Ok(())
    }

    fn subscribe(&mut self, names: Vec<String>, after: &HashMap<String, u64>) {
        let mut wanted = Vec::new();
        let (mut channels, mut denied) = (Vec::new(), Vec::new());
        for name in names {
            let channel = Channel::parse(&name, &self.caller);
            let room = self.channels.len() + wanted.len() < CHANNELS;
            match channel {
                Some(channel) if wanted.iter().any(|(other, _)| *other == channel) => {}
                Some(channel) if self.channels.contains(&channel) || room => {
                    wanted.push((channel, after.get(&name).copied()));
                }
                // Long names are not repeated: nobody asked for them in good faith.
                _ => denied.push(name.chars().take(100).collect()),
            }
        }
        // The answer first, then what each channel has to tell; both under the client's eyes in
        // that order.
        let mut joins = Vec::new();
        for (channel, position) in wanted {
            let start = position.map_or(Start::Fresh, Start::After);
            if self.exists(channel) {
                channels.push(channel.name());
                joins.push((channel, start));
            } else {
                denied.push(channel.name());
            }
        }
        self.say(&Answer::Subscribed { channels, denied });
        for (channel, start) in joins {
            if join(&self.app, channel, &self.outbox, start) {
                self.channels.insert(channel);
            }
        }
    }

    fn exists(&self, channel: Channel) -> bool {
        match channel {
            Channel::Providers(_) | Channel::Activity => true,
            Channel::Access => self.app.cloud.is_some(),
            Channel::Login(id) | Channel::Install(id) => has_session(&self.app, channel, id),
        }
    }

    fn unsubscribe(&mut self, names: Vec<String>) {
        let mut channels = Vec::new();
        for name in names {
            let channel = Channel::parse(&name, &self.caller);
            if let Some(channel) = channel.filter(|channel| self.channels.remove(channel)) {
                self.app.hub.leave(channel, &self.outbox);
                self.outbox.forget(channel);
                channels.push(name);
            }
        }
        self.say(&Answer::Unsubscribed { channels });
    }

    /// A new bearer: of the same person, or the socket is over.
    async fn reauth(&mut self, token: &str) -> Result<(), Close> {
        let caller = self.app.sign_in.by_text(&self.app, token).await;
        let caller = caller.map_err(|_| Close::SignInAgain)?;
        if caller.identity != self.caller.identity {
            return Err(Close::NotAllowed);
        }
        self.watch = self.app.sign_in.watch(&self.app, &caller).ok_or(Close::SignInAgain)?;
        self.stand_as(caller);
        Ok(())
    }

    /// Something about the sign-in has changed: who it is now, and what they may hear.
    fn look_again(&mut self) -> Result<(), Close> {
        let caller = self.app.sign_in.again(&self.app, &self.caller).ok_or(Close::SignInAgain)?;
        self.stand_as(caller);
        Ok(())
    }

    /// Goes on as this caller. Channels they may not hear any more are left, and one that looks
    /// different to them now is joined anew.
    fn stand_as(&mut self, caller: Arc<Caller>) {
        let another = caller.standing != self.caller.standing;
        (self.caller, self.warned) = (caller, false);
        if !another {
            return;
        }
        let mut left = Vec::new();
        for channel in std::mem::take(&mut self.channels) {
            let name = channel.name();
            match Channel::parse(&name, &self.caller) {
                Some(same) if same == channel => _ = self.channels.insert(channel),
                other => {
                    self.app.hub.leave(channel, &self.outbox);
                    self.outbox.forget(channel);
                    match other {
                        Some(other) if join(&self.app, other, &self.outbox, Start::Fresh) => {
                            self.channels.insert(other);
                        }
                        _ => left.push(name),
                    }
                }
            }
        }
        if !left.is_empty() {
            self.say(&Answer::Unsubscribed { channels: left });
        }
    }

    /// How long a hidden page may still keep its socket: a hosted machine sleeps without any.
    fn idle_in(&self) -> Option<Duration> {
        let idle_close = self.app.cloud.as_ref()?.settings.idle_close;
        Some(idle_close.saturating_sub(self.hidden_since?.elapsed()))
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

/// Feeds many frames and flushes once. Each must move within its time.
async fn write_all(socket: &mut WebSocket, frames: Vec<Utf8Bytes>) -> Result<(), Option<Close>> {
    let mut longest = 0;
    for frame in frames {
        longest = longest.max(frame.len());
        let mut socket = pin!(&mut *socket);
        let ready = timeout(patience(longest), poll_fn(|cx| socket.as_mut().poll_ready(cx))).await;
        ready.map_err(|_| Some(Close::TooSlow))?.map_err(|_| None)?;
        socket.as_mut().start_send(Message::Text(frame)).map_err(|_| None)?;
    }
    let flushed = timeout(patience(longest), SinkExt::<Message>::flush(socket)).await;
    flushed.map_err(|_| Some(Close::TooSlow))?.map_err(|_| None)
}

fn patience(bytes: usize) -> Duration {
    STUCK + Duration::from_secs((bytes / SLOW_BYTES_A_SECOND) as u64)
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match timeout(STUCK, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

/// Says why, if the client still reads.
async fn close(socket: &mut WebSocket, why: Close) {
    let frame = CloseFrame { code: why as u16, reason: Utf8Bytes::from_static(why.reason()) };
    let _ = timeout(STUCK, async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // The client's own goodbye; without it the close could be taken for a broken line.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
    .await;
}

/// Waits for news of a sign-in.
async fn heard_of(watch: &mut Watch) -> News {
    let heard = watch.changed().await.map(|()| *watch.borrow_and_update());
    heard.unwrap_or(News::Ended(End::SignedOut))
}

async fn until(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
