//! `cargo xtask bench auth`: what it costs to know who is calling, beside what others cost.
//!
//! All servers do the same on the same machine in the same run: HTTP/1.1 over loopback, one route
//! that says `ok` to whoever holds a good token. What counts is the processor time of the server,
//! which the load beside it does not change; the table has it as answers a core-second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::peer::{Load, Outcome, PROGRAM, Peer};
use super::report::{self, middle, thousands};
use crate::run::{command, run};

/// More than any cache here keeps, so that a token that comes again comes as a new one.
const DISTINCT_TOKENS: &str = "20000";

const CONNECTIONS: usize = 32;

const SECONDS: f64 = 1.0;

/// Each cell is the middle one of so many.
const ROUNDS: usize = 3;

/// The table stands between these; what is around it stays.
const MARKS: [&str; 2] = ["<!-- auth: begin -->", "<!-- auth: end -->"];

/// A server of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bare,
    Ours,
    Room,
    Haproxy,
    Jose,
    JwksClient,
    OauthResourceServer,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Bare,
        Self::Ours,
        Self::Room,
        Self::Haproxy,
        Self::Jose,
        Self::JwksClient,
        Self::OauthResourceServer,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "axum, no check",
            Self::Ours => "**room-auth**",
            Self::Room => "**Room**, `GET /api/auth/verify`",
            Self::Haproxy => "HAProxy `jwt_verify`",
            Self::Jose => "node + `jose`",
            Self::JwksClient => "`jwks_client_rs`",
            Self::OauthResourceServer => "`oauth-resource-server`",
        }
    }

    fn start(self, keys_url: &str, folder: &Path) -> anyhow::Result<Peer> {
        let serve = |kind| Peer::start(PROGRAM, &["serve", kind, keys_url]);
        match self {
            Self::Bare => serve("bare"),
            Self::Ours => serve("ours"),
            Self::Room => Peer::hosted(keys_url),
            Self::Haproxy => Peer::haproxy(folder),
            Self::Jose => Peer::start("node", &["xtask/peers/jose.mjs", keys_url]),
            Self::JwksClient => serve("jwks-client"),
            Self::OauthResourceServer => serve("oauth-resource-server"),
        }
    }
}

/// A row of the table.
struct Row {
    what: &'static str,
    tokens: &'static str,
    /// Answers a core-second.
    goal: f64,
    is_valid: bool,
}

const ROWS: [Row; 8] = [
    Row { what: "distinct RS256 tokens", tokens: "rs256", goal: 33e3, is_valid: true },
    Row { what: "the same RS256 token", tokens: "rs256-one", goal: 80e3, is_valid: true },
    Row { what: "distinct ES256 tokens", tokens: "es256", goal: 18e3, is_valid: true },
    Row { what: "the same ES256 token", tokens: "es256-one", goal: 80e3, is_valid: true },
    Row { what: "bad signature", tokens: "bad-signature", goal: 36e3, is_valid: false },
    Row { what: "unknown `kid` each time", tokens: "unknown-kid", goal: 90e3, is_valid: false },
    Row { what: "token of 9 kB", tokens: "oversized", goal: 100e3, is_valid: false },
    Row { what: "no token", tokens: "none", goal: 0.0, is_valid: false },
];

/// The row of the same RS256 token.
const ONE_RS256: usize = 1;

/// What a flood of unknown keys did to a server.
struct Flood {
    fetches: u64,
    seconds: f64,
    /// The p99 of valid tokens beside as much load without tokens, and beside the flood.
    p99: [f64; 2],
}

/// Measures, prints the table and puts it into the report.
pub(super) fn auth() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let folder_name = folder.to_str().context("a folder with a plain name")?;
    run(command(".", &[PROGRAM, "mint", folder_name, DISTINCT_TOKENS]))?;
    for key in ["rsa", "ec"] {
        let [from, to] = ["json", "pem"].map(|form| format!("{folder_name}/{key}.{form}"));
        run(command(".", &["node", "xtask/peers/pem.mjs", &from, &to]))?;
    }
    let has_haproxy = Command::new("haproxy").arg("-v").output().is_ok();
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Haproxy || has_haproxy).collect();
    let load_before = report::load_average()?;
    let mut cells: BTreeMap<(usize, Kind), Vec<[f64; 2]>> = BTreeMap::new();
    for round in 1..=ROUNDS {
        for &kind in &kinds {
            for (at, row) in ROWS.iter().enumerate() {
                let cell = measure(kind, row, folder)?;
                println!(
                    "{round}/{ROUNDS} {} · {}: {:.0} a core-second, {:.0} a second",
                    kind.name(),
                    row.what,
                    cell[0],
                    cell[1]
                );
                cells.entry((at, kind)).or_default().push(cell);
            }
        }
    }
    let mut floods = Vec::new();
    for &kind in kinds.iter().filter(|kind| **kind != Kind::Bare) {
        floods.push((kind, flood(kind, folder)?));
    }
    let load = format!("{load_before} before, {} after", report::load_average()?);
    let text = text(&kinds, &cells, &floods, &load)?;
    println!("{text}");
    report::replace(MARKS, &text)
}

/// Answers a core-second and answers a second.
fn measure(kind: Kind, row: &Row, folder: &Path) -> anyhow::Result<[f64; 2]> {
    let keys = Peer::start(PROGRAM, &["keys", folder.to_str().unwrap_or_default()])?;
    let peer = kind.start(&format!("http://{}/jwks", keys.address()), folder)?;
    let tokens = folder.join(row.tokens);
    // The first requests bring the keys and warm everything up.
    Load::start(&peer, &folder.join("rs256-one"), CONNECTIONS, 0.3, 0)?.finish()?;
    let before = peer.cpu_seconds()?;
    let outcome = Load::start(&peer, &tokens, CONNECTIONS, SECONDS, 0)?.finish()?;
    let spent = peer.cpu_seconds()? - before;
    check(kind, row, &outcome)?;
    Ok([outcome.answers / spent, outcome.answers / outcome.seconds])
}

