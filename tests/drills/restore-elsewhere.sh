#!/bin/sh
# The machine is lost; its Room is restored on another one from a backup.
. "$(dirname "$0")/common.sh"

hosted
start
code() { "$ROOM" pair | sed -n 's/^or type  \([^ ]*\)  .*/\1/p'; }
# Signs a device in by a code; prints its cookie.
redeem() {
    curl -s -D - -o /dev/null -H "Host: $HOST" -H 'Origin: https://room.test' \
        -H 'Content-Type: application/json' -d "{\"code\":\"$(code)\",\"deviceName\":\"$1\"}" \
        "http://127.0.0.1:$PORT/api/auth/pair/redeem" |
        sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p' | tr -d '\r'
}
verify() { curl -s -o /dev/null -w '%{http_code}' -H "Host: $HOST" -H "Cookie: $1" "http://127.0.0.1:$PORT/api/auth/verify"; }
cookie=$(redeem phone)
expect "a phone is signed in" 200 "$(verify "$cookie")"
"$ROOM" backup "$HERE/backup.db" >/dev/null || fail "a backup"
ask GET /api/activity.ndjson | grep -o '"id":[0-9]*\|"seq":[0-9]*' | sort -u >"$HERE/before"
kill -KILL "$SERVER"
wait "$SERVER" 2>/dev/null || true
SERVER=

# The other machine: an empty data directory, the same settings.
rm -rf "$ROOM_DATA_DIR"
mkdir -m 700 "$ROOM_DATA_DIR"
"$ROOM" restore "$HERE/backup.db" >"$HERE/restored" 2>&1 || fail "$(cat "$HERE/restored")"
start
expect "whoever was signed in signs in again: the phone" 401 "$(verify "$cookie")"
expect "and can" 200 "$(verify "$(redeem phone)")"
ask GET /api/activity.ndjson | grep -o '"id":[0-9]*\|"seq":[0-9]*' | sort -u >"$HERE/after"
[ -s "$HERE/before" ] || fail "the log was empty"
lost=$(comm -23 "$HERE/before" "$HERE/after" | wc -l)
expect "rows of the log that are lost" 0 "$lost"
expect_in "the database" ok "$(doctor database)"
"$ROOM" restore "$HERE/backup.db" >"$HERE/refused" 2>&1 && fail "a running Room was overwritten"
expect_in "a running Room is not overwritten" "stop it first" "$(cat "$HERE/refused")"
