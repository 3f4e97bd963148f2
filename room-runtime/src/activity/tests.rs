//! The log as its callers use it: what is promised holds across a kill, and when the disk refuses.

use room_auth::{Caller, Identity, ManualClock, Role, Standing};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::store;

struct Fixture {
    log: Activity,
    store: Store,
    directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join(store::FILE)).await.unwrap();
        Self { log: start(&store).await, store, directory }
    }

    async fn listed(&self) -> Vec<Event> {
        self.store.activity(Range::Newest, None, 200).await.unwrap()
    }

    /// What a server finds that starts after this one was killed: the files as they are now.
    async fn after_a_kill(&self) -> (Store, TempDir) {
        let copy = tempfile::tempdir().unwrap();
        for file in store::FILES {
            let from = self.directory.path().join(file);
            if from.exists() {
                std::fs::copy(from, copy.path().join(file)).unwrap();
            }
        }
        (Store::open(&copy.path().join(store::FILE)).await.unwrap(), copy)
    }
}

async fn start(store: &Store) -> Activity {
    let clock = Arc::new(ManualClock::default());
    Activity::start(store.clone(), Arc::default(), clock).await.unwrap()
}

fn ada() -> Actor {
    let caller = Caller {
        identity: Identity { issuer: "https://id.example".into(), subject: "ada".into() },
        standing: Standing::Person(Role::Admin),
        session: "s".into(),
        device: "phone".into(),
        expires_at: None,
        profile: None,
        token: None,
    };
    Actor::from(&caller).at("203.0.113.77".parse().unwrap())
}

fn said(events: &[Event]) -> Vec<(i64, String, &'static str, Option<i64>)> {
    let one = |event: &Event| {
        let entry = &event.entry;
        (event.seq, entry.action.to_string(), entry.outcome.as_str(), entry.intent)
    };
    events.iter().map(one).collect()
}

