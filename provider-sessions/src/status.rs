//! Whether a provider's program is there and signed in, as the program itself says.

use std::cmp::Ordering;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::key::KeyStatus;
use crate::launcher::{Launcher, Spec};
use crate::process::{Output, run};
use crate::provider::{AccountFile, Install, Pattern, Provider, StatusCommand, StoredKey};
use crate::session::SessionId;

/// A status command that takes longer is ended.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// The longest credentials file that is read for an account's name.
const ACCOUNT_FILE_BYTES: u64 = 256 * 1024;

/// What is known of one provider, from the last time its program was asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderStatus {
    /// The provider's id.
    pub provider: String,
    /// Whether its program is on this machine.
    pub installed: bool,
    /// Whether nobody is told of it: its row is for machines that have the program.
    pub hidden: bool,
    /// The program's version.
    pub version: Option<String>,
    /// Whether that version is older than any that is known to sign in this way.
    pub too_old: bool,
    /// Whether it is older than the tested one, and Room can install that.
    pub update_available: bool,
    /// What that version means for signing in, when it is not the tested one.
    pub version_note: Option<String>,
    /// Whether it can be used: signed in, or given a key; nothing before the first answer, or when
    /// the program gave none.
    pub connected: Option<bool>,
    /// Whether it is signed in by itself, a key that this crate holds left aside.
    pub signed_in: Option<bool>,
    /// The key, if there is one.
    pub key: Option<KeyStatus>,
    /// How it is signed in, in the program's word.
    pub method: Option<String>,
    /// Whose account; whole, so mask it before it is shown.
    pub account: Option<String>,
    /// The account's plan.
    pub plan: Option<String>,
    /// When the sign-in ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When the program was asked.
    pub checked_at: Option<Timestamp>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// When a sign-in was last asked for.
    pub requested_at: Option<Timestamp>,
    /// When it was last signed out through Room.
    pub disconnected_at: Option<Timestamp>,
    /// The live sign-in.
    pub session: Option<SessionId>,
    /// The live install.
    pub install: Option<SessionId>,
}

impl ProviderStatus {
    /// Replaces what an answer speaks of.
    pub(crate) fn take(&mut self, answer: Answer) {
        let Answer { connected, method, account, plan, expires_at, error } = answer;
        (self.connected, self.method, self.account) = (connected, method, account);
        (self.plan, self.expires_at, self.error) = (plan, expires_at, error);
        self.signed_in = connected;
        self.checked_at = Some(Timestamp::now());
    }
}

/// What one answer of the status command says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) connected: Option<bool>,
    pub(crate) method: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) plan: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) error: Option<String>,
}

impl Answer {
    fn unknown(error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::default() }
    }
}

/// Runs the status command and reads its answer; `folder` is where the credentials are.
pub(crate) async fn ask(
    provider: &Provider,
    launcher: &Launcher,
    spec: Spec,
    folder: &Path,
) -> Answer {
    match run(launcher, spec, PROBE_LIMIT).await {
        Ok(output) if output.timed_out => {
            Answer::unknown(format!("{} gave no answer in {PROBE_LIMIT:?}", provider.program))
        }
        Ok(output) => read_answer(&provider.status, &output, folder),
        Err(error) => Answer::unknown(error.to_string()),
    }
}

fn read_answer(command: &StatusCommand, output: &Output, folder: &Path) -> Answer {
    match command {
        StatusCommand::Text { when, signed_out, account, .. } => {
            let text = format!("{}\n{}", output.stdout, output.stderr);
            let found = when.iter().find(|known| known.pattern.is_match(&text));
            match (output.exit.code, found) {
                (Some(0), Some(known)) => {
                    let (account, plan) = account.as_ref().map_or((None, None), |rule| {
                        read_account(rule, folder).unwrap_or_default()
                    });
                    Answer {
                        connected: Some(true),
                        method: Some(known.method.clone()),
                        account,
                        plan,
                        ..Answer::default()
                    }
                }
                (Some(_), None) if signed_out.is_match(&text) => {
                    Answer { connected: Some(false), ..Answer::default() }
                }
                _ => Answer::unknown(last_line(&text)),
            }
        }
        // Asked without a command, see `read_file_answer`.
        StatusCommand::File { .. } => read_file_answer(command, folder)
            .unwrap_or_else(|| Answer::unknown("its status is in a file")),
        StatusCommand::Json { connected, method, email, plan, expires, .. } => {
            let Ok(answer) = serde_json::from_str::<Value>(&output.stdout) else {
                return Answer::unknown(last_line(&format!(
                    "{}\n{}",
                    output.stdout, output.stderr
                )));
            };
            let text = |pointer: &str| {
                answer.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned)
            };
            match answer.pointer(connected).and_then(Value::as_bool) {
                Some(true) => Answer {
                    connected: Some(true),
                    method: text(method),
                    account: text(email),
                    plan: text(plan),
                    expires_at: expires.as_ref().and_then(|at| read_time(answer.pointer(at)?)),
                    error: None,
                },
                Some(false) => Answer { connected: Some(false), ..Answer::default() },
                None => Answer::unknown("its status answer has another shape than we know"),
            }
        }
    }
}

