//! How a program is asked whether it is signed in, and how it is signed out.

use serde::Deserialize;

use super::Pattern;

/// The program's own answer to "are you signed in".
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case", deny_unknown_fields)]
pub enum StatusCommand {
    /// Exit code 0 and one of the texts.
    Text {
        /// The arguments after the program.
        args: Vec<String>,
        /// Text to method, first match wins.
        when: Vec<StatusText>,
        /// What it says when nobody is signed in; any other text is no answer.
        signed_out: Pattern,
        /// Where the account's name is stored.
        #[serde(default)]
        account: Option<AccountFile>,
    },
    /// A JSON object on standard output; the values are JSON pointers (RFC 6901).
    Json {
        /// The arguments after the program.
        args: Vec<String>,
        /// Pointer to the boolean.
        connected: String,
        /// Pointer to the method's name.
        method: String,
        /// Pointer to the account's e-mail address.
        email: String,
        /// Pointer to the plan's name.
        plan: String,
        /// Pointer to when the sign-in ends: RFC 3339, or milliseconds since 1970.
        #[serde(default)]
        expires: Option<String>,
    },
}

impl StatusCommand {
    /// The arguments after the program.
    pub fn args(&self) -> &[String] {
        match self {
            Self::Text { args, .. } | Self::Json { args, .. } => args,
        }
    }
}

/// One wording of a status answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusText {
    /// What it says.
    pub pattern: Pattern,
    /// The sign-in method that it means.
    pub method: String,
}

/// A file whose JWT names the account; never verified, only shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// The file below the provider's folder.
    pub file: String,
    /// JSON pointer to the JWT.
    pub token: String,
    /// JSON pointer to the e-mail address in its payload.
    pub email: String,
    /// JSON pointer to the plan in its payload.
    pub plan: String,
}

/// How to sign out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// The arguments after the program.
    pub args: Vec<String>,
}
