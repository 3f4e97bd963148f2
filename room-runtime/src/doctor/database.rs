//! The database, what was set aside of it, its backups, and the keys that are sealed in it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Finding;
use crate::backup;
use crate::config::Config;
use crate::store::{self, Looked};
use crate::vault;
use crate::vault::seal::Sealer;

/// How long every page of it may be looked at.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Room makes one a day; two days without is one that failed.
const OLD_BACKUP: Duration = Duration::from_hours(50);

pub(super) async fn look(data_dir: &Path, config: Option<&Config>) -> Vec<Finding> {
    let file = data_dir.join(store::FILE);
    let mut found = set_aside(data_dir);
    if fs::metadata(&file).map_or(0, |found| found.len()) == 0 {
        found.push(if file.exists() && has_log(&file) {
            damaged("it is empty, and its log is not")
        } else {
            Finding::ok("database", "none yet")
        });
        return found;
    }
    let looked = match tokio::time::timeout(PATIENCE, store::look(&file)).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(error)) => {
            found.push(damaged(&error.to_string()));
            return found;
        }
        Err(_) => {
            let what = format!("it takes longer than {PATIENCE:?} to look at");
            found.push(Finding::warn("database", what, "look at the disk's speed"));
            return found;
        }
    };
    found.push(judge(&looked));
    found.push(backups(data_dir, &file));
    found.extend(config.map(|config| sealed_keys(config, &looked)));
    found
}

fn judge(looked: &Looked) -> Finding {
    if let Some(fault) = &looked.fault {
        return damaged(fault);
    }
    match looked.schema {
        Some(schema) if schema > looked.known => Finding::fail(
            "database",
            format!("a newer Room wrote it (schema {schema}, this one knows {})", looked.known),
            "install that version again",
        ),
        Some(schema) => Finding::ok("database", format!("sound, schema {schema}")),
        None => Finding::fail(
            "database",
            "it is not a Room's",
            "move room.db away and start `room` again",
        ),
    }
}

fn damaged(fault: &str) -> Finding {
    Finding::fail(
        "database",
        format!("damaged: {fault}"),
        "restart the server, which sets it aside and takes its last good backup; or `room restore \
         FILE`",
    )
}

fn has_log(file: &Path) -> bool {
    fs::metadata(file.with_file_name("room.db-wal")).is_ok_and(|log| log.len() > 0)
}

/// Databases that were found damaged and put aside.
fn set_aside(data_dir: &Path) -> Vec<Finding> {
    let Ok(entries) = fs::read_dir(data_dir) else { return Vec::new() };
    let prefix = store::damaged_name(Path::new(""), "");
    let prefix = prefix.to_string_lossy().into_owned();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(&prefix))
        .filter(|name| !name.ends_with("-wal"))
        .map(|name| {
            let what = format!("a damaged one was set aside as {name}");
            Finding::warn("database", what, "look at what is missing, then delete that file")
        })
        .collect()
}

fn backups(data_dir: &Path, database: &Path) -> Finding {
    let age = |time: Option<SystemTime>| time.and_then(|time| time.elapsed().ok());
    let changed = |path: &Path| age(fs::metadata(path).and_then(|found| found.modified()).ok());
    let newest = backup::own(data_dir).into_iter().next_back();
    match newest.as_deref().map(changed) {
        Some(Some(age)) if age > OLD_BACKUP => Finding::warn(
            "backups",
            format!("the newest of its own is {} hours old", age.as_secs() / 3600),
            "its log says why none was made since; is the disk full?",
        ),
        Some(_) => Finding::ok("backups", "one of its own from the last days"),
        None => {
            let born = fs::metadata(database).and_then(|found| found.created());
            let old =
                born.ok().and_then(|born| born.elapsed().ok()).is_some_and(|age| age > OLD_BACKUP);
            if old {
                let advice = "its log says why; is the disk full?";
                Finding::warn("backups", "none of its own yet", advice)
            } else {
                Finding::ok("backups", "none of its own yet; the first comes within a day")
            }
        }
    }
}

fn sealed_keys(config: &Config, looked: &Looked) -> Finding {
    let count = looked.keys.len();
    let Some(sealer) = Sealer::new(&config.encryption_keys) else {
        let advice = "set ROOM_ENCRYPTION_KEY, 32 bytes or more, to what it was";
        return if count > 0 {
            let what = format!("{count} sealed API keys, and no key to open them with");
            Finding::fail("encryption key", what, advice)
        } else {
            Finding::warn(
                "encryption key",
                "none: API keys are held in memory only",
                "set ROOM_ENCRYPTION_KEY, 32 bytes or more, to keep them over a restart",
            )
        };
    };
    let lost = looked.keys.iter().filter(|row| !vault::opens(&sealer, config.owner(), row)).count();
    if lost > 0 {
        let what = format!("{lost} of {count} sealed API keys do not open with it");
        let advice = "set ROOM_ENCRYPTION_KEY to what it was, or set those keys anew";
        Finding::fail("encryption key", what, advice)
    } else {
        Finding::ok("encryption key", format!("set; {count} API keys sealed"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Level;
    use super::*;
    use crate::config::Flags;
    use crate::store::{KeyRow, Store};
    use crate::vault::seal::Place;

    fn config(key: &str) -> Config {
        let data = ("ROOM_DATA_DIR", "/nowhere".to_owned());
        let flags = Flags::from([data]);
        let environment = [("HOME".to_owned(), "/nowhere".to_owned())];
        let key = (!key.is_empty()).then(|| ("ROOM_ENCRYPTION_KEY".to_owned(), key.to_owned()));
        let environment = environment.into_iter().chain(key).collect();
        Config::load(&flags, &environment, None).unwrap()
    }

    #[tokio::test]
    async fn what_is_in_a_database_is_judged() {
        const RIGHT: &str = "a secret of thirty-two bytes or more";
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join(store::FILE);
        let store = Store::open(&file).await.unwrap();
        let sealer = Sealer::new(&config(RIGHT).encryption_keys).unwrap();
        let place = Place { provider: "claude", kind: "api", owner: "local" };
        let row = sealer.seal(&place, "sk-ant-x");
        let (provider, kind) = (place.provider.to_owned(), place.kind.to_owned());
        let row = KeyRow { provider, kind, stored_at: Timestamp::now(), sealed: row };
        store.put_provider_key(&row).await.unwrap();
        let check = async |key: &str, name: &str, level: Level| {
            let found = look(temp.path(), Some(&config(key))).await;
            let of = found.iter().find(|finding| finding.name == name).unwrap();
            assert_eq!(of.level, level, "{of}");
        };
        // Also while a server has it open.
        check(RIGHT, "database", Level::Ok).await;
        check(RIGHT, "encryption key", Level::Ok).await;
        check("another secret of thirty-two bytes...", "encryption key", Level::Fail).await;
        check("", "encryption key", Level::Fail).await;
        store.delete_provider_key("claude").await.unwrap();
        check("", "encryption key", Level::Warn).await;
        store.pretend_newer(9999).await;
        check("", "database", Level::Fail).await;
        store.close().await;
        let names: Vec<_> = std::fs::read_dir(temp.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}
