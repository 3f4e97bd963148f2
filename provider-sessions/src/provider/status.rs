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
    /// No command: a credentials file says it.
    File {
        /// The file below the provider's folder.
        file: String,
        /// What stands in it when somebody is signed in.
        signed_in: Pattern,
        /// How they are, then.
        method: String,
        /// Whose account, as the first group.
        #[serde(default)]
        account: Option<Pattern>,
    },
}

impl StatusCommand {
    /// The arguments after the program; nothing where no command is run.
    pub fn args(&self) -> Option<&[String]> {
        match self {
            Self::Text { args, .. } | Self::Json { args, .. } => Some(args),
            Self::File { .. } => None,
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

/// A file that names the account; never verified, only shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "account needs file, token, email and plan, or file and pattern")]
pub enum AccountFile {
    /// By a JWT in a JSON file.
    Jwt(JwtAccount),
    /// By any text.
    Text(TextAccount),
}

/// A JSON file with a JWT whose payload names the account; the values are JSON pointers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtAccount {
    /// The file below the provider's folder.
    pub file: String,
    /// Pointer to the JWT.
    pub token: String,
    /// Pointer to the e-mail address in its payload.
    pub email: String,
    /// Pointer to the plan in its payload.
    pub plan: String,
}

/// A file with the account's name in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextAccount {
    /// The file below the provider's folder.
    pub file: String,
    /// Where the name stands, as the first group.
    pub pattern: Pattern,
}

/// How to sign out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// The arguments after the program; empty where it has no such command, and Room removes the
    /// credential files itself.
    #[serde(default)]
    pub args: Vec<String>,
}
