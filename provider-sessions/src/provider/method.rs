//! The ways to sign in.

use serde::Deserialize;

/// What stands in [`Method::email_args`] where the address goes.
const EMAIL: &str = "{email}";

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
    /// Arguments that follow when the person gave an e-mail address, `{email}` standing for it;
    /// empty where the method takes none. An address is never needed.
    #[serde(default)]
    pub email_args: Vec<String>,
    /// What success leaves behind.
    #[serde(default)]
    pub yields: Yields,
    /// How the program ends when it is signed in.
    #[serde(default)]
    pub ends: Ends,
    /// How long the vendor honours the code it shows, in seconds from when it is shown.
    #[serde(default)]
    pub code_lifetime_s: Option<u32>,
}

impl Method {
    /// Whether a person may give an e-mail address.
    pub fn takes_email(&self) -> bool {
        !self.email_args.is_empty()
    }

    /// The arguments after the program, with the e-mail address if the method takes one.
    pub fn args_with(&self, email: Option<&str>) -> Vec<String> {
        let mut args = self.args.clone();
        if let Some(email) = email {
            args.extend(self.email_args.iter().map(|argument| argument.replace(EMAIL, email)));
        }
        args
    }
}

/// What a person does to approve a sign-in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// Opens a link and types the code that is shown.
    DeviceCode,
    /// Opens a link and pastes back the code the page gives.
    PastedCode,
    /// Opens a link, ends on a page of the program's own machine that does not load, and pastes
    /// back that page's address, which is then asked for on the machine itself.
    PastedCallback,
}

/// What a sign-in leaves behind.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Yields {
    /// The program is signed in: its credentials are stored, its status command says so.
    #[default]
    SignIn,
    /// A long-lived token, printed on the screen and stored nowhere: [`ScanRules::token`] says
    /// what it looks like.
    ///
    /// [`ScanRules::token`]: super::ScanRules::token
    Token,
}

/// How a program ends when it is signed in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// By itself, with exit code 0.
    #[default]
    Exit,
    /// Not at all, it goes on as a chat: Room ends it once the credentials are stored.
    Stored,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_argument_of_its_own() {
        let mut method: Method = toml::from_str(
            r#"
            id = "sso"
            label = "SSO"
            kind = "pasted_code"
            args = ["login", "--sso"]
            email_args = ["--email", "{email}"]
            "#,
        )
        .unwrap();
        assert!(method.takes_email());
        assert_eq!(method.args_with(None), ["login", "--sso"]);
        assert_eq!(method.args_with(Some("a b@c")), ["login", "--sso", "--email", "a b@c"]);
        method.email_args.clear();
        assert!(!method.takes_email());
        assert_eq!(method.args_with(Some("a@c")), ["login", "--sso"]);
    }
}