/// RFC 3339, or milliseconds since 1970.
fn read_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        _ => None,
    }
}

/// The e-mail address and the plan in a stored JWT. It is shown, never trusted, so not verified.
fn read_account(rule: &AccountFile, folder: &Path) -> Option<(Option<String>, Option<String>)> {
    let rule = match rule {
        AccountFile::Jwt(rule) => rule,
        AccountFile::Text(rule) => {
            let text = read_text(&folder.join(&rule.file)).ok()??;
            return Some((first_group(&rule.pattern, &text), None));
        }
    };
    let (stored, _) = read_json(&folder.join(&rule.file))?;
    let payload = stored.pointer(&rule.token)?.as_str()?.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let text = |pointer: &str| claims.pointer(pointer)?.as_str().map(ToOwned::to_owned);
    Some((text(&rule.email), text(&rule.plan)))
}

/// The key that a program keeps itself, and since when.
pub(crate) fn read_key(
    rule: &StoredKey,
    folder: &Path,
) -> Option<(SecretString, Option<Timestamp>)> {
    let (stored, changed) = read_json(&folder.join(&rule.file))?;
    let key = stored.pointer(&rule.pointer)?.as_str()?;
    Some((key.into(), changed.and_then(|at| Timestamp::try_from(at).ok())))
}

/// A small file of a program's own.
fn read_json(path: &Path) -> Option<(Value, Option<SystemTime>)> {
    let found = std::fs::metadata(path).ok()?;
    if !found.is_file() || found.len() > ACCOUNT_FILE_BYTES {
        return None;
    }
    let stored = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some((stored, found.modified().ok()))
}

