//! A recorded terminal transcript through the real screen and detector.

use std::fmt;

use serde::Serialize;

use crate::provider::Provider;
use crate::scan::{Decision, Event, Scanner};
use crate::screen::Size;

/// One line of a replay's output; its [`Display`](fmt::Display) is a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayEvent {
    /// What the detector found, in order.
    Seen(Event),
    /// Why it was found, or not; only from [`replay_explained`].
    Decided(Decision),
    /// The end: what a person would be left with.
    Summary(Summary),
}

/// The last values seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The sign-in link, https on the provider's host list.
    pub verification_url: Option<String>,
    /// The device code.
    pub device_code: Option<String>,
    /// Whether a prompt for a pasted code appeared at any time.
    pub input_asked: bool,
}

/// Feeds a recording to the detector, `chunk` bytes at a time (all at once without), and hands out
/// what it finds, a summary last. Time plays no part: any chunk size gives the same events. A link
/// that Room offers because the program prints none ([`ScanRules::fixed_link`]) is not among them.
///
/// [`ScanRules::fixed_link`]: crate::provider::ScanRules::fixed_link
pub fn replay(
    provider: &Provider,
    size: Size,
    chunk: Option<usize>,
    bytes: &[u8],
    emit: impl FnMut(ReplayEvent),
) {
    run(provider, size, chunk, bytes, false, emit);
}

/// The same, with every decision just before what follows from it.
pub fn replay_explained(
    provider: &Provider,
    size: Size,
    chunk: Option<usize>,
    bytes: &[u8],
    emit: impl FnMut(ReplayEvent),
) {
    run(provider, size, chunk, bytes, true, emit);
}

fn run(
    provider: &Provider,
    size: Size,
    chunk: Option<usize>,
    bytes: &[u8],
    explain: bool,
    mut emit: impl FnMut(ReplayEvent),
) {
    // What is offered besides was not seen here.
    let mut provider = provider.clone();
    provider.scan.fixed_link = None;
    let mut scanner = Scanner::new(&provider, size);
    if explain {
        scanner.explain();
    }
    let mut summary = Summary::default();
    let mut hand_out = |decisions: Vec<Decision>, events: Vec<Event>| {
        decisions.into_iter().map(ReplayEvent::Decided).for_each(&mut emit);
        for event in events {
            match &event {
                Event::Link(url) => summary.verification_url = Some(url.clone()),
                Event::Code(code) => summary.device_code = Some(code.clone()),
                Event::Prompt { .. } => summary.input_asked = true,
                _ => {}
            }
            emit(ReplayEvent::Seen(event));
        }
    };
    let chunk = chunk.unwrap_or(bytes.len()).max(1);
    for piece in bytes.chunks(chunk) {
        let events = scanner.push(piece);
        hand_out(scanner.decisions(), events);
    }
    let events = scanner.finish();
    hand_out(scanner.decisions(), events);
    emit(ReplayEvent::Summary(summary));
}

impl fmt::Display for ReplayEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reply;
        let line = match self {
            Self::Seen(Event::Line(text)) => Json::Line { text },
            Self::Seen(Event::Link(url)) => Json::Link { url },
            Self::Seen(Event::Code(code)) => Json::Code { code },
            Self::Seen(Event::Prompt { hint }) => Json::Prompt { hint: hint.as_deref() },
            Self::Seen(Event::PromptGone) => Json::PromptGone,
            Self::Seen(Event::Reply(bytes)) => {
                reply = String::from_utf8_lossy(bytes);
                Json::Reply { text: &reply }
            }
            Self::Seen(Event::Answer(bytes)) => {
                reply = String::from_utf8_lossy(bytes);
                Json::Answer { text: &reply }
            }
            Self::Seen(Event::Token(_)) => Json::Token,
            Self::Seen(Event::Failed { code, text }) => Json::Failed { code: code.as_str(), text },
            Self::Seen(Event::Stored) => Json::Stored,
            Self::Decided(decision) => Json::Decision {
                what: decision.what.as_str(),
                text: &decision.text,
                taken: decision.taken,
                reason: &decision.reason,
                met: decision.met,
                of: decision.of,
                rank: decision.rank,
            },
            Self::Summary(summary) => Json::Summary {
                verification_url: summary.verification_url.as_deref(),
                device_code: summary.device_code.as_deref(),
                input_asked: summary.input_asked,
            },
        };
        f.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// The shapes that are printed.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Json<'a> {
    Line {
        text: &'a str,
    },
    Link {
        url: &'a str,
    },
    Code {
        code: &'a str,
    },
    Prompt {
        hint: Option<&'a str>,
    },
    PromptGone,
    Reply {
        text: &'a str,
    },
    Answer {
        text: &'a str,
    },
    Token,
    Failed {
        code: &'a str,
        text: &'a str,
    },
    Stored,
    Decision {
        what: &'a str,
        text: &'a str,
        taken: bool,
        reason: &'a str,
        met: u8,
        of: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        rank: Option<usize>,
    },
    #[serde(rename_all = "camelCase")]
    Summary {
        verification_url: Option<&'a str>,
        device_code: Option<&'a str>,
        input_asked: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureCode;

    #[test]
    fn every_event_is_one_json_object() {
        let summary = Summary {
            verification_url: Some("https://x".to_owned()),
            device_code: None,
            input_asked: true,
        };
        for (event, json) in [
            (ReplayEvent::Seen(Event::Line("a\"b".into())), r#"{"type":"line","text":"a\"b"}"#),
            (ReplayEvent::Seen(Event::Link("u".into())), r#"{"type":"link","url":"u"}"#),
            (ReplayEvent::Seen(Event::Code("c".into())), r#"{"type":"code","code":"c"}"#),
            (ReplayEvent::Seen(Event::Prompt { hint: None }), r#"{"type":"prompt","hint":null}"#),
            (ReplayEvent::Seen(Event::PromptGone), r#"{"type":"prompt_gone"}"#),
            (
                ReplayEvent::Seen(Event::Reply(b"\x1b[1;1R".to_vec())),
                r#"{"type":"reply","text":"\u001b[1;1R"}"#,
            ),
            (
                ReplayEvent::Seen(Event::Failed { code: FailureCode::Expired, text: "t".into() }),
                r#"{"type":"failed","code":"expired","text":"t"}"#,
            ),
            (ReplayEvent::Seen(Event::Stored), r#"{"type":"stored"}"#),
            (
                ReplayEvent::Summary(summary),
                r#"{"type":"summary","verificationUrl":"https://x","deviceCode":null,"inputAsked":true}"#,
            ),
        ] {
            assert_eq!(event.to_string(), json);
        }
    }
}
