#!/bin/sh
# The program that is to be signed in is not on this machine; then it is.
. "$(dirname "$0")/common.sh"

# Nothing but the tools of the system is to be found: whoever runs this may have the real ones.
PATH="$HERE/bin:/usr/bin:/bin"
for program in codex claude; do
    command -v "$program" >/dev/null && not_here "$program is installed for all, in /usr/bin"
done
start
answer=$(connect)
expect "a sign-in is refused with" not_installed "$(echo "$answer" | json "it['code']")"
expect_in "and says what to do" install "$(echo "$answer" | json "it['detail'].lower()")"
expect "its state says that it is not installed" False \
    "$(ask GET '/api/providers/status?refresh=1' | json "it['providers']['codex']['installed']")"
expect_in "the doctor warns" "not installed" "$(doctor codex)"
expect "everything else works" 200 "$(status GET /api/status)"

install_codex
expect "it is found without a restart" True \
    "$(ask GET '/api/providers/status?refresh=1' | json "it['providers']['codex']['installed']")"
session=$(connect | json "it['session']['sessionId']")
shows_its_code() { ask GET "/api/providers/sessions/$session" | grep -q WXYZ-12345; }
await 20 "the code is shown" shows_its_code
expect "and can be cancelled" 200 "$(status POST "/api/providers/sessions/$session/cancel")"
