//! How `codex` and `claude` differ: data in `providers/*.toml`, read here, with no branches elsewhere.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde::Deserialize;

/// The rows this crate ships, in the order a person sees them.
pub fn built_in() -> &'static [Arc<Provider>] {
    static ROWS: LazyLock<Vec<Arc<Provider>>> = LazyLock::new(|| {
        [include_str!("../providers/codex.toml"), include_str!("../providers/claude.toml")]
            .into_iter()
            .map(|text| Arc::new(Provider::parse(text).expect("built-in rows are tested")))
            .collect()
    });
    &ROWS
}

/// One provider: a program that can sign itself in, and everything Room must know about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name in routes and channels: lower-case letters, digits and dashes.
    pub id: String,
    /// The name a person reads.
    pub name: String,
    /// Whose servers it signs in at.
    pub vendor: String,
    /// What a person signs in with, in a few words.
    pub plans: String,
    /// The executable looked up on `PATH`.
    pub program: String,
    /// The npm package that installs it.
    pub package: String,
    /// The version these rules were measured with.
    pub tested: String,
    /// The only hosts a sign-in link may lead to.
    pub hosts: Vec<String>,
    /// What a person must have switched on first.
    #[serde(default)]
    pub prerequisite: Option<Prerequisite>,
    /// The ways to sign in, the best first.
    #[serde(rename = "method")]
    pub methods: Vec<Method>,
    /// Where the credentials live.
    pub home: Home,
    /// How to ask whether it is signed in.
    pub status: StatusCommand,
    /// How to sign out.
    pub logout: Logout,
    /// What to look for on its screen.
    pub scan: ScanRules,
    /// What its failures say, most particular first.
    #[serde(default, rename = "failure")]
    pub failures: Vec<FailureRule>,
}

impl Provider {
    /// Reads one row.
    ///
    /// # Errors
    /// The TOML error, with its line, when the row is not one.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The method of that name, or the default one.
    pub fn method(&self, id: Option<&str>) -> Option<&Method> {
        match id {
            Some(id) => self.methods.iter().find(|method| method.id == id),
            None => self.methods.first(),
        }
    }

    /// How a person installs the program.
    pub fn install_command(&self) -> String {
        format!("npm install -g {}@{}", self.package, self.tested)
    }
}

/// Something to switch on at the vendor before a sign-in can work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// What to do, in a sentence.
    pub text: String,
    /// Where to do it.
    pub url: String,
}

/// One way to sign in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The name in the API.
    pub id: String,
    /// The name a person reads.
    pub label: String,
    /// What the person has to do.
    pub kind: MethodKind,
    /// The arguments after the program.
    pub args: Vec<String>,
    /// How long the vendor honours the code it shows, in seconds from when it is shown.
    #[serde(default)]
    pub code_lifetime_s: Option<u32>,
}

/// What a person does to approve a sign-in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// Opens a link and types the code that is shown.
    DeviceCode,
    /// Opens a link and pastes back the code the page gives.
    PastedCode,
}

/// Where a program keeps its credentials and how a sign-in treats what is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// The variable that moves it.
    pub variable: String,
    /// Its folder below the person's home.
    pub folder: String,
    /// Whether a sign-in may run in it.
    pub strategy: HomeStrategy,
    /// Files a scratch home starts with, below the folder.
    #[serde(default)]
    pub settings: Vec<String>,
    /// Arguments added in a scratch home only.
    #[serde(default)]
    pub scratch_args: Vec<String>,
    /// A setting of the program that keeps a sign-in out of a scratch home.
    #[serde(default)]
    pub store_setting: Option<StoreSetting>,
    /// The credential files, below the folder.
    pub credentials: Vec<String>,
}

/// The program's own setting for where credentials go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSetting {
    /// The TOML settings file, below the folder.
    pub file: String,
    /// The top-level key.
    pub key: String,
    /// The value (also meant when the key is absent) that stores them in the credential files.
    pub in_files: String,
}

