#!/bin/sh
# The machine has lost its network: in a network namespace with nothing but its loopback.
if [ "${DRILL_WITHOUT_NETWORK:-}" != 1 ]; then
    if ! unshare --net true 2>/dev/null; then
        echo "NOT RUN: network-cut: only root may make a network namespace"
        [ "${CI:-}" != true ]
        exit
    fi
    DRILL_WITHOUT_NETWORK=1 exec unshare --net "$0"
fi
. "$(dirname "$0")/common.sh"

ip link set lo up 2>/dev/null || not_here "there is no ip"
hosted
install_codex
export ROOM_INSTANCE_ID=drill ROOM_JWT_ISSUER=https://control.example
export ROOM_JWKS_URL=https://control.example/jwks.json
start
say "it starts without a network"
await 20 "readiness names the keys" readyz_says "keys"
expect "who is in stays in" 200 "$(status GET /api/auth/verify)"
expect "the page works" 200 "$(status GET /)"
expect_in "the doctor says what is not reached" fail "$(doctor 'keys of')"
session=$(ask POST /api/providers/claude/install -H 'Content-Type: application/json' -d '{}' |
    json "it['session']['sessionId']")
over() { ask GET "/api/providers/sessions/$session" | json "it['session']['active']" | grep -q False; }
await 60 "an install ends" over
expect "with a reason" network "$(ask GET "/api/providers/sessions/$session" | json "it['session']['failure']['code']")"
expect "nothing hangs" 200 "$(status GET /api/providers/status)"
