//! What the detector looks for on a program's screen.

use serde::Deserialize;

use super::Pattern;

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
    /// The page a code is typed on, where the program itself does not print it: offered together
    /// with the code.
    #[serde(default)]
    pub fixed_link: Option<String>,
    /// What announces a device code, on its line or up to eight rows above.
    #[serde(default = "ScanRules::default_code_labels")]
    pub code_labels: Pattern,
    /// The query parameter whose value binds a pasted code to the link that was shown.
    #[serde(default)]
    pub state: Option<String>,
    /// What a pasted code looks like, whole; without it `CODE#STATE`.
    #[serde(default)]
    pub pasted: Option<Pattern>,
    /// Addresses the vendor's page may lead to, whose query holds the code and the state.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// The shape of the token that a method with [`Yields::Token`](super::Yields::Token) prints.
    #[serde(default)]
    pub token: Option<Pattern>,
    /// What Room answers by itself.
    #[serde(default, rename = "answer")]
    pub answers: Vec<AnswerRule>,
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

/// A question that Room answers by itself, so that nobody has to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// The question, as it stands on the screen.
    pub pattern: Pattern,
    /// What is typed.
    pub send: String,
    /// How many times in a sign-in: a question that comes back more often is not understood.
    #[serde(default = "AnswerRule::default_most")]
    pub most: u32,
}

impl AnswerRule {
    fn default_most() -> u32 {
        1
    }
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
