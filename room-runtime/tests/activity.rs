//! The activity log of a running server: what people do is in it before they hear that it is done.

#![expect(clippy::unwrap_used, reason = "a test says enough by failing")]

#[path = "harness/room.rs"]
mod room;

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::room::{Room, next, say};

/// Signs in as nobody, and says so.
const ASKS: &str = "case \"$*\" in
*status*) echo '{\"loggedIn\": false}'; exit 1;;
*--version*) echo '2.1.3 (Claude Code)'; exit 0;;
esac
echo 'Paste code here if prompted >'; exec sleep 600";

/// What is listed: action, outcome, target.
async fn listed(room: &Room) -> Vec<(String, String, Value)> {
    let (status, answer) = room.as_program("GET", "/api/activity?limit=200").await;
    assert_eq!(status, 200, "{answer}");
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let one =
        |event: &Value| (text(event, "action"), text(event, "outcome"), event["target"].clone());
    answer["events"].as_array().unwrap().iter().map(one).collect()
}

async fn outside(room: &Room) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(room.database());
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn what_people_do_is_told_to_those_who_may_hear_it() {
    let room = Room::with_claude(ASKS).await;
    let mut stream = room.open(&room.program).await;
    say(&mut stream, json!({ "type": "subscribe", "channels": ["activity"] })).await;
    assert_eq!(next(&mut stream).await["channels"], json!(["activity"]));
    let picture = next(&mut stream).await;
    assert_eq!((&picture["type"], &picture["channel"]), (&json!("snapshot"), &json!("activity")));
    let page = room.page().await;
    let headers = format!("Authorization: Bearer {page}\r\n");
    let (status, answer) = room.ask("POST", "/api/providers/claude/connect", &headers, "").await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["session"]["sessionId"].as_str().unwrap().to_owned();
    let path = format!("/api/providers/sessions/{id}");
    let paste = json!({ "text": "a code nobody asked for, secret-canary" }).to_string();
    let (status, _) = room.ask("POST", &format!("{path}/input"), &headers, &paste).await;
    assert!([409, 422].contains(&status), "{status}");
    assert_eq!(room.ask("POST", &format!("{path}/cancel"), &headers, "").await.0, 200);
    assert_eq!(room.ask("POST", "/api/providers/nobody/connect", &headers, "").await.0, 404);
    assert_eq!(room.ask("DELETE", "/api/auth/session", &headers, "").await.0, 200);
    let mut told = Vec::new();
    while told.last().is_none_or(|event: &Value| event["action"] != "access.sign_out") {
        let news = next(&mut stream).await;
        assert_eq!(news["type"], "activity:event", "{news}");
        told.push(news["data"].clone());
    }
    let seqs: Vec<_> = told.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let about = |action: &str| -> Vec<_> {
        let of = told.iter().filter(|event| event["action"] == action);
        of.map(|event| event["outcome"].as_str().unwrap()).collect()
    };
    assert_eq!(about("access.sign_in"), ["intent", "ok"]);
    assert_eq!(about("provider.connect"), ["intent", "ok"]);
    assert_eq!(about("provider.input"), ["intent", "refused"]);
    assert_eq!(about("provider.cancel"), ["ok"]);
    assert_eq!(about("provider.finished"), ["failed"]);
    let connected = told.iter().rfind(|event| event["action"] == "provider.connect").unwrap();
    assert_eq!(connected["target"], "claude");
    assert_eq!(connected["detail"]["session"], json!(id));
    assert_eq!(connected["detail"]["method"], "subscription");
    let actor = json!({
        "issuer": "room:local", "subject": "owner", "name": null, "role": "owner",
        "device": "browser", "address": "127.0.0.0/24",
    });
    assert_eq!(connected["actor"], actor);
    let finished = told.iter().find(|event| event["action"] == "provider.finished").unwrap();
    assert_eq!(
        (&finished["actor"], &finished["detail"]["status"]),
        (&Value::Null, &json!("canceled"))
    );
    assert!(!told.iter().any(|event| event.to_string().contains("canary")));
    room.end().await;
}

#[tokio::test]
async fn a_server_says_when_it_starts_and_stops() {
    let room = Room::new().await;
    assert_eq!(listed(&room).await, [("instance.start".into(), "ok".into(), Value::Null)]);
    let mut database = outside(&room).await;
    room.stop.cancel();
    room.running.await.unwrap();
    let last: (String, String) =
        sqlx::query_as("SELECT action, outcome FROM activity ORDER BY seq DESC LIMIT 1")
            .fetch_one(&mut database)
            .await
            .unwrap();
    assert_eq!(last, ("instance.stop".into(), "ok".into()));
}

#[tokio::test]
async fn without_a_log_nothing_starts_and_everything_can_be_stopped() {
    let room = Room::with_claude(ASKS).await;
    let page = room.page().await;
    let headers = format!("Authorization: Bearer {page}\r\n");
    let (_, answer) = room.as_program("POST", "/api/providers/claude/connect").await;
    let id = answer["session"]["sessionId"].as_str().unwrap().to_owned();
    let stop = format!("/api/providers/sessions/{id}/cancel");
    // Somebody else holds the database, as a full or failing disk would.
    let mut database = outside(&room).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let (connect, cancel) = tokio::join!(
        room.as_program("POST", "/api/providers/codex/connect"),
        room.as_program("POST", &stop)
    );
    assert_eq!((connect.0, &connect.1["code"]), (503, &json!("audit_unavailable")));
    assert_eq!((cancel.0, &cancel.1["session"]["status"]), (200, &json!("canceled")));
    assert_eq!(room.ask("DELETE", "/api/auth/session", &headers, "").await.0, 200);
    assert_eq!(room.ask("GET", "/api/auth/verify", &headers, "").await.0, 401);
    sqlx::query("ROLLBACK").execute(&mut database).await.unwrap();
    // It recovers by itself, and has forgotten nothing that happened.
    let (status, answer) = room.as_program("POST", "/api/providers/claude/verify").await;
    assert_eq!(status, 200, "{answer}");
    let all = listed(&room).await;
    for (action, outcome, target) in
        [("provider.cancel", "ok", json!("claude")), ("access.sign_out", "ok", Value::Null)]
    {
        assert!(all.contains(&(action.into(), outcome.into(), target)), "{all:?}");
    }
    let begun = |row: &(String, String, Value)| row.0 == "provider.connect" && row.2 == "codex";
    assert!(!all.iter().any(|row| begun(row) && row.1 == "ok"), "{all:?}");
    room.end().await;
}
