# What every drill needs; a drill begins with `. "$(dirname "$0")/common.sh"`.
#
# A drill breaks something on purpose and looks at what Room does. It takes the `room` that $ROOM
# names, or the one on PATH; it has a home, a data directory and a port of its own, and touches
# nothing else. It needs `curl` and `python3`. It ends with 0 if all went as docs/runbook.md says.

set -eu

ROOM=${ROOM:-$(command -v room || true)}
DRILL=$(basename "$0" .sh)

fail() {
    echo "FAILED: $DRILL: $*" >&2
    # The code of a one-time link is nobody's business.
    [ -f "$HERE/log" ] && tail -40 "$HERE/log" | sed 's/#code=.*/#code=…/' >&2
    exit 1
}

# This machine cannot do it: that is said, and is no failure, except under CI=true.
not_here() {
    echo "NOT RUN: $DRILL: $*"
    [ "${CI:-}" != true ]
    exit
}

say() { echo "$DRILL: $*"; }

HERE=$(mktemp -d)
SERVER=
OTHERS=
# shellcheck disable=SC2317
end() {
    for pid in $SERVER $OTHERS; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $SERVER $OTHERS; do
        wait "$pid" 2>/dev/null || true
    done
    [ -d "$HERE/disk" ] && umount -l "$HERE/disk" 2>/dev/null
    rm -rf "$HERE"
}
trap end EXIT
trap 'exit 1' INT TERM

[ -x "$ROOM" ] || fail "there is no room; name it: ROOM=target/release/room $0"
for program in curl python3; do
    command -v "$program" >/dev/null || not_here "there is no $program"
done

# No setting of whoever runs this is the drill's.
for name in $(env | sed -n 's/^\(ROOM_[A-Z_]*\|QUOROOM_[A-Z_]*\|[A-Z_]*_API_KEY\)=.*/\1/p'); do
    unset "$name"
done
export HOME="$HERE/home" ROOM_PORT=0 ROOM_DATA_DIR="$HERE/room" ROOM_AUTH_FAILURES_PER_MINUTE=off
export PATH="$HERE/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
HOST=
mkdir -p "$HOME" "$HERE/bin"
cd "$HERE"

# From here on it is a hosted Room, known to the world as https://room.test, without a control plane.
hosted() {
    HOST=room.test
    export ROOM_MODE=cloud ROOM_BIND=127.0.0.1 ROOM_PUBLIC_URL=https://room.test ROOM_STANDALONE=1
    export ROOM_CLIENT_IP=direct ROOM_ALLOW_ROOT=1
    [ -d "$ROOM_DATA_DIR" ] || mkdir -m 700 "$ROOM_DATA_DIR"
}

# A `codex` that shows a link and a code, and waits for the person.
install_codex() {
    cat >"$HERE/bin/codex" <<'CODEX'
#!/bin/sh
case "$*" in
--version) echo "codex-cli 0.169.0" ;;
*"login status"*) echo "Not logged in" >&2; exit 1 ;;
*login*)
    printf '1. Open this link in your browser\r\n   https://auth.openai.com/codex/device\r\n\r\n'
    printf '2. Enter this one-time code\r\n   WXYZ-12345\r\n\r\n'
    exec sleep 600
    ;;
esac
CODEX
    chmod 755 "$HERE/bin/codex"
}

# Waits until a command succeeds, up to so many seconds.
await() {
    seconds=$1
    what=$2
    shift 2
    left=$((seconds * 10))
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "within $seconds s: $what"
        sleep 0.1
    done
}

answers() {
    PORT=$(cat "$ROOM_DATA_DIR/api.port") && curl -sf "http://127.0.0.1:$PORT/healthz"
}

gone() { ! kill -0 "$SERVER" 2>/dev/null; }
up_or_gone() { answers || gone; }

# Starts Room, with these words before it, and waits until it answers. False if it ends instead.
try_start() {
    rm -f "$ROOM_DATA_DIR/api.port"
    "$@" "$ROOM" serve --no-open >>"$HERE/log" 2>&1 &
    SERVER=$!
    await 30 "Room answers" up_or_gone
    if gone; then
        STATUS=0
        wait "$SERVER" || STATUS=$?
        SERVER=
        return 1
    fi
    PORT=$(cat "$ROOM_DATA_DIR/api.port")
    TOKEN=$("$ROOM" token 2>/dev/null)
}

start() { try_start "$@" || fail "Room did not start (exit code $STATUS)"; }

stop() {
    kill -TERM "$SERVER"
    wait "$SERVER" || true
    SERVER=
}

# `ask METHOD PATH [more of curl's arguments]`: what is answered to the owner.
ask() {
    method=$1
    path=$2
    shift 2
    curl -s -X "$method" -H "Host: ${HOST:-localhost:$PORT}" -H "Authorization: Bearer $TOKEN" \
        "$@" "http://127.0.0.1:$PORT$path"
}

# The same, but the status alone.
status() { ask "$@" -o /dev/null -w '%{http_code}'; }

# Looks at JSON: `json EXPRESSION`, with the value as `it`; prints what comes of it.
json() { python3 -c 'import json, sys; it = json.load(sys.stdin); print('"$1"')'; }

connect() { ask POST /api/providers/codex/connect -H 'Content-Type: application/json' -d '{}' "$@"; }

# `expect WHAT WANTED FOUND`
expect() {
    [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
    say "$1: $3"
}

# `expect_in WHAT PART TEXT`
expect_in() {
    case "$3" in
    *"$2"*) say "$1: $2" ;;
    *) fail "$1: no \"$2\" in: $3" ;;
    esac
}

# What the doctor says of something.
doctor() { "$ROOM" doctor 2>&1 | grep "^[a-z]* *$1" || true; }

# Whether the names of what is degraded, or failed, have this one.
readyz_says() { curl -s "http://127.0.0.1:$PORT/readyz" | json "it['failed'] + it['degraded']" | grep -q "$1"; }
readyz_is_silent_of() { ! readyz_says "$1"; }
