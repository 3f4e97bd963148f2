//! The text of one reading.

use std::time::Duration;

use room_auth::jwks::KeyState;

use super::families as all;
use super::process::{self, Process};
use super::sessions::{KINDS, OUTCOMES};
use super::text::{Text, seconds};
use crate::http::Checks;
use crate::state::App;
use crate::{http, limits, machine, store};

/// Everything there is to say now. Reads files of the system: call it where blocking is allowed.
pub fn render(app: &App, checks: &Checks) -> String {
    let mut text = Text::default();
    let build =
        [("version", crate::VERSION), ("build", http::build()), ("mode", app.config.mode())];
    text.family(&all::BUILD);
    text.sample(&all::BUILD, &build, 1);
    requests(&mut text, app);
    sockets(&mut text, app);
    access(&mut text, app);
    sessions(&mut text, app);
    keys(&mut text, app);
    for (family, named) in [(&all::FAILING, &checks.failed), (&all::DEGRADED, &checks.degraded)] {
        text.family(family);
        for check in Checks::NAMES {
            text.sample(family, &[("check", check)], u8::from(named.contains(&check)));
        }
    }
    storage(&mut text, app);
    process(&mut text, app);
    text.finish()
}

fn requests(text: &mut Text, app: &App) {
    let Some(requests) = app.metrics.requests.get() else { return };
    text.family(&all::REQUESTS);
    for (route, rows, _) in requests.read() {
        for (method, status, count) in rows {
            let labels = [("route", route), ("method", method), ("status", status)];
            text.sample(&all::REQUESTS, &labels, count);
        }
    }
    // A series of its own: one that is not there before the first fault has no step up to be seen.
    text.single(&all::ERRORS, requests.errors());
    text.family(&all::REQUEST_SECONDS);
    for (route, _, histogram) in requests.read() {
        text.histogram(&all::REQUEST_SECONDS, &[("route", route)], histogram);
    }
}

fn sockets(text: &mut Text, app: &App) {
    let sockets = &app.metrics.sockets;
    text.single(&all::CONNECTIONS, app.metrics.connections.count());
    text.family(&all::SOCKETS);
    for (state, count) in sockets.states() {
        text.sample(&all::SOCKETS, &[("state", state)], count);
    }
    text.single(&all::SENT, sockets.sent.count());
    text.single(&all::DROPPED, sockets.dropped.count());
    text.family(&all::CLOSED);
    for (code, count) in sockets.codes() {
        text.sample(&all::CLOSED, &[("code", code)], count);
    }
    text.single(&all::QUEUED, app.hub.queued_bytes());
}

fn access(text: &mut Text, app: &App) {
    text.family(&all::AUTH_FAILURES);
    for (reason, count) in app.metrics.auth_failures.read() {
        text.sample(&all::AUTH_FAILURES, &[("reason", reason)], count);
    }
    text.family(&all::LIMITED);
    let elsewhere = [
        ("connection", app.metrics.crowded.count()),
        (limits::SIGN_IN, app.sign_in.limited.count()),
    ];
    for (group, count) in elsewhere.into_iter().chain(app.limits.refused()) {
        text.sample(&all::LIMITED, &[("group", group)], count);
    }
}

fn sessions(text: &mut Text, app: &App) {
    let providers = app.manager.providers();
    let kinds = || providers.iter().flat_map(|row| KINDS.map(|kind| (row.id.as_str(), kind)));
    // Where nothing happened yet a 0 stands, or nobody would see the first step up.
    let live = app.publisher.live_by_provider();
    text.family(&all::ACTIVE);
    for (provider, (kind, name)) in kinds() {
        let count = live.get(&(provider.to_owned(), kind)).unwrap_or(&0);
        text.sample(&all::ACTIVE, &[("provider", provider), ("kind", name)], count);
    }
    app.publisher.ended.read(|ended| {
        text.family(&all::ENDED);
        for (provider, (kind, name)) in kinds() {
            for outcome in OUTCOMES {
                let count = ended.outcomes.get(&(provider.to_owned(), kind, outcome)).unwrap_or(&0);
                let labels = [("provider", provider), ("kind", name), ("outcome", outcome)];
                text.sample(&all::ENDED, &labels, count);
            }
        }
        text.family(&all::SESSION_SECONDS);
        text.histogram(&all::SESSION_SECONDS, &[], &ended.seconds);
    });
    text.family(&all::CONNECTED);
    app.manager.with_status(|statuses| {
        for status in statuses {
            if let Some(connected) = status.connected {
                let labels = [("provider", status.provider.as_str())];
                text.sample(&all::CONNECTED, &labels, u8::from(connected));
            }
        }
    });
    text.single(&all::ORPHANS, app.manager.orphans_killed());
    let commits = app.activity.commits();
    text.family(&all::AUDIT_SECONDS);
    text.histogram(&all::AUDIT_SECONDS, &[], &commits.seconds);
    text.single(&all::AUDIT_FAILURES, commits.failures.count());
}

fn keys(text: &mut Text, app: &App) {
    let Some(cloud) = &app.cloud else { return };
    let health = cloud.trust.health();
    text.family(&all::KEY_AGE);
    for (issuer, health) in &health {
        if let Some(age) = health.age {
            text.sample(&all::KEY_AGE, &[("issuer", issuer)], age.as_secs());
        }
    }
    text.family(&all::KEY_STATE);
    for (issuer, health) in &health {
        for state in [KeyState::Fresh, KeyState::Degraded, KeyState::Stale, KeyState::Empty] {
            let labels = [("issuer", *issuer), ("state", state.as_str())];
            text.sample(&all::KEY_STATE, &labels, u8::from(health.state == state));
        }
    }
    if let Some(uses) = cloud.trust.legacy_uses() {
        text.family(&all::LEGACY);
        text.sample(&all::LEGACY, &[("secret", "current")], uses.current);
        text.sample(&all::LEGACY, &[("secret", "previous")], uses.previous);
    }
}

fn storage(text: &mut Text, app: &App) {
    let directory = &app.config.data_dir;
    let disk = machine::storage(directory, &[]);
    maybe(text, &all::DISK, disk.total_bytes);
    maybe(text, &all::DISK_FREE, disk.free_bytes);
    text.family(&all::DATABASE);
    for (name, file) in [("main", store::FILES[0]), ("wal", store::FILES[1])] {
        let size = machine::storage(directory, &[file]).used_bytes;
        text.sample(&all::DATABASE, &[("file", name)], size);
    }
}

fn process(text: &mut Text, app: &App) {
    maybe(text, &all::PROCESSES, process::below());
    let (limit, available) = process::memory();
    maybe(text, &all::MEMORY, limit);
    maybe(text, &all::MEMORY_FREE, available);
    let process = Process::look();
    maybe(text, &all::CPU, process.cpu_seconds);
    maybe(text, &all::FILES, process.files);
    maybe(text, &all::MOST_FILES, process.most_files);
    maybe(text, &all::RESIDENT, process.resident_bytes);
    maybe(text, &all::VIRTUAL, process.virtual_bytes);
    maybe(text, &all::THREADS, process.threads);
    let started = Duration::from_millis(app.started.as_millisecond().unsigned_abs());
    text.single(&all::STARTED, seconds(started));
}

/// What cannot be known is left out: it is not 0.
fn maybe(text: &mut Text, family: &all::Family, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        text.single(family, value);
    }
}
