//! What a fake can be told to do at a login.

use std::fmt;
use std::path::PathBuf;

/// One way a login goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scenario {
    /// As the real program does, with this person's decision.
    #[default]
    Normal,
    /// Writes a recording (`.raw`, with the `.json` beside it), stops where something was typed
    /// then until something is typed now, and ends as the recorded program did.
    Replay(PathBuf),
    /// Prints nothing.
    Silent,
    /// Prints one line and ends with 7.
    Dies,
    /// As normal, but neither `SIGTERM`, `SIGHUP` nor `SIGINT` ends it.
    Stubborn,
    /// As normal, after starting a process that left the session and outlives it.
    Grandchildren,
    /// The same, and that process has an empty environment.
    BareGrandchildren,
    /// 20,000 lines at once, then as normal.
    Flood,
    /// The same once the test says so.
    LateFlood,
    /// A numbered line every few milliseconds until the person decides, then as normal.
    Chatty,
    /// A numbered line every 150 ms, 400 of them, then as normal.
    Drip,
    /// 150 MB without a line's end, then as normal.
    NoNewline,
    /// Escape sequences, right-to-left marks, markup and false links, then as normal.
    Escapes,
    /// Asks something first.
    UnknownQuestion,
    /// As normal, except that it stores nothing.
    NoCredentials,
    /// Lets go of its terminal and lives on.
    ClosesTerminal,
    /// As normal, but its own `status` never answers.
    StatusHangs,
    /// Makes a file larger than any login needs.
    LargeFile,
    /// Writes until the disk is full, then as normal.
    FillsDisk,
    /// Shows its code, and stops itself.
    Stops,
    /// A hundred processes with a session of their own each, then as normal.
    ForkBomb,
    /// Bytes that are no text, then as normal.
    NoText,
    /// Asks where the cursor is, 100,000 times, and reads no answer; then as normal.
    Asks,
    /// As normal, but a long text that comes in one piece with its Enter is taken for a paste, and
    /// waits for an Enter of its own, as in claude's own screens.
    HoldsPastes,
}

const WORDS: [(&str, Scenario); 23] = [
    ("normal", Scenario::Normal),
    ("silent", Scenario::Silent),
    ("dies", Scenario::Dies),
    ("stubborn", Scenario::Stubborn),
    ("grandchildren", Scenario::Grandchildren),
    ("bare-grandchildren", Scenario::BareGrandchildren),
    ("flood", Scenario::Flood),
    ("late-flood", Scenario::LateFlood),
    ("chatty", Scenario::Chatty),
    ("drip", Scenario::Drip),
    ("nonl", Scenario::NoNewline),
    ("escapes", Scenario::Escapes),
    ("unknown-question", Scenario::UnknownQuestion),
    ("exit0-no-credentials", Scenario::NoCredentials),
    ("closes-terminal", Scenario::ClosesTerminal),
    ("status-hangs", Scenario::StatusHangs),
    ("large-file", Scenario::LargeFile),
    ("fills-disk", Scenario::FillsDisk),
    ("stops", Scenario::Stops),
    ("fork-bomb", Scenario::ForkBomb),
    ("no-text", Scenario::NoText),
    ("asks", Scenario::Asks),
    ("holds-pastes", Scenario::HoldsPastes),
];

impl Scenario {
    /// Reads what [`fmt::Display`] wrote; nothing for a word that is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(file) = text.strip_prefix("replay ") {
            return Some(Self::Replay(file.into()));
        }
        WORDS.into_iter().find_map(|(word, scenario)| (word == text).then_some(scenario))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Replay(file) = self {
            return write!(f, "replay {}", file.display());
        }
        let word = WORDS.iter().find_map(|(word, scenario)| (scenario == self).then_some(*word));
        f.write_str(word.expect("every other scenario has a word"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_read_as_it_was_written() {
        let replay = Scenario::Replay("/a/b.raw".into());
        for scenario in WORDS.into_iter().map(|(_, scenario)| scenario).chain([replay]) {
            assert_eq!(Scenario::parse(&scenario.to_string()), Some(scenario));
        }
        assert_eq!(Scenario::parse("sleepy"), None);
    }
}
