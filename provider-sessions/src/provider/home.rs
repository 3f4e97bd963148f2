//! Where a program keeps its credentials.

use serde::Deserialize;

/// Where a program keeps its credentials and how a sign-in treats what is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// The variable that moves it; none where only the person's whole home can be moved.
    #[serde(default)]
    pub variable: Option<String>,
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
