//! The files that a Room is deployed by say what Room itself says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use room_runtime::config::{Bind, Environment, Flags};
use room_runtime::{Config, accept, server};
use toml::{Table, Value};

/// Plans of Fly, the smallest first, and whether they sleep.
const PLANS: [(&str, bool); 4] =
    [("micro", true), ("small", true), ("medium", false), ("large", false)];

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the image sets for every container of it.
fn of_the_image() -> Environment {
    let dockerfile = file("Dockerfile").replace("\\\n", " ");
    let line = dockerfile.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    let pairs = line.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// As the file has it; a table or an array by `a.b.0.c`.
fn at<'a>(table: &'a Table, path: &str) -> &'a Value {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| table.get(name));
    names
        .try_fold(first.unwrap_or_else(|| panic!("no {path}")), |value, name| {
            match name.parse::<usize>() {
                Ok(index) => value.get(index),
                Err(_) => value.get(name),
            }
        })
        .unwrap_or_else(|| panic!("no {path}"))
}

fn text<'a>(table: &'a Table, path: &str) -> &'a str {
    at(table, path).as_str().unwrap_or_else(|| panic!("{path} is no text"))
}

fn number(table: &Table, path: &str) -> u64 {
    let number = at(table, path).as_integer().unwrap_or_else(|| panic!("{path} is no number"));
    number.try_into().unwrap()
}

fn megabytes(text: &str) -> u64 {
    let lower = text.to_lowercase();
    match (lower.strip_suffix("gb"), lower.strip_suffix("mb")) {
        (Some(n), _) => n.parse::<u64>().unwrap() * 1024,
        (_, Some(n)) => n.parse().unwrap(),
        _ => panic!("{text}"),
    }
}

#[test]
fn each_plan_of_fly_starts_and_agrees_with_room() {
    let mut earlier = 0;
    for (plan, sleeps) in PLANS {
        let fly: Table = file(&format!("deploy/fly/{plan}.toml")).parse().unwrap();
        let mut environment = of_the_image();
        environment.insert("FLY_APP_NAME".into(), text(&fly, "app").into());
        for (name, value) in at(&fly, "env").as_table().unwrap() {
            environment.insert(name.clone(), value.as_str().expect("Fly takes texts").into());
        }
        let config = Config::load(&Flags::new(), &environment, None);
        let config = config.unwrap_or_else(|faults| panic!("{plan}: {faults}"));
        let cloud = config.cloud.as_ref().unwrap();

        assert_eq!(cloud.public_url, format!("https://{}.fly.dev", text(&fly, "app")));
        assert_eq!(cloud.client_ip.to_string(), "fly");
        assert_eq!(config.plan.as_deref(), Some(plan));
        // Every address, and of IPv4 alone: Fly's private network speaks IPv6.
        assert!(matches!(config.bind, Bind::Only(ip) if ip.is_ipv4() && ip.is_unspecified()));
        assert_eq!(number(&fly, "http_service.internal_port"), u64::from(config.port));
        // The volume's own folder is open to others, and Room makes one below it.
        let volume = Path::new(text(&fly, "mounts.0.destination"));
        assert_eq!(config.data_dir.parent(), Some(volume), "{plan}");

        assert_eq!(text(&fly, "kill_signal"), "SIGTERM");
        let patience = Duration::from_secs(number(&fly, "kill_timeout"));
        assert!(patience > server::STOPS_WITHIN + Duration::from_secs(5), "{patience:?}");
        // What decides is Room, which knows of sign-ins: the platform only starts it.
        assert_eq!(text(&fly, "http_service.auto_stop_machines"), "off");
        assert_eq!(at(&fly, "http_service.auto_start_machines").as_bool(), Some(true));
        assert_eq!(text(&fly, "restart.0.policy"), "on-failure", "0 is no failure");
        assert_eq!(cloud.idle_exit.is_some(), sleeps, "{plan}");
        if let Some(idle_exit) = cloud.idle_exit {
            assert!(idle_exit > cloud.idle_close, "a page is let go first");
        }

        assert_eq!(text(&fly, "http_service.checks.0.path"), "/healthz");
        let metrics = format!("fly-local-6pn:{}", number(&fly, "metrics.port"));
        assert_eq!(text(&fly, "env.ROOM_METRICS_BIND"), metrics);
        assert_eq!(text(&fly, "metrics.path"), "/metrics");

        let hard = number(&fly, "http_service.concurrency.hard_limit");
        assert!(number(&fly, "http_service.concurrency.soft_limit") < hard);
        assert!(hard < accept::CONNECTIONS as u64, "{plan}");
        assert!(hard > earlier && text(&fly, "http_service.concurrency.type") == "connections");
        earlier = hard;
        // 10,000 open pages take 110 MiB; half of the memory is for the programs of sign-ins.
        let memory = megabytes(text(&fly, "vm.0.memory"));
        assert!(hard * 110 / 10_000 + 30 < memory / 2, "{plan}");
    }
}

#[test]
fn whatever_stops_a_room_waits_long_enough() {
    let least = server::STOPS_WITHIN.as_secs() + 5;
    for (path, before) in
        [("compose.yaml", "stop_grace_period: "), ("deploy/room.service", "TimeoutStopSec=")]
    {
        let text = file(path);
        let line = text.lines().find_map(|line| line.trim().strip_prefix(before)).unwrap();
        let seconds: u64 = line.trim_end_matches('s').parse().unwrap();
        assert!(seconds >= least, "{path}: {seconds}");
    }
    // Only the server is told: it ends its sign-ins itself.
    assert!(file("deploy/room.service").contains("\nKillMode=mixed\n"));
}

/// Every `NAME=value` or `NAME: value` of a setting in these files is one that Room knows.
#[test]
fn no_file_sets_what_room_does_not_know() {
    let docs = file("docs/settings.md");
    let mut seen = 0;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let fly = fs::read_dir(root.join("deploy/fly")).unwrap().flatten();
    let fly = fly.map(|entry| format!("deploy/fly/{}", entry.file_name().to_str().unwrap()));
    let others = ["Dockerfile", "compose.yaml", "deploy/room.service"];
    let pages = ["docs/self-host.md", "docs/deploy-fly.md"];
    for path in fly.chain(others.into_iter().chain(pages).map(str::to_owned)) {
        let text = file(&path);
        for word in text.split(|c: char| !c.is_ascii_uppercase() && c != '_' && !c.is_ascii_digit())
        {
            // The build's stamp and the name in compose.yaml are none of Room's.
            if !word.starts_with("ROOM_") || ["ROOM_COMMIT", "ROOM_HOST"].contains(&word) {
                continue;
            }
            seen += 1;
            assert!(docs.contains(word), "{path}: {word} is not in docs/settings.md");
        }
    }
    assert!(seen > 40, "{seen}");
}
