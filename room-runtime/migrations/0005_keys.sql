-- Keys of providers, sealed (src/vault/seal.rs). What is shown of one is read from the key itself.
CREATE TABLE provider_keys (
    provider  TEXT    NOT NULL PRIMARY KEY,
    kind      TEXT    NOT NULL,
    stored_at INTEGER NOT NULL,
    sealed    BLOB    NOT NULL
) STRICT;
