#!/bin/sh
# The server is killed while it works, again and again. `cargo test … attacks::kills` does it a
# hundred times over (ROOM_KILLS=100) and counts every acknowledged row.
. "$(dirname "$0")/common.sh"

hosted
install_codex
: >"$HERE/acknowledged"
load() {
    at=0
    while name="load-$1-$at" && at=$((at + 1)); do
        answer=$(ask POST /api/auth/ws-ticket -o /dev/null -w '%{http_code}') || return 0
        session=$(connect | json "it['session']['sessionId']" 2>/dev/null) || return 0
        [ -n "$session" ] && echo "$session" >>"$HERE/acknowledged"
        ask POST "/api/providers/sessions/$session/cancel" >/dev/null || return 0
    done
}
no_program() { ! pgrep -f "$HERE/bin/codex" && ! pgrep -f "$HOME/.codex"; }
something_went_on() { [ "$(wc -l <"$HERE/acknowledged")" -ge "$((before + 1))" ]; }
for round in 1 2 3; do
    before=$(wc -l <"$HERE/acknowledged")
    start
    load "$round" 2>/dev/null &
    working=$!
    # Something has been acknowledged in this round; then at any moment.
    await 60 "something is going on" something_went_on
    sleep 0.3
    kill -KILL "$SERVER"
    wait "$SERVER" 2>/dev/null || true
    SERVER=
    wait "$working" 2>/dev/null || true
    await 20 "nothing is left of it" no_program
    expect_in "round $round: the database" ok "$(doctor database)"
done
start
ask GET /api/activity.ndjson >"$HERE/rows"
while read -r session; do
    grep -q "$session" "$HERE/rows" || fail "$session was acknowledged and is lost"
done <"$HERE/acknowledged"
say "$(wc -l <"$HERE/acknowledged") sign-ins were acknowledged, and all are there"
[ -s "$HERE/acknowledged" ] || fail "nothing was going on"
