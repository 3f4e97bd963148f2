//! One line of the log.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::scrub::scrub;
use super::{FIELD_BYTES, FIELDS, RequestId};
use crate::config::LogFormat;
use crate::http::wire;

/// The text that is looked at for secrets: more than is shown, so that none is cut in two and not
/// known any more.
const LOOKED_AT: usize = 4 * FIELD_BYTES;

/// A field that looks like a secret and is none: the hash of a public key.
const PUBLIC_HASH: &str = "thumbprint";

/// What an event says, as it is being told.
pub(super) struct Line {
    format: LogFormat,
    /// Whether its fields are told, and not the message alone.
    ours: bool,
    message: String,
    /// The fields as they are written, each with what stands before it.
    fields: String,
}

impl Line {
    pub(super) fn new(format: LogFormat, ours: bool) -> Self {
        Self { format, ours, message: String::new(), fields: String::new() }
    }

    /// The whole line, with its end.
    pub(super) fn finish(
        self,
        now: Timestamp,
        metadata: &Metadata<'_>,
        request: Option<RequestId>,
    ) -> String {
        let Self { format, message, fields, .. } = self;
        let (now, level, target) = (wire::time(now), metadata.level(), metadata.target());
        let request = |before: &str, after: &str| {
            request.map(|request| format!("{before}{request}{after}")).unwrap_or_default()
        };
        match format {
            LogFormat::Json => {
                let (message, request) = (quoted(&message), request(",\"request\":\"", "\""));
                format!(
                    "{{\"timestamp\":\"{now}\",\"level\":\"{level}\",\"message\":{message},\
                     \"target\":\"{target}\"{request}{fields}}}\n"
                )
            }
            LogFormat::Pretty => {
                format!("{now} {level:>5} {message}{}{fields}\n", request(" request=", ""))
            }
        }
    }

    /// A number, or a word of ours.
    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        if self.tells(field) {
            let name = field.name();
            let _ = match self.format {
                LogFormat::Json => write!(self.fields, ",\"{name}\":{value}"),
                LogFormat::Pretty => write!(self.fields, " {name}={value}"),
            };
        }
    }

    fn text(&mut self, field: &Field, value: &str) {
        let name = field.name();
        if name == "message" {
            self.message = fit(value, name).into_owned();
        } else if self.tells(field) {
            let value = fit(value, name);
            let is_word = !value.is_empty() && !value.contains([' ', '"', '=', '\\']);
            let _ = match self.format {
                LogFormat::Json => write!(self.fields, ",\"{name}\":{}", quoted(&value)),
                LogFormat::Pretty if is_word => write!(self.fields, " {name}={value}"),
                LogFormat::Pretty => write!(self.fields, " {name}={}", quoted(&value)),
            };
        }
    }

    fn tells(&self, field: &Field) -> bool {
        self.ours && FIELDS.contains(&field.name())
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// What is shown of a text: no secret, no sign that a terminal obeys or that hides others, and not
/// too much of it.
fn fit<'a>(text: &'a str, name: &str) -> Cow<'a, str> {
    let text = cut(text, LOOKED_AT);
    let text = if name == PUBLIC_HASH { Cow::Borrowed(text) } else { scrub(text) };
    let text = if text.contains(is_unseen) { Cow::Owned(shown(&text)) } else { text };
    if text.len() <= FIELD_BYTES { text } else { format!("{}…", cut(&text, FIELD_BYTES)).into() }
}

fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Controls, and what turns or hides the letters around it.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        )
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