#[tokio::test]
async fn an_outcome_takes_the_place_of_its_intent() {
    let f = Fixture::new().await;
    let detail = Detail::none().method("device");
    let intent = f.log.intent(ada(), Action::Connect, Some("codex"), detail).await.unwrap();
    assert_eq!(said(&f.listed().await), [(1, "provider.connect".into(), "intent", None)]);
    f.log.note(None, Action::Start, Outcome::Ok, None, Detail::none()).await;
    intent.ok_with(Detail::none().session("s1")).await;
    let listed = f.listed().await;
    let expected =
        [(2, "instance.start".into(), "ok", None), (3, "provider.connect".into(), "ok", Some(1))];
    assert_eq!(said(&listed), expected);
    let last = &listed[1].entry;
    assert_eq!(last.actor, Some(ada()));
    assert_eq!(last.actor.as_ref().unwrap().address.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(last.target.as_deref(), Some("codex"));
    assert_eq!(last.detail, Detail::none().method("device").session("s1"));
    let all = f.store.activity_rows(0, i64::MAX, 10).await.unwrap();
    assert_eq!(all.len(), 3, "nothing was removed");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_what_was_not_ended_is_unknown() {
    let f = Fixture::new().await;
    let _open = f.log.intent(ada(), Action::Disconnect, Some("claude"), Detail::none()).await;
    let ended = f.log.intent(ada(), Action::Verify, Some("codex"), Detail::none()).await.unwrap();
    ended.failed(Detail::none().reason("x")).await;
    let (store, _copy) = f.after_a_kill().await;
    let log = start(&store).await;
    let listed = store.activity(Range::Newest, None, 10).await.unwrap();
    let expected = [
        (3, "provider.verify".into(), "failed", Some(2)),
        (4, "provider.disconnect".into(), "unknown", Some(1)),
    ];
    assert_eq!(said(&listed), expected);
    assert_eq!(listed[1].entry.actor, Some(ada()));
    drop(log);
    start(&store).await;
    assert_eq!(store.last_activity().await.unwrap(), 4, "it is said once");
}

#[tokio::test]
async fn what_nobody_ends_is_unknown() {
    let f = Fixture::new().await;
    drop(f.log.intent(ada(), Action::Connect, None, Detail::none()).await.unwrap());
    f.log.flush().await;
    assert_eq!(said(&f.listed().await), [(2, "provider.connect".into(), "unknown", Some(1))]);
}

#[tokio::test]
async fn nothing_is_begun_when_the_disk_refuses_and_what_happened_is_kept() {
    let f = Fixture::new().await;
    let begun = f.log.intent(ada(), Action::Connect, Some("codex"), Detail::none()).await.unwrap();
    f.store.refuse_writes(true).await;
    let refused = f.log.intent(ada(), Action::Verify, None, Detail::none()).await;
    assert!(matches!(refused, Err(Unwritable::Disk(_))));
    begun.ok().await;
    let goes_on = f.log.intent_if_possible(ada(), Action::SignOut, None, Detail::none()).await;
    goes_on.ok().await;
    f.log.note(Some(ada()), Action::Cancel, Outcome::Ok, None, Detail::none()).await;
    f.store.refuse_writes(false).await;
    let begun = f.log.intent(ada(), Action::Input, None, Detail::none()).await.unwrap();
    begun.ok().await;
    let expected = [
        (2, "provider.connect".into(), "ok", Some(1)),
        (3, "access.sign_out".into(), "ok", None),
        (4, "provider.cancel".into(), "ok", None),
        (6, "provider.input".into(), "ok", Some(5)),
    ];
    assert_eq!(said(&f.listed().await), expected);
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_begun() {
    let f = Fixture::new().await;
    {
        let asked = f.log.intent(ada(), Action::Connect, None, Detail::none());
        // The row is sent, and its client gone before the disk has it.
        assert!(futures_util::poll!(std::pin::pin!(asked)).is_pending());
    }
    f.log.note(None, Action::Start, Outcome::Ok, None, Detail::none()).await;
    assert_eq!(said(&f.listed().await), [(1, "instance.start".into(), "ok", None)]);
}

#[tokio::test]
async fn what_goes_on_while_the_disk_is_slow_finds_its_intent_again() {
    let f = Fixture::new().await;
    let file = f.directory.path().join(store::FILE);
    let mut elsewhere =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut elsewhere).await.unwrap();
    let going_on = f.log.intent_if_possible(ada(), Action::Disconnect, None, Detail::none()).await;
    assert_eq!(going_on.seq, None, "it did not wait");
    sqlx::query("ROLLBACK").execute(&mut elsewhere).await.unwrap();
    f.log.flush().await;
    going_on.ok().await;
    assert_eq!(said(&f.listed().await), [(2, "provider.disconnect".into(), "ok", Some(1))]);
}

#[tokio::test]
async fn refusals_are_counted_and_not_a_row_each() {
    let f = Fixture::new().await;
    for n in 0..1000_u32 {
        let network = if n < 900 { n % 2 } else { n };
        let address = std::net::Ipv4Addr::from(0xc600_0000 + network * 256 + n % 200);
        f.log.refused(address.into(), "code_unknown");
    }
    f.log.flush().await;
    let listed = f.listed().await;
    assert_eq!(listed.len(), NETWORKS + 1);
    let counts = listed.iter().map(|event| serde_json::to_value(&event.entry.detail).unwrap());
    let total: u64 = counts.map(|detail| detail["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 1000);
    let actor = |event: &Event| event.entry.actor.as_ref().and_then(|who| who.address.clone());
    let networks: Vec<_> = listed.iter().map(actor).collect();
    assert!(networks.contains(&Some("198.0.0.0/24".into())) && networks.contains(&None));
}

#[tokio::test]
async fn many_at_once_keep_their_order() {
    let f = Fixture::new().await;
    let notes = (0..100).map(|n| {
        let detail = Detail::none().count(n);
        f.log.note(None, Action::Verify, Outcome::Ok, None, detail)
    });
    futures_util::future::join_all(notes).await;
    let listed = f.listed().await;
    assert_eq!(listed.len(), 100);
    for (n, event) in (0..).zip(&listed) {
        assert_eq!(event.entry.detail, Detail::none().count(n));
    }
}
