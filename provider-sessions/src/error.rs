//! What a caller of [`SessionManager`](crate::SessionManager) may be told.

use crate::home::InPlaceReason;
use crate::paste::PasteError;

/// Why a request about a sign-in was not done; each variant is a different thing to do next.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No row of that name.
    #[error("no such provider")]
    UnknownProvider,
    /// The provider has no sign-in method of that name.
    #[error("no such sign-in method")]
    UnknownMethod,
    /// No such sign-in, or it is long over and forgotten.
    #[error("no such sign-in")]
    UnknownSession,
    /// The program is not on this machine.
    #[error("{program} is not installed on this machine; install it with `{command}`")]
    NotInstalled {
        /// The executable that was looked for.
        program: String,
        /// The command that installs it.
        command: String,
    },
    /// Only a sign-in that ends the earlier one first would work; the person is asked.
    #[error("signing in again signs {name} out first, because {reason}")]
    WouldSignOut {
        /// The provider's name.
        name: String,
        /// Why no scratch home can be used.
        reason: InPlaceReason,
    },
    /// A sign-in runs, and what is asked for would cross it.
    #[error("a sign-in is open; finish or cancel it first")]
    SignInOpen,
    /// The provider takes no key.
    #[error("this provider takes no key")]
    NoKeys,
    /// What was given is no key of this provider.
    #[error("that is no key for {name}: one looks like {formats}")]
    BadKey {
        /// The provider's name.
        name: String,
        /// What its keys look like.
        formats: String,
    },
    /// A key could not be stored; nothing changed.
    #[error("the key was not stored: {reason}")]
    KeyNotStored {
        /// Why, as a fragment.
        reason: String,
    },
    /// A key would not go.
    #[error("the key is still there: {reason}")]
    KeyNotRemoved {
        /// Why, as a fragment.
        reason: String,
    },
    /// The key comes from the server's settings, and would be back at the next start.
    #[error("this key comes from the settings of the server; take it away there")]
    KeyFromSettings,
    /// The sign-in is over.
    #[error("this sign-in is over")]
    Over,
    /// The program does not ask for a code now.
    #[error("no code is asked for right now")]
    NotAsked,
    /// This way to sign in takes no e-mail address, or this is none.
    #[error("that is no e-mail address this way to sign in can use")]
    BadEmail,
    /// The program is understood, so nothing is typed into it as it is.
    #[error("the program does not ask anything that Room does not know")]
    NotStuck,
    /// Not 0 to 512 characters without controls.
    #[error("an answer is one line of at most 512 characters")]
    BadAnswer,
    /// What was pasted cannot be right.
    #[error(transparent)]
    BadPaste(#[from] PasteError),
    /// Room has nothing to install here; a person may.
    #[error("Room cannot install {name} on this machine; install it with `{command}`")]
    NotInstallable {
        /// The provider's name.
        name: String,
        /// The command that installs it.
        command: String,
    },
    /// A sign-in runs the program that would be replaced.
    #[error("{name} is being signed in; install it when that is over")]
    SigningIn {
        /// The provider's name.
        name: String,
    },
    /// The program is being replaced.
    #[error("{name} is being installed; sign in when that is done")]
    Installing {
        /// The provider's name.
        name: String,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}