/// Whether a sign-in runs where the earlier one is stored.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum HomeStrategy {
    /// The program keeps the earlier sign-in until the new one is there.
    InPlace,
    /// The program deletes the earlier sign-in at its start: run it elsewhere, move the result in.
    Scratch,
}

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

/// What the detector looks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanRules {
    /// What a sign-in link looks like, on one of the provider's hosts.
    pub links: Vec<LinkRule>,
    /// Paths that are never a sign-in link, whatever else matches.
    #[serde(default = "ScanRules::default_ignore")]
    pub ignore: Pattern,
    /// Words before a link, on its line, that make it part of an error.
    #[serde(default = "ScanRules::default_errors")]
    pub errors: Pattern,
    /// Words before a link, on its line, that invite to open it, whatever else the line says.
    #[serde(default = "ScanRules::default_invitations")]
    pub invitations: Pattern,
    /// The shape of a device code, whole; none where there are no codes.
    #[serde(default)]
    pub code: Option<Pattern>,
    /// What announces a device code, on its line or up to eight rows above.
    #[serde(default = "ScanRules::default_code_labels")]
    pub code_labels: Pattern,
    /// The query parameter whose value binds a pasted code to the link that was shown.
    #[serde(default)]
    pub state: Option<String>,
    /// Addresses the vendor's page may lead to, whose query holds the code and the state.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// Prompts for a pasted code.
    #[serde(default)]
    pub paste_prompts: Vec<Pattern>,
    /// Texts that refuse a pasted code while the program goes on waiting, without a new prompt.
    #[serde(default)]
    pub refusals: Vec<Pattern>,
    /// Texts that say that the program has what it needs and stores it.
    #[serde(default)]
    pub stored: Vec<Pattern>,
}

impl ScanRules {
    fn default_ignore() -> Pattern {
        Pattern::built_in(
            "(?i)/oauth/token|/deviceauth/|/(docs?|tos|terms|privacy|legal|settings|security|help|support)(/|$|[-.])",
        )
    }

    fn default_errors() -> Pattern {
        Pattern::built_in(
            r"(?i)\b(error|failed|failure|couldn['’]t|could not|cannot|can['’]t|unable|refused|denied|invalid)\b",
        )
    }

    fn default_invitations() -> Pattern {
        Pattern::built_in(
            r"(?i)\b(visit|navigate to|go to|sign in at|log in at|open (this|the|it|url)|use (this|the)|browser|manually|automatically)\b",
        )
    }

    fn default_code_labels() -> Pattern {
        Pattern::built_in(
            r"(?i)\b(one[- ]\s*time\s+code|(enter|type|use)\s+((this|the|your|following)\s+)*code|user\s*code|verification\s+code|device\s+code\s*:)",
        )
    }
}

/// A kind of sign-in link.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRule {
    /// Whole segments of its path.
    pub path: String,
    /// What a whole link has somewhere; without it, it is cut off.
    #[serde(default)]
    pub complete: Option<Pattern>,
    /// How a link ends that is surely whole, even when nothing follows it.
    #[serde(default)]
    pub whole: Option<Pattern>,
}

/// A failure's wording and what it means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRule {
    /// What the program says.
    pub pattern: Pattern,
    /// What it means.
    pub code: crate::FailureCode,
}

/// A regular expression as it stands in a row; clones share it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Arc<Regex>);

impl Pattern {
    /// A pattern of this crate's own.
    fn built_in(text: &str) -> Self {
        Self(Arc::new(Regex::new(text).expect("built-in patterns are tested")))
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(|regex| Self(Arc::new(regex)))
    }
}

impl std::ops::Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_rows_are_whole() {
        for row in built_in() {
            assert!(row.method(None).is_some(), "{} has a default method", row.id);
            assert!(row.method(Some("no such")).is_none());
            assert!(!row.hosts.is_empty(), "{} names its hosts", row.id);
        }
    }
}
