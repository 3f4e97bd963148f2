//! What a person says to a sign-in: how it shall go, what was pasted, and a line for a program that
//! Room does not understand.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

use super::{ConnectOptions, Handed, SessionManager};
use crate::error::SessionError;
use crate::login::Input;
use crate::paste::{LONGEST, clean_paste};
use crate::provider::{Method, MethodKind, Provider};
use crate::session::{SessionId, SessionView};

/// The method a person chose, with what they said about it.
pub(super) fn chosen(row: &Provider, options: &ConnectOptions) -> Result<Method, SessionError> {
    let method = row.method(options.method.as_deref());
    // Without a way to open the address it could not be finished.
    let method =
        method.filter(|method| cfg!(feature = "http") || method.kind != MethodKind::PastedCallback);
    let mut method = method.ok_or(SessionError::UnknownMethod)?.clone();
    if let Some(email) = &options.email {
        if !method.takes_email() || !is_email(email) {
            return Err(SessionError::BadEmail);
        }
        method.args = method.args_with(Some(email));
    }
    Ok(method)
}

/// Near enough: it must not be taken for an option of the program, and the vendor decides.
fn is_email(text: &str) -> bool {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^[A-Za-z0-9_][A-Za-z0-9._%+'-]{0,63}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,63}$",
        )
        .expect("tested")
    });
    SHAPE.is_match(text)
}

impl SessionManager {
    /// Hands what was pasted to the program that asks for it.
    ///
    /// # Errors
    /// No such sign-in, it is over, nothing is asked for, or the text cannot be right; then the
    /// program has not seen it.
    pub fn input(&self, id: SessionId, text: &str) -> Result<SessionView, SessionError> {
        let live = self.0.session(id)?;
        let row = self.0.row_of(&live);
        let mut login = live.login();
        let view = login.view();
        if !view.is_active() {
            return Err(SessionError::Over);
        }
        if !view.awaiting_input {
            return Err(SessionError::NotAsked);
        }
        let method = row.method(Some(&view.method)).ok_or(SessionError::UnknownMethod)?;
        let paste = clean_paste(method, &row.scan, view.verification_url.as_deref(), text)?;
        if !live.hand(Handed::Paste(paste)) {
            return Err(SessionError::NotAsked);
        }
        if login.apply(Input::Pasted, &row, Timestamp::now()) {
            self.0.observer.status(login.view());
        }
        Ok(login.view().clone())
    }

    /// Types a line into a program that asks something Room does not know, and Enter after it; an
    /// empty line is Enter alone. The line is masked like a secret, for it may be one.
    ///
    /// # Errors
    /// No such sign-in, it is over, the program is understood, or the text is no line.
    pub fn input_raw(
        &self,
        id: SessionId,
        text: &SecretString,
    ) -> Result<SessionView, SessionError> {
        let live = self.0.session(id)?;
        let login = live.login();
        let view = login.view();
        if !view.is_active() {
            return Err(SessionError::Over);
        }
        if view.notice.is_none() {
            return Err(SessionError::NotStuck);
        }
        let typed = text.expose_secret();
        if typed.chars().count() > LONGEST || typed.chars().any(char::is_control) {
            return Err(SessionError::BadAnswer);
        }
        if !live.hand(Handed::Line(text.clone())) {
            return Err(SessionError::NotStuck);
        }
        Ok(view.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_person_is_never_an_option() {
        for good in ["ada@example.com", "a.b+c@sub.example.co", "_x@y-z.io", "o'hara@example.ie"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "ada", "--sso@example.com", "-a@b.cc", "a b@c.dd", "a@b", "a@b.c\n", "a@b;c.dd"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
