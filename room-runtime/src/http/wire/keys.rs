//! The JSON of providers' keys.

use provider_sessions::key::{KeyStatus, Source, Storage};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProviderStatus, time};

/// What is shown of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    kind: String,
    last4: String,
    stored_at: Option<String>,
    storage: &'static str,
    source: &'static str,
    checked_at: Option<String>,
    valid: Option<bool>,
}

impl From<&KeyStatus> for ApiKey {
    fn from(key: &KeyStatus) -> Self {
        Self {
            kind: key.kind.clone(),
            last4: key.last4.clone(),
            stored_at: key.stored_at.map(time),
            storage: match key.storage {
                Storage::Sealed => "sealed",
                Storage::Memory => "memory",
                Storage::Program => "program",
            },
            source: match key.source {
                Source::Person => "person",
                Source::Settings => "environment",
            },
            checked_at: key.checked_at.map(time),
            valid: key.valid,
        }
    }
}

/// What a vendor says of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyChecked {
    valid: Option<bool>,
    detail: String,
}

impl From<provider_sessions::KeyChecked> for KeyChecked {
    fn from(checked: provider_sessions::KeyChecked) -> Self {
        Self { valid: checked.valid, detail: checked.detail }
    }
}

/// `PUT /api/providers/{p}/api-key`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The key; it is never given back.
    #[schema(value_type = String)]
    pub key: SecretString,
    /// The person agrees that it takes the place of the signed-in account.
    #[serde(default)]
    pub replace: bool,
}

/// Its answer.
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    /// The key is in use.
    pub ok: bool,
    /// Which provider.
    pub provider: String,
    /// How it stands now.
    #[serde(flatten)]
    pub status: ProviderStatus,
}

/// `DELETE /api/providers/{p}/api-key`.
#[derive(Serialize, ToSchema)]
pub struct KeyRemoved {
    /// No key of a person is there any more.
    pub ok: bool,
    /// Which provider.
    pub provider: String,
    /// Whether there was one.
    pub removed: bool,
    /// How it stands now.
    #[serde(flatten)]
    pub status: ProviderStatus,
}
