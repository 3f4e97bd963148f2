use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// Keeps what the log would write.
struct Kept {
    log: Log,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.log.enabled(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line::new(self.log.format, Log::is_ours(metadata.target()));
        event.record(&mut line);
        let request = REQUEST.try_with(|request| *request).ok();
        let text = line.finish(jiff::Timestamp::UNIX_EPOCH, metadata, request);
        self.lines.lock().unwrap().push(text);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn logged(format: LogFormat, events: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::default());
    let log = Log { level: LevelFilter::INFO, format };
    tracing::subscriber::with_default(Kept { log, lines: lines.clone() }, events);
    let lines = lines.lock().unwrap().clone();
    assert!(lines.iter().all(|line| line.ends_with('\n') && line.matches('\n').count() == 1));
    lines
}

#[test]
fn a_line_is_one_object_with_the_known_fields_alone() {
    let lines = logged(LogFormat::Json, || {
        tracing::info!(code = "a\"b\n", count = 7, ok = true, secret = "x", "what {}", "happened");
        tracing::debug!("not heard");
        tracing::info!(target: "sqlx::query", "not heard");
        tracing::warn!(target: "sqlx::query", code = "theirs", "heard");
    });
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let start = |target: &str, level: &str, message: &str| {
        serde_json::json!({
            "timestamp": "1970-01-01T00:00:00.000Z", "level": level, "target": target,
            "message": message,
        })
    };
    let mut ours = start("room_runtime::logging::tests", "INFO", "what happened");
    ours["code"] = "a\"b\\n".into();
    ours["count"] = 7.into();
    ours["ok"] = true.into();
    assert_eq!(lines, [ours, start("sqlx::query", "WARN", "heard")]);
}

#[test]
fn a_line_for_eyes_has_nothing_that_a_terminal_obeys() {
    let lines = logged(LogFormat::Pretty, || {
        tracing::warn!(code = "\u{1b}[31m", error = "two words", count = 1, "a\rb\u{202e}c");
    });
    let expected = "1970-01-01T00:00:00.000Z  WARN a\\rb\\u{202e}c code=\"\\\\u{1b}[31m\" \
                    error=\"two words\" count=1\n";
    assert_eq!(lines, [expected]);
}

#[test]
fn a_field_is_cut_and_no_secret_is_cut_in_two() {
    let long = format!("{}{}", "ä".repeat(FIELD_BYTES / 2 - 2), " eyJhbGciOiJFUzI1NiJ9.eyJzd");
    let lines = logged(LogFormat::Json, || tracing::info!(error = long, "x{}", "y".repeat(9000)));
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let (error, message) = (line["error"].as_str().unwrap(), line["message"].as_str().unwrap());
    assert!(error.len() <= FIELD_BYTES + "…".len() && error.ends_with('…'), "{error}");
    assert!(!error.contains("eyJ"), "{error}");
    assert_eq!(message.len(), FIELD_BYTES + "…".len());
}

#[tokio::test]
async fn what_a_request_logs_carries_its_number() {
    let id = RequestId::new("0123456789abcdef", 7);
    let (before, within) = (REQUEST.try_with(|_| ()).is_err(), async {
        REQUEST.try_with(ToString::to_string).unwrap()
    });
    assert!(before);
    assert_eq!(id.over(within).await, "01234567-7");
}

#[test]
fn the_set_of_fields_is_closed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut used = BTreeSet::new();
    for part in ["room-runtime", "room-auth", "provider-sessions"] {
        for file in sources(&root.join(part).join("src")) {
            if !file.ends_with("logging/tests.rs") {
                used.extend(fields_in(&fs::read_to_string(&file).unwrap()));
            }
        }
    }
    let known: BTreeSet<String> = FIELDS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(known, used, "FIELDS is the list of all fields of our events");
    assert_eq!(
        fields_in("tracing::info!(a, %b, ?c, d = f(x, \"y, z\"), \"e, {}\", 1 + 1)").len(),
        4
    );
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names of the fields in the calls of `tracing::…!`; what stands after the message is none.
fn fields_in(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for (at, call) in source.match_indices(&format!("tracing::{level}!(")) {
            let (mut depth, mut in_text, mut escaped) = (0, false, false);
            let mut part = String::new();
            for letter in source[at + call.len()..].chars() {
                match letter {
                    _ if escaped => escaped = false,
                    '\\' if in_text => escaped = true,
                    '"' => in_text = !in_text,
                    '(' | '[' | '{' if !in_text => depth += 1,
                    ')' | ']' | '}' if !in_text => depth -= 1,
                    _ => {}
                }
                if depth < 0 || (depth == 0 && letter == ',' && !in_text) {
                    let text = part.trim().trim_start_matches(['%', '?']);
                    if text.starts_with('"') || depth < 0 && text.is_empty() {
                        break;
                    }
                    let name = text.split(['=', ' ', ':']).next().unwrap_or(text);
                    if !text.starts_with("target:") {
                        names.insert(name.to_owned());
                    }
                    part.clear();
                    if depth < 0 {
                        break;
                    }
                } else {
                    part.push(letter);
                }
            }
        }
    }
    names
}
