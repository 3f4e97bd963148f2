//! The JSON of one sign-in or install.

use provider_sessions::{Failure, Kind, SessionView, Step, Stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::store::{LoginRow, status_name};

/// One sign-in as the page shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    #[serde(rename = "sessionId")]
    id: String,
    kind: &'static str,
    pub(crate) provider: String,
    pub(crate) method: String,
    status: &'static str,
    step: &'static str,
    command: String,
    started_at: String,
    updated_at: String,
    ended_at: Option<String>,
    deadline: String,
    exit_code: Option<i32>,
    verification_url: Option<String>,
    device_code: Option<String>,
    awaiting_input: bool,
    input_hint: Option<String>,
    /// Whether the owner may type a line into the program as it is.
    accepts_raw: bool,
    failure: Option<Why>,
    notice: Option<Why>,
    started_by: String,
    active: bool,
    /// Absent where lines come by themselves.
    #[serde(flatten)]
    #[schema(value_type = Output)]
    output: Option<Output>,
    /// The last line's id less how many are here.
    dropped_lines: u64,
}

/// What the program has said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Output {
    #[schema(required = false)]
    lines: Vec<Line>,
    /// The line being written after those, or null.
    current_line: Option<String>,
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::SignIn => "auth",
        Kind::Install => "install",
    }
}

/// Why something did not work, or is held up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Why {
    code: String,
    title: String,
    action: String,
}

impl From<&Failure> for Why {
    fn from(why: &Failure) -> Self {
        Self {
            code: why.code.as_str().into(),
            title: why.title.clone(),
            action: why.action.clone(),
        }
    }
}

/// One line of output.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Line {
    id: u64,
    stream: &'static str,
    text: String,
    timestamp: String,
}

impl From<&provider_sessions::Line> for Line {
    fn from(line: &provider_sessions::Line) -> Self {
        Self {
            id: line.id,
            stream: match line.stream {
                Stream::Terminal => "terminal",
                Stream::Room => "room",
            },
            text: line.text.clone(),
            timestamp: time(line.at),
        }
    }
}

/// How much of the lines' text one message on a socket holds: a frame must fit a client's queue.
const SOCKET_LINES_BYTES: usize = 64 * 1024;

impl Session {
    /// With all the lines that are kept.
    pub fn whole(view: &SessionView) -> Self {
        Self::with_lines(view, view.lines.iter().map(Into::into).collect())
    }

    /// With the newest lines, as many as fit one message; the others count as dropped.
    pub fn for_a_socket(view: &SessionView) -> Self {
        let mut bytes = 0;
        let fits = |line: &&provider_sessions::Line| {
            bytes += line.text.len() + 100;
            bytes <= SOCKET_LINES_BYTES
        };
        let mut lines: Vec<Line> =
            view.lines.iter().rev().take_while(fits).map(Into::into).collect();
        lines.reverse();
        let left_out = (view.lines.len() - lines.len()) as u64;
        let dropped_lines = view.dropped_lines + left_out;
        Self { dropped_lines, ..Self::with_lines(view, lines) }
    }

    fn with_lines(view: &SessionView, lines: Vec<Line>) -> Self {
        let output = Output { lines, current_line: view.current_line.clone() };
        Self { output: Some(output), ..Self::without_lines(view) }
    }

    /// Without lines.
    pub fn without_lines(view: &SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            kind: kind_name(view.kind),
            provider: view.provider.clone(),
            method: view.method.clone(),
            status: status_name(view.status),
            step: match view.step {
                Step::Launching => "launching",
                Step::AwaitingApproval => "awaiting_approval",
                Step::AwaitingInput => "awaiting_input",
                Step::Storing => "storing",
                Step::Verifying => "verifying",
                Step::Cancelling => "cancelling",
                Step::Done => "done",
            },
            command: view.command.clone(),
            started_at: time(view.started_at),
            updated_at: time(view.updated_at),
            ended_at: view.ended_at.map(time),
            deadline: time(view.deadline),
            exit_code: view.exit_code,
            verification_url: view.verification_url.clone(),
            device_code: view.device_code.clone(),
            awaiting_input: view.awaiting_input,
            input_hint: view.input_hint.clone(),
            accepts_raw: view.is_active() && view.notice.is_some(),
            failure: view.failure.as_ref().map(Into::into),
            notice: view.notice.as_ref().map(Into::into),
            started_by: view.started_by.clone(),
            active: view.is_active(),
            output: None,
            dropped_lines: view.dropped_lines,
        }
    }
}

impl From<LoginRow> for Session {
    /// What is remembered of a sign-in of an earlier run: no link, code or output.
    fn from(row: LoginRow) -> Self {
        let failure = row.failure.map(|(code, title, action)| Why { code, title, action });
        Self {
            id: row.id,
            kind: kind_name(Kind::of_method(&row.method)),
            provider: row.provider,
            method: row.method,
            status: status_name(row.status),
            step: "done",
            command: row.command,
            started_at: time(row.started_at),
            updated_at: time(row.updated_at),
            ended_at: row.ended_at.map(time),
            deadline: time(row.deadline),
            exit_code: row.exit_code,
            verification_url: None,
            device_code: None,
            awaiting_input: false,
            input_hint: None,
            accepts_raw: false,
            failure,
            notice: None,
            started_by: row.started_by,
            active: false,
            output: Some(Output { lines: Vec::new(), current_line: None }),
            dropped_lines: 0,
        }
    }
}
