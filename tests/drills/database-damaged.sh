#!/bin/sh
# The database is damaged on the disk, and a backup takes its place.
. "$(dirname "$0")/common.sh"

hosted
start
"$ROOM" backup "$HERE/backup.db" >/dev/null || fail "a backup"
first=$(ask GET /api/activity.ndjson | head -1 | json "it['id']" 2>/dev/null || true)
stop
python3 - "$ROOM_DATA_DIR/room.db" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    size = file.seek(0, 2)
    for at in range(4096, size, 4096):
        file.seek(at)
        file.write(b"\xa5" * 2048)
PYTHON
expect_in "the doctor says so" fail "$(doctor database)"
if try_start; then
    # It set the damaged file aside by itself, and says so until a person has looked.
    ls "$ROOM_DATA_DIR"/room.db.damaged-* >/dev/null 2>&1 || fail "the damaged file was not kept"
    say "it started with what it had, and kept the damaged file"
    expect_in "the doctor says what happened" "set aside" "$("$ROOM" doctor 2>&1)"
    stop
else
    expect "it does not start on it" 74 "$STATUS"
    expect_in "and says why" "database" "$(tail -3 "$HERE/log")"
fi
"$ROOM" restore "$HERE/backup.db" >"$HERE/restored" 2>&1 || fail "$(cat "$HERE/restored")"
start
expect_in "after the backup was restored, the database" ok "$(doctor database)"
expect "the owner gets in" 200 "$(status GET /api/auth/verify)"
rows=$(ask GET /api/activity.ndjson | wc -l)
[ "$rows" -ge 2 ] || fail "the log has $rows rows"
say "the log goes on, with $rows rows"
