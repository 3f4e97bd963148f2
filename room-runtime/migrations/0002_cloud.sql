-- The people of a hosted Room, as their issuer last described them. Whoever came by `room pair` has
-- the issuer `room:{instance}`.
CREATE TABLE people (
    issuer         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    role           TEXT    NOT NULL,
    name           TEXT,
    email          TEXT,
    email_verified INTEGER NOT NULL,
    granted_at     INTEGER NOT NULL, -- when their last token was taken
    PRIMARY KEY (issuer, subject)
) STRICT;

-- Their devices. A cookie is kept as a hash.
CREATE TABLE devices (
    id           TEXT    NOT NULL PRIMARY KEY,
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    paired_from  TEXT,
    gate         TEXT,             -- the Cloudflare Access subject it is bound to
    token_id     TEXT,             -- of the token it stands on: jti, kid, thumbprint, sid, iat
    key_id       TEXT,
    thumbprint   TEXT,
    session_id   TEXT,
    issued_at    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    FOREIGN KEY (issuer, subject) REFERENCES people (issuer, subject) ON DELETE CASCADE
) STRICT;

CREATE INDEX devices_by_person ON devices (issuer, subject);

-- What has been revoked, until nothing it could name is alive.
CREATE TABLE revocations (
    issuer     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    PRIMARY KEY (issuer, kind, name)
) STRICT;

-- Tokens that were traded for a device's session, until they could not be traded anyway.
CREATE TABLE traded (
    token BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    until INTEGER NOT NULL
) STRICT;