/// A figure for the wrong answer would be worth nothing.
#[expect(clippy::float_cmp, reason = "both are whole numbers of answers")]
fn check(kind: Kind, row: &Row, outcome: &Outcome) -> anyhow::Result<()> {
    let expected = if row.is_valid || kind == Kind::Bare { outcome.answers } else { 0.0 };
    ensure!(
        outcome.accepted == expected && outcome.answers > 0.0,
        "{}, {}: {} of {} answers were 200",
        kind.name(),
        row.what,
        outcome.accepted,
        outcome.answers
    );
    Ok(())
}

fn flood(kind: Kind, folder: &Path) -> anyhow::Result<Flood> {
    let keys = Peer::start(PROGRAM, &["keys", folder.to_str().unwrap_or_default()])?;
    let peer = kind.start(&format!("http://{}/jwks", keys.address()), folder)?;
    let valid = folder.join("rs256-one");
    Load::start(&peer, &valid, 4, 0.5, 0)?.finish()?;
    let seconds = 4.0;
    let mut p99 = [0.0; 2];
    let before: u64 = keys.get("/count")?.parse()?;
    for (at, tokens) in ["none", "unknown-kid"].into_iter().enumerate() {
        let noise = Load::start(&peer, &folder.join(tokens), CONNECTIONS, seconds, 0)?;
        let outcome = Load::start(&peer, &valid, 4, seconds - 0.5, 200)?.finish()?;
        noise.finish()?;
        p99[at] = outcome.p99;
    }
    let after: u64 = keys.get("/count")?.parse()?;
    Ok(Flood { fetches: after - before, seconds, p99 })
}

fn text(
    kinds: &[Kind],
    cells: &BTreeMap<(usize, Kind), Vec<[f64; 2]>>,
    floods: &[(Kind, Flood)],
    load: &str,
) -> anyhow::Result<String> {
    let middle = |at: usize, kind: Kind, which: usize| {
        middle(cells.get(&(at, kind)).into_iter().flatten().map(|cell| cell[which]).collect())
    };
    let mut text = String::new();
    let machine = report::machine("cargo xtask bench auth", load)?;
    writeln!(
        text,
        "{machine} {CONNECTIONS} connections, {SECONDS} s a cell, the middle of {ROUNDS} rounds.\n"
    )?;
    for (which, title) in
        ["Answers a core-second of the server", "Answers a second"].into_iter().enumerate()
    {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        writeln!(text, "| {title} | goal | {} |", names.join(" | "))?;
        writeln!(text, "| --- |{}", " ---: |".repeat(kinds.len() + 1))?;
        for (at, row) in ROWS.iter().enumerate() {
            let figures: Vec<_> =
                kinds.iter().map(|&kind| thousands(middle(at, kind, which))).collect();
            let goal =
                if which == 0 && row.goal > 0.0 { thousands(row.goal) } else { "–".into() };
            writeln!(text, "| {} | {goal} | {} |", row.what, figures.join(" | "))?;
        }
        writeln!(text)?;
    }
    writeln!(text, "Where `room-auth` stands, by processor time:\n")?;
    for (at, row) in ROWS.iter().enumerate() {
        let ours = middle(at, Kind::Ours, 0);
        let rivals =
            kinds.iter().filter(|kind| !matches!(kind, Kind::Bare | Kind::Ours | Kind::Room));
        let Some(best) =
            rivals.copied().max_by(|one, two| middle(at, *one, 0).total_cmp(&middle(at, *two, 0)))
        else {
            continue;
        };
        let ratio = ours / middle(at, best, 0);
        let against_goal = match row.goal {
            goal if goal <= 0.0 => String::new(),
            goal if ours >= goal => format!(" The goal of {} is met.", thousands(goal)),
            goal => format!(
                " The goal of {} is missed by {:.0} %.",
                thousands(goal),
                (1.0 - ours / goal) * 100.0
            ),
        };
        let stands = if ratio >= 1.0 {
            format!("{:.0} % ahead of the best peer", (ratio - 1.0) * 100.0)
        } else {
            format!("{:.0} % behind the best peer", (1.0 - ratio) * 100.0)
        };
        writeln!(text, "- {}: {stands} ({}).{against_goal}", row.what, best.name())?;
    }
    let micros = |kind| 1e6 / middle(ONE_RS256, kind, 0);
    let (bare, room) = (micros(Kind::Bare), micros(Kind::Room));
    writeln!(
        text,
        "\n`GET /api/auth/verify` of the whole program takes {room:.1} µs a request with the same \
         token, the bare axum route {bare:.1} µs: {:.2} times as much, where at most 1.5 is the goal.",
        room / bare
    )?;
    writeln!(
        text,
        "\n| A flood of unknown keys | fetches of the keys | p99 of valid tokens beside it | beside \
         the same load without tokens |\n| --- | ---: | ---: | ---: |"
    )?;
    for (kind, Flood { fetches, seconds, p99 }) in floods {
        let [idle, flooded] = p99.map(|micros| format!("{:.1} ms", micros / 1e3));
        writeln!(text, "| {} | {fetches} in {seconds} s | {flooded} | {idle} |", kind.name())?;
    }
    Ok(text)
}
