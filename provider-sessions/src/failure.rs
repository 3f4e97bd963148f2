//! Why a sign-in did not work, in words for a person, with the thing to do next.

use serde::Deserialize;

use crate::provider::Provider;

/// The closed list of reasons; the dashboard has a button for each.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The program runs but has shown no link yet.
    NoAnswer,
    /// The program could not be started.
    LaunchFailed,
    /// The program's vendor could not be reached from this machine.
    Network,
    /// Device codes are switched off for the account or the server.
    DeviceCodesOff,
    /// The code was not approved in time.
    Expired,
    /// The vendor refused the code or the person declined.
    Refused,
    /// The vendor wants fewer attempts.
    RateLimited,
    /// The program ended without saying why.
    ProgramDied,
    /// The program said it was done, its own status command says it is not signed in.
    NotSignedIn,
    /// Room's own limit passed.
    Timeout,
    /// A person cancelled.
    Canceled,
    /// The server ended while the sign-in ran: it was stopped, or killed.
    ServerRestarted,
    /// The credentials could not be written.
    CannotStore,
    /// The program's own settings forbid this way.
    Policy,
    /// The program asked something Room does not know.
    Unrecognised,
    /// What was downloaded is not what the row pins.
    Integrity,
    /// The program does not run on this machine.
    Unsupported,
}

impl FailureCode {
    /// The stable name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::LaunchFailed => "launch_failed",
            Self::Network => "network",
            Self::DeviceCodesOff => "device_codes_off",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::ProgramDied => "program_died",
            Self::NotSignedIn => "not_signed_in",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::ServerRestarted => "server_restarted",
            Self::CannotStore => "cannot_store",
            Self::Policy => "policy",
            Self::Unrecognised => "unrecognised",
            Self::Integrity => "integrity",
            Self::Unsupported => "unsupported",
        }
    }

    /// What the person can do about it, as one sentence.
    pub fn action(self) -> &'static str {
        match self {
            Self::NoAnswer => "Wait a little longer, or cancel and try again.",
            Self::LaunchFailed => "Check that the program is installed and runs in a terminal.",
            Self::Network => "Check this machine's internet connection or proxy, then try again.",
            Self::DeviceCodesOff => "Turn device codes on at the provider, then get a new code.",
            Self::Expired => "Get a new code.",
            Self::Refused => "Start again with a new link or code.",
            Self::RateLimited => "Wait a few minutes, then try again.",
            Self::ProgramDied => "Look at the live output, then start again.",
            Self::NotSignedIn => "Start again; if it happens twice, look at the live output.",
            Self::Timeout => "Start again when you have a few minutes.",
            Self::Canceled => "Start again whenever you like.",
            Self::ServerRestarted => "Start again: Room was restarted meanwhile.",
            Self::CannotStore => "Free disk space or fix the folder's permissions, then try again.",
            Self::Policy => "Use another way to sign in, or change the program's settings.",
            Self::Unrecognised => "Look at the live output for what the program asks.",
            Self::Integrity => "Try again; if it happens twice, install it yourself.",
            Self::Unsupported => "Install it yourself, in a version for this machine.",
        }
    }
}

/// What went wrong, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub code: FailureCode,
    /// One plain sentence that names who did what.
    pub title: String,
    /// What to do next.
    pub action: String,
}

impl Failure {
    /// A failure with the code's own advice.
    pub fn new(code: FailureCode, title: impl Into<String>) -> Self {
        Self { code, title: title.into(), action: code.action().to_owned() }
    }

    /// The failure of that kind in the words for this provider.
    pub fn of(code: FailureCode, provider: &Provider) -> Self {
        let Provider { name, vendor, .. } = provider;
        let title = match code {
            FailureCode::NoAnswer => format!("{name} has not shown a sign-in link yet."),
            FailureCode::LaunchFailed => format!("{name} could not be started."),
            FailureCode::Network => format!("Your Room could not reach {vendor}."),
            FailureCode::DeviceCodesOff => format!("{vendor} does not allow device codes here."),
            FailureCode::Expired => "The code was not approved in time.".to_owned(),
            FailureCode::Refused => format!("{vendor} did not accept this sign-in."),
            FailureCode::RateLimited => format!("{vendor} asks for fewer attempts."),
            FailureCode::ProgramDied => format!("{name} ended before the sign-in was done."),
            FailureCode::NotSignedIn => format!("{name} ended well but is not signed in."),
            FailureCode::Timeout => "The sign-in took too long and was ended.".to_owned(),
            FailureCode::Canceled => "Cancelled. Nothing was stored.".to_owned(),
            FailureCode::ServerRestarted => "Room was restarted during the sign-in.".to_owned(),
            FailureCode::CannotStore => format!("The {name} sign-in could not be stored."),
            FailureCode::Policy => format!("{name}'s own settings forbid this way to sign in."),
            FailureCode::Unrecognised => format!("{name} asks something Room does not know."),
            FailureCode::Integrity => format!("What was downloaded is not the {name} Room knows."),
            FailureCode::Unsupported => format!("{name} does not run on this machine."),
        };
        Self::new(code, title)
    }

    /// The same for an install: whatever was there before is still there.
    pub fn of_install(code: FailureCode, provider: &Provider) -> Self {
        let name = &provider.name;
        let title = match code {
            FailureCode::Network => format!("Your Room could not download {name}."),
            FailureCode::Timeout => "The install took too long and was ended.".to_owned(),
            FailureCode::Canceled => "Cancelled. Nothing was changed.".to_owned(),
            FailureCode::ServerRestarted => "Room was restarted during the install.".to_owned(),
            FailureCode::CannotStore => format!("{name} could not be stored."),
            FailureCode::LaunchFailed => format!("{name} could not be installed."),
            _ => return Self::of(code, provider),
        };
        Self::new(code, title)
    }
}
