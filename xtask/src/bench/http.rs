//! What an answer costs: who am I, and how the providers stand.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::peer::{Load, PROGRAM, Peer, QUOROOM};
use super::report::{Row, middle, thousands};
use super::{folder_name, programs};
use crate::run::{command, run};

const CONNECTIONS: usize = 32;

const SECONDS: f64 = 1.5;

/// The middle one of so many counts.
const ROUNDS: usize = 5;

/// What one server does: microseconds of processor time a request, and answers a second.
struct Cost {
    micros: f64,
    a_second: f64,
}

/// `GET /api/auth/verify` and `GET /api/providers/status`.
pub(super) fn http(rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    run(command(".", &[PROGRAM, "mint", folder_name(folder)?, "2"]))?;
    let keys = Peer::start(PROGRAM, &["keys", folder_name(folder)?])?;
    let keys_url = format!("http://{}/jwks", keys.address());
    let bin = programs(folder)?;
    let token = folder.join("rs256-one");

    let mut bare = Peer::start(PROGRAM, &["serve", "bare", &keys_url])?;
    let hosted = Peer::hosted(&keys_url)?;
    let [plain, ours] = costs([&bare, &hosted], [&token, &token])?;
    let ratio = ours.micros / plain.micros;
    let told = format!("{:.1} µs, {ratio:.2} × the bare route", ours.micros);
    let what = "`GET /api/auth/verify`, CPU a request";
    let mut verify = Row::new(what, "1.5 × a bare axum route", told, ratio <= 1.5)
        .beside("bare axum", format!("{:.1} µs", plain.micros));

    let mut local = Peer::local(Some(&bin))?;
    let local_token = folder.join("local");
    let bearer = fs::read_to_string(local.folder()?.join("room/api.token"))?;
    fs::write(&local_token, &bearer)?;
    let status = local.answer("GET", "/api/providers/status", Some(bearer.trim()))?;
    ensure!(status.status == 200, "providers/status: {}", status.status);
    fs::write(folder.join("status.json"), &status.body)?;
    let file = folder.join("status.json");
    bare = Peer::start(PROGRAM, &["bare", "file", folder_name(&file)?])?;
    let nginx = Peer::nginx(folder).ok();
    local.path = "/api/providers/status";
    let [plain, ours] = costs([&bare, &local], [&local_token, &local_token])?;
    let told = format!(
        "{} a core-second ({} a second), {:.1} µs each",
        thousands(1e6 / ours.micros),
        thousands(ours.a_second),
        ours.micros
    );
    let mut statuses = Row::new(
        "`GET /api/providers/status`",
        "60k a core-second",
        told,
        ours.micros <= 1e6 / 60e3,
    )
    .beside("bare axum", thousands(1e6 / plain.micros));
    if let Some(nginx) = &nginx {
        let [cost] = costs([nginx], [&local_token])?;
        statuses = statuses.beside("nginx", thousands(1e6 / cost.micros));
    }
    if Path::new(QUOROOM).exists() {
        let mut old = Peer::quoroom(Some(&bin))?;
        let answer = old.answer("GET", "/api/auth/handshake", None)?.object()?;
        let old_token = folder.join("old");
        fs::write(&old_token, answer["token"].as_str().context("a token")?)?;
        let [cost] = costs([&old], [&old_token])?;
        verify = verify.beside("quoroom", format!("{:.1} µs", cost.micros));
        old.path = "/api/providers/status";
        // One round: each answer stalls it for tens of milliseconds.
        let outcome = Load::start(&old, &old_token, 4, 3.0, 0)?.finish()?;
        let told = format!("{:.0} a second", outcome.answers / outcome.seconds);
        statuses = statuses.beside("quoroom", told);
    }
    rows.extend([verify, statuses]);
    Ok(())
}

/// Measured in turns, so that what else the machine does hits all alike.
fn costs<const N: usize>(peers: [&Peer; N], tokens: [&Path; N]) -> anyhow::Result<[Cost; N]> {
    let mut figures = [const { (Vec::new(), Vec::new()) }; N];
    for round in 0..=ROUNDS {
        for ((peer, tokens), figure) in peers.iter().zip(tokens).zip(&mut figures) {
            let before = peer.cpu_seconds()?;
            let outcome = Load::start(peer, tokens, CONNECTIONS, SECONDS, 0)?.finish()?;
            let spent = peer.cpu_seconds()? - before;
            ensure!(
                outcome.answers > 0.0 && outcome.answers - outcome.accepted < 1.0,
                "{}: {} of {} answers were 200",
                peer.path,
                outcome.accepted,
                outcome.answers
            );
            // The first round brings the keys and warms everything up.
            if round > 0 {
                figure.0.push(spent * 1e6 / outcome.answers);
                figure.1.push(outcome.answers / outcome.seconds);
            }
        }
    }
    Ok(figures.map(|(micros, rate)| Cost { micros: middle(micros), a_second: middle(rate) }))
}
