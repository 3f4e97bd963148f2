//! The people of a hosted Room, their devices, and what has been revoked.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use room_auth::revocation::{Revocation, Target};
use room_auth::{Identity, Profile, Role, TokenHash};
use sqlx::{FromRow, SqliteConnection};

use super::{Store, StoreError, time};
use crate::cloud::devices::{Device, Grounds, Person};

/// Everything that has to be known at start.
#[derive(Debug, Default)]
pub struct CloudRows {
    /// Who has devices.
    pub people: Vec<Person>,
    /// Their devices.
    pub devices: Vec<Device>,
    /// What is revoked.
    pub revocations: Vec<Revocation>,
    /// Since the last restore: whatever an issuer gave out before is good for nothing.
    pub tokens_not_before: Option<Timestamp>,
}

#[derive(FromRow)]
struct PersonRow {
    issuer: String,
    subject: String,
    role: String,
    name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    granted_at: i64,
}

#[derive(FromRow)]
struct DeviceRow {
    id: String,
    token_hash: Vec<u8>,
    issuer: String,
    subject: String,
    name: String,
    paired_from: Option<String>,
    gate: Option<String>,
    token_id: Option<String>,
    key_id: Option<String>,
    thumbprint: Option<String>,
    session_id: Option<String>,
    issued_at: i64,
    created_at: i64,
    last_used_at: i64,
}

impl Store {
    /// Reads everyone back. A row that this version cannot read lets nobody in.
    ///
    /// # Errors
    /// The disk.
    pub async fn load_cloud(&self, now: Timestamp) -> Result<CloudRows, StoreError> {
        sqlx::query("DELETE FROM traded WHERE until < ?")
            .bind(now.as_millisecond())
            .execute(&self.pool)
            .await?;
        let people: Vec<PersonRow> =
            sqlx::query_as("SELECT * FROM people").fetch_all(&self.pool).await?;
        let devices: Vec<DeviceRow> =
            sqlx::query_as("SELECT * FROM devices").fetch_all(&self.pool).await?;
        let revocations: Vec<(String, String, String, i64)> =
            sqlx::query_as("SELECT issuer, kind, name, not_before FROM revocations")
                .fetch_all(&self.pool)
                .await?;
        let mut kept = Vec::new();
        for (issuer, kind, name, not_before) in revocations {
            let Some(revocation) = revocation(&issuer, &kind, &name, not_before) else { continue };
            let over = revocation.expires_at().and_then(|at| Timestamp::try_from(at).ok());
            if over.is_none_or(|over| over > now) {
                kept.push(revocation);
                continue;
            }
            sqlx::query("DELETE FROM revocations WHERE issuer = ? AND kind = ? AND name = ?")
                .bind(&issuer)
                .bind(&kind)
                .bind(&name)
                .execute(&self.pool)
                .await?;
        }
        let not_before: i64 = sqlx::query_scalar("SELECT tokens_not_before FROM instance")
            .fetch_one(&self.pool)
            .await?;
        Ok(CloudRows {
            tokens_not_before: (not_before > 0).then(|| time(not_before)),
            people: people.into_iter().filter_map(person).collect(),
            devices: devices.into_iter().filter_map(device).collect(),
            revocations: kept,
        })
    }