/// A small text file; nothing when it is not there.
fn read_text(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= ACCOUNT_FILE_BYTES => {
            Ok(Some(std::fs::read_to_string(path)?))
        }
        Ok(_) => Err(std::io::Error::other("not a small file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn first_group(pattern: &Pattern, text: &str) -> Option<String> {
    Some(pattern.captures(text)?.get(1)?.as_str().to_owned())
}

/// The answer of a provider whose credentials file says it; nothing when a command does.
pub(crate) fn read_file_answer(command: &StatusCommand, folder: &Path) -> Option<Answer> {
    let StatusCommand::File { file, signed_in, method, account } = command else { return None };
    Some(match read_text(&folder.join(file)) {
        Ok(Some(text)) if signed_in.is_match(&text) => Answer {
            connected: Some(true),
            method: Some(method.clone()),
            account: account.as_ref().and_then(|pattern| first_group(pattern, &text)),
            ..Answer::default()
        },
        Ok(_) => Answer { connected: Some(false), ..Answer::default() },
        Err(error) => Answer::unknown(format!("{file} cannot be read: {error}")),
    })
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
    crate::redact::Redactor::default().line(line.trim())
}

/// What a version other than the tested one means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionFacts {
    pub(crate) note: Option<String>,
    pub(crate) is_older: bool,
    pub(crate) is_too_old: bool,
}

impl VersionFacts {
    pub(crate) fn of(version: Option<&str>, install: &Install) -> Self {
        let number = |text: &str| -> Option<Vec<u64>> {
            text.split('.').map(|part| part.parse().ok()).collect()
        };
        let Install { tested, oldest, .. } = install;
        let (Some(found), Some(known)) = (version.and_then(number), number(tested)) else {
            return Self::default();
        };
        let is_too_old = oldest.as_deref().and_then(number).is_some_and(|oldest| found < oldest);
        let (is_older, note) = match found.cmp(&known) {
            Ordering::Equal => (false, None),
            Ordering::Less if is_too_old => {
                (true, Some(format!("too old to sign in this way; Room was tested with {tested}")))
            }
            Ordering::Less => {
                (true, Some(format!("older than {tested}, which Room was tested with")))
            }
            Ordering::Greater => {
                (false, Some(format!("newer than {tested}, which Room was tested with")))
            }
        };
        Self { note, is_older, is_too_old }
    }
}

/// The first dotted number of a `--version` answer.
pub(crate) fn read_version(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find(|word| word.split('.').filter(|part| !part.is_empty()).count() >= 3)
        .map(|word| word.trim_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Exit;
    use crate::provider;

    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        Output {
            exit: Exit { code: Some(code), signal: None },
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            timed_out: false,
        }
    }

    #[track_caller]
    fn check(provider: usize, output: &Output, connected: Option<bool>, method: Option<&str>) {
        let row = &provider::built_in()[provider];
        let answer = read_answer(&row.status, output, Path::new("/nonexistent"));
        assert_eq!(answer.connected, connected, "{answer:?}");
        assert_eq!(answer.method.as_deref(), method);
        assert_eq!(answer.error.is_some(), connected.is_none());
    }

    #[test]
    fn codex_answers_in_words() {
        check(0, &output(1, "", "Not logged in\n"), Some(false), None);
        check(0, &output(0, "", "Logged in using ChatGPT\n"), Some(true), Some("chatgpt"));
        check(
            0,
            &output(0, "", "API key configured - sk-mock-***bcdef\n"),
            Some(true),
            Some("api_key"),
        );
        check(0, &output(1, "", "Error checking login status: failed to deserialize"), None, None);
        check(0, &output(0, "", "a new wording"), None, None);
    }

    #[test]
    fn claude_answers_in_json() {
        let signed_in = r#"{"loggedIn": true, "authMethod": "claude.ai", "email": "a@b.example"}"#;
        check(1, &output(0, signed_in, ""), Some(true), Some("claude.ai"));
        check(1, &output(1, r#"{"loggedIn":false,"authMethod":"none"}"#, ""), Some(false), None);
        check(1, &output(1, "crashed", ""), None, None);
        check(1, &output(0, "{}", ""), None, None);
        for (at, seconds) in
            [(r#""2027-01-01T00:00:00.000Z""#, 1_798_761_600), ("1798761600000", 1_798_761_600)]
        {
            let text =
                format!(r#"{{"loggedIn":true,"authMethod":"claude.ai","loginExpiresAt":{at}}}"#);
            let row = &provider::built_in()[1];
            let answer = read_answer(&row.status, &output(0, &text, ""), Path::new("/nonexistent"));
            assert_eq!(answer.expires_at, Timestamp::from_second(seconds).ok());
        }
    }

    #[test]
    fn an_account_is_read_from_the_stored_token() {
        let dir = tempfile::tempdir().unwrap();
        let claims =
            r#"{"email":"p@x.example","https://api.openai.com/auth":{"chatgpt_plan_type":"plus"}}"#;
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let stored = serde_json::json!({"tokens": {"id_token": token}}).to_string();
        std::fs::write(dir.path().join("auth.json"), stored).unwrap();
        let row = &provider::built_in()[0];
        let answer =
            read_answer(&row.status, &output(0, "", "Logged in using ChatGPT"), dir.path());
        assert_eq!(answer.account.as_deref(), Some("p@x.example"));
        assert_eq!(answer.plan.as_deref(), Some("plus"));
    }

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(read_version("codex-cli 0.169.0\n").as_deref(), Some("0.169.0"));
        assert_eq!(read_version("2.1.330 (Claude Code)").as_deref(), Some("2.1.330"));
        assert_eq!(read_version("no number"), None);
        let claude = &provider::built_in()[1].install;
        let facts = |version| VersionFacts::of(version, claude);
        let note = |version| facts(Some(version)).note.unwrap_or_default();
        assert_eq!(facts(Some("2.1.330")), VersionFacts::default());
        assert_eq!(facts(None), VersionFacts::default());
        assert_eq!(facts(Some("two")), VersionFacts::default());
        assert!(note("2.1.300").starts_with("older") && !facts(Some("2.1.300")).is_too_old);
        assert!(note("2.1.99").starts_with("too old") && facts(Some("2.1.99")).is_too_old);
        assert!(note("2.2.0").starts_with("newer") && !facts(Some("2.2.0")).is_older);
    }
}
