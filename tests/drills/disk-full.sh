#!/bin/sh
# The disk fills up under a running Room, and is cleared again. Only root may mount a small one.
. "$(dirname "$0")/common.sh"

mkdir "$HERE/disk"
mount -t tmpfs -o size=8m,mode=700 room "$HERE/disk" 2>/dev/null || not_here "only root may mount"
export ROOM_DATA_DIR="$HERE/disk"
install_codex
start
expect "before, a sign-in begins" 200 "$(connect -o /dev/null -w '%{http_code}')"
session=$(ask GET /api/providers/codex/session | json "it['session']['sessionId']")

dd if=/dev/zero of="$HERE/disk/filler" bs=4096 2>/dev/null || true
await 10 "readiness names the disk" readyz_says "disk"
expect_in "the doctor says so" fail "$(doctor disk)"
# A page of the database may be free yet; soon none is.
refused() { [ "$(status POST /api/providers/codex/connect -H 'Content-Type: application/json' -d '{}')" = 503 ]; }
cancelled=$(status POST "/api/providers/sessions/$session/cancel")
expect "what goes on can be stopped all the same" 200 "$cancelled"
await 20 "nothing begins that cannot be written down" refused
expect "and says why" audit_unavailable "$(connect | json "it['code']")"
expect "reading works" 200 "$(status GET /api/status)"
expect "the page works" 200 "$(status GET /)"

rm "$HERE/disk/filler"
begins() { [ "$(connect -o /dev/null -w '%{http_code}')" = 200 ]; }
await 20 "without a restart it works again" begins
stop
expect_in "and the database is sound" ok "$(doctor database)"