    /// Signs a device in, with what is known of its person, in one step. `traded` is the token that
    /// is used up by it, and until when it could be traded again.
    ///
    /// # Errors
    /// The disk. `Ok(false)`: the token was traded before, and nothing was done.
    pub async fn sign_device_in(
        &self,
        person: &Person,
        device: &Device,
        traded: Option<(&TokenHash, Timestamp)>,
        gone: &[String],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        if let Some((token, until)) = traded {
            let done = sqlx::query("INSERT OR IGNORE INTO traded (token, until) VALUES (?, ?)")
                .bind(token.as_bytes().as_slice())
                .bind(until.as_millisecond())
                .execute(&mut *transaction)
                .await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
        }
        delete_devices(&mut transaction, gone).await?;
        put_person(&mut transaction, person).await?;
        put_device(&mut transaction, device).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Notes that a device was used.
    ///
    /// # Errors
    /// The disk.
    pub async fn touch_device(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET last_used_at = ? WHERE id = ?")
            .bind(now.as_millisecond())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Signs devices out, and keeps what was revoked, in one step.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_devices(
        &self,
        devices: &[String],
        revoked: Option<&Revocation>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(revocation) = revoked {
            let (kind, name) = kind(&revocation.target);
            let not_before = Timestamp::try_from(revocation.not_before).unwrap_or(Timestamp::MAX);
            sqlx::query(
                "INSERT INTO revocations (issuer, kind, name, not_before) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET not_before = max(not_before, excluded.not_before)",
            )
            .bind(&revocation.issuer)
            .bind(kind)
            .bind(name)
            .bind(not_before.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        }
        delete_devices(&mut transaction, devices).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Signs everyone out; revocations stay.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_everyone(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM devices").execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM people").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// How many devices are signed in.
    ///
    /// # Errors
    /// The disk.
    pub async fn count_devices(&self) -> Result<i64, StoreError> {
        let count =
            sqlx::query_scalar("SELECT count(*) FROM devices").fetch_one(&self.pool).await?;
        Ok(count)
    }
}

async fn put_person(to: &mut SqliteConnection, person: &Person) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO people (issuer, subject, role, name, email, email_verified, granted_at)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET role = excluded.role,
         name = excluded.name, email = excluded.email, email_verified = excluded.email_verified,
         granted_at = excluded.granted_at",
    )
    .bind(&person.identity.issuer)
    .bind(&person.identity.subject)
    .bind(person.role.as_str())
    .bind(&person.profile.name)
    .bind(&person.profile.email)
    .bind(person.profile.email_verified)
    .bind(person.granted_at.as_millisecond())
    .execute(to)
    .await?;
    Ok(())
}

async fn put_device(to: &mut SqliteConnection, device: &Device) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR REPLACE INTO devices (id, token_hash, issuer, subject, name, paired_from, gate,
         token_id, key_id, thumbprint, session_id, issued_at, created_at, last_used_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&device.id)
    .bind(device.hash.as_bytes().as_slice())
    .bind(&device.identity.issuer)
    .bind(&device.identity.subject)
    .bind(&device.name)
    .bind(&device.paired_from)
    .bind(&device.gate)
    .bind(&device.grounds.token_id)
    .bind(&device.grounds.key_id)
    .bind(&device.grounds.thumbprint)
    .bind(&device.grounds.session_id)
    .bind(device.grounds.issued_at.as_millisecond())
    .bind(device.created_at.as_millisecond())
    .bind(device.last_used_at.as_millisecond())
    .execute(to)
    .await?;
    Ok(())
}

async fn delete_devices(from: &mut SqliteConnection, ids: &[String]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    for id in ids {
        sqlx::query("DELETE FROM devices WHERE id = ?").bind(id).execute(&mut *from).await?;
    }
    sqlx::query(
        "DELETE FROM people WHERE NOT EXISTS (SELECT 1 FROM devices
         WHERE devices.issuer = people.issuer AND devices.subject = people.subject)",
    )
    .execute(&mut *from)
    .await?;
    Ok(())
}

fn person(row: PersonRow) -> Option<Person> {
    Some(Person {
        identity: Identity { issuer: row.issuer, subject: row.subject },
        role: Role::parse(&row.role)?,
        profile: Profile { email: row.email, email_verified: row.email_verified, name: row.name },
        granted_at: time(row.granted_at),
    })
}

fn device(row: DeviceRow) -> Option<Device> {
    Some(Device {
        id: row.id,
        hash: TokenHash::from_bytes(row.token_hash.try_into().ok()?),
        identity: Identity { issuer: row.issuer, subject: row.subject },
        name: row.name,
        paired_from: row.paired_from,
        gate: row.gate,
        grounds: Grounds {
            token_id: row.token_id,
            key_id: row.key_id,
            thumbprint: row.thumbprint,
            session_id: row.session_id,
            issued_at: time(row.issued_at),
        },
        created_at: time(row.created_at),
        last_used_at: time(row.last_used_at),
    })
}

fn kind(target: &Target) -> (&'static str, &str) {
    match target {
        Target::Token(id) => ("token", id),
        Target::Subject(subject) => ("subject", subject),
        Target::Session(id) => ("session", id),
        Target::Key(id) => ("key", id),
        Target::Instance => ("instance", ""),
    }
}

fn revocation(issuer: &str, kind: &str, name: &str, not_before: i64) -> Option<Revocation> {
    let name = name.to_owned();
    let target = match kind {
        "token" => Target::Token(name),
        "subject" => Target::Subject(name),
        "session" => Target::Session(name),
        "key" => Target::Key(name),
        "instance" => Target::Instance,
        _ => return None,
    };
    let since = Duration::from_millis(u64::try_from(not_before).ok()?);
    Some(Revocation {
        issuer: issuer.to_owned(),
        target,
        not_before: SystemTime::UNIX_EPOCH + since,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str, not_before: Timestamp) -> Revocation {
        Revocation {
            issuer: "https://id.example".into(),
            target: Target::Subject(name.into()),
            not_before: not_before.into(),
        }
    }

    #[tokio::test]
    async fn a_revocation_is_kept_for_as_long_as_it_can_name_something() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("room.db")).await.unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let old = now - Duration::from_hours(48);
        let key = Revocation { target: Target::Key("k".into()), ..subject("", old) };
        for one in [&subject("ada", now), &subject("grace", old), &key] {
            store.end_devices(&[], Some(one)).await.unwrap();
        }
        for _ in 0..2 {
            let mut kept = store.load_cloud(now).await.unwrap().revocations;
            kept.sort_by_key(|one| one.not_before);
            assert_eq!(kept, [key.clone(), subject("ada", now)], "a key is never forgotten");
        }
    }
}
