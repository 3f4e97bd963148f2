-- Who is signed in to this Room. A bearer is kept as a hash; it is good for one run of the server.
CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    boot         TEXT    NOT NULL,
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    device       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL, -- milliseconds since 1970, as all times here
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;

-- The sign-ins of providers: what became of each. No link, code or output is kept.
CREATE TABLE logins (
    id             TEXT    NOT NULL PRIMARY KEY,
    provider       TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    command        TEXT    NOT NULL,
    started_by     TEXT    NOT NULL,
    started_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    deadline       INTEGER NOT NULL,
    exit_code      INTEGER,
    failure_code   TEXT,
    failure_title  TEXT,
    failure_action TEXT
) STRICT;

CREATE INDEX logins_by_provider ON logins (provider, started_at);
