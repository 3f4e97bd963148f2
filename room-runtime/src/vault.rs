//! Providers' keys over a restart: sealed in the database, or in memory only when there is nothing
//! to seal them with.

pub mod seal;

use jiff::Timestamp;
use provider_sessions::key::{HeldKey, KeyKeeper, Later, Storage};
use secrecy::ExposeSecret as _;

use self::seal::{Opened, Place, Sealer};
use crate::store::{KeyRow, Store};

/// Keeps keys in the database.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    sealer: Option<Sealer>,
    /// Whose keys they are: this Room's name, so that no other can be given them.
    owner: String,
}

impl Vault {
    /// Without a sealer nothing is written.
    pub fn new(store: Store, sealer: Option<Sealer>, owner: String) -> Self {
        Self { store, sealer, owner }
    }

    /// The keys that can be opened. One that was sealed with the secret before is sealed anew; one
    /// that cannot be opened stays where it is, for the secret may come back.
    pub async fn load(&self) -> Vec<(String, HeldKey)> {
        let rows = match self.store.provider_keys().await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "the providers' keys could not be read");
                return Vec::new();
            }
        };
        let mut keys = Vec::new();
        for row in rows {
            let Some(sealer) = &self.sealer else {
                tracing::warn!(
                    provider = row.provider,
                    "a sealed key cannot be opened: ROOM_ENCRYPTION_KEY is not set"
                );
                continue;
            };
            let place = self.place(&row.provider, &row.kind);
            let Some(Opened { secret, is_current }) = sealer.open(&place, &row.sealed) else {
                tracing::warn!(
                    provider = row.provider,
                    "a sealed key cannot be opened with this ROOM_ENCRYPTION_KEY"
                );
                continue;
            };
            let key = HeldKey { kind: row.kind, secret, stored_at: row.stored_at };
            if !is_current && let Err(error) = self.write(&row.provider, &key, sealer).await {
                tracing::warn!(provider = row.provider, error, "a key was not sealed anew");
            }
            keys.push((row.provider, key));
        }
        keys
    }

    fn place<'a>(&'a self, provider: &'a str, kind: &'a str) -> Place<'a> {
        Place { provider, kind, owner: &self.owner }
    }

    async fn write(&self, provider: &str, key: &HeldKey, sealer: &Sealer) -> Result<(), String> {
        let place = self.place(provider, &key.kind);
        let row = KeyRow {
            provider: provider.to_owned(),
            kind: key.kind.clone(),
            stored_at: Timestamp::from_millisecond(key.stored_at.as_millisecond())
                .unwrap_or_default(),
            sealed: sealer.seal(&place, key.secret.expose_secret()),
        };
        self.store.put_provider_key(&row).await.map_err(|error| error.to_string())
    }
}

impl KeyKeeper for Vault {
    fn keep<'a>(
        &'a self,
        provider: &'a str,
        key: &'a HeldKey,
    ) -> Later<'a, Result<Storage, String>> {
        Box::pin(async move {
            if let Some(sealer) = &self.sealer {
                self.write(provider, key, sealer).await?;
                return Ok(Storage::Sealed);
            }
            // An older one must not come back when this one is gone.
            self.forget(provider).await?;
            Ok(Storage::Memory)
        })
    }

    fn forget<'a>(&'a self, provider: &'a str) -> Later<'a, Result<(), String>> {
        Box::pin(async move {
            let gone = self.store.delete_provider_key(provider).await;
            gone.map_err(|error| error.to_string())
        })
    }
}

/// Whether a sealed key can be opened.
pub fn opens(sealer: &Sealer, owner: &str, row: &KeyRow) -> bool {
    let place = Place { provider: &row.provider, kind: &row.kind, owner };
    sealer.open(&place, &row.sealed).is_some()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::store;

    const OLD: &str = "an old secret of at least 32 bytes";
    const NEW: &str = "the new secret of at least 32 bytes";

    async fn vault(directory: &std::path::Path, secrets: &[&str]) -> Vault {
        let store = Store::open(&directory.join(store::FILE)).await.unwrap();
        let secrets: Vec<SecretString> = secrets.iter().map(|&text| text.into()).collect();
        Vault::new(store, Sealer::new(&secrets), "room-1".to_owned())
    }

    fn key(text: &str) -> HeldKey {
        HeldKey {
            kind: "api_key".into(),
            secret: text.into(),
            stored_at: Timestamp::from_second(1_795_000_000).unwrap(),
        }
    }

    async fn found(vault: &Vault) -> Vec<(String, String)> {
        let keys = vault.load().await;
        keys.into_iter().map(|(row, key)| (row, key.secret.expose_secret().to_owned())).collect()
    }

    fn one(text: &str) -> Vec<(String, String)> {
        vec![("claude".to_owned(), text.to_owned())]
    }

    #[tokio::test]
    async fn a_sealed_key_outlives_a_restart_and_the_roll_of_its_secret() {
        let temp = tempfile::tempdir().unwrap();
        let first = vault(temp.path(), &[OLD]).await;
        assert_eq!(first.keep("claude", &key("sk-ant-1")).await, Ok(Storage::Sealed));
        let on_disk = first.store.provider_keys().await.unwrap();
        let there = |text: &[u8]| on_disk[0].sealed.windows(text.len()).any(|part| part == text);
        assert!(!there(b"sk-ant-1") && !there(OLD.as_bytes()));
        drop(first);

        assert_eq!(found(&vault(temp.path(), &[NEW]).await).await, []);
        assert_eq!(found(&vault(temp.path(), &[]).await).await, []);
        assert_eq!(found(&vault(temp.path(), &[NEW, OLD]).await).await, one("sk-ant-1"));
        assert_eq!(found(&vault(temp.path(), &[NEW]).await).await, one("sk-ant-1"), "sealed anew");
        assert_eq!(found(&vault(temp.path(), &[OLD]).await).await, []);
    }

    #[tokio::test]
    async fn without_a_secret_nothing_is_written_and_nothing_older_comes_back() {
        let temp = tempfile::tempdir().unwrap();
        let sealed = vault(temp.path(), &[OLD]).await;
        sealed.keep("claude", &key("sk-ant-1")).await.unwrap();
        let open = vault(temp.path(), &[]).await;
        assert_eq!(open.keep("claude", &key("sk-ant-2")).await, Ok(Storage::Memory));
        assert_eq!(found(&sealed).await, []);
    }

    #[tokio::test]
    async fn a_forgotten_key_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let vault = vault(temp.path(), &[OLD]).await;
        vault.keep("claude", &key("sk-ant-1")).await.unwrap();
        vault.keep("claude", &key("sk-ant-2")).await.unwrap();
        assert_eq!(found(&vault).await, one("sk-ant-2"));
        vault.forget("claude").await.unwrap();
        vault.forget("claude").await.unwrap();
        assert_eq!(found(&vault).await, []);
    }

    #[tokio::test]
    async fn a_row_that_was_moved_opens_nowhere() {
        let temp = tempfile::tempdir().unwrap();
        let vault = vault(temp.path(), &[OLD]).await;
        vault.keep("claude", &key("sk-ant-1")).await.unwrap();
        let mut row = vault.store.provider_keys().await.unwrap().remove(0);
        row.provider = "codex".into();
        vault.store.put_provider_key(&row).await.unwrap();
        assert_eq!(found(&vault).await, one("sk-ant-1"));
        let elsewhere = Vault { owner: "room-2".into(), ..vault };
        assert_eq!(found(&elsewhere).await, []);
    }
}
