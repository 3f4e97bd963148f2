-- Who did what, and with what result. Rows are added and never changed: an outcome is a row of its
-- own that names the row of its intent. No code, link, pasted text or secret is in any of them.
CREATE TABLE activity (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- never given twice, even after retention
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL, -- the first part of the action
    action  TEXT    NOT NULL,
    outcome TEXT    NOT NULL CHECK (outcome IN ('intent', 'ok', 'refused', 'failed', 'unknown')),
    intent  INTEGER,          -- whose outcome this is
    actor   TEXT,             -- JSON; none for the server itself
    target  TEXT,
    detail  TEXT    NOT NULL  -- JSON
) STRICT;

CREATE INDEX activity_by_kind ON activity (kind, seq);

-- Intents that have no outcome yet, so that neither the list nor a start has to look for them.
CREATE TABLE activity_open (seq INTEGER NOT NULL PRIMARY KEY) STRICT;

CREATE TRIGGER activity_intent AFTER INSERT ON activity WHEN NEW.outcome = 'intent'
BEGIN
    INSERT INTO activity_open (seq) VALUES (NEW.seq);
END;

CREATE TRIGGER activity_outcome AFTER INSERT ON activity WHEN NEW.intent IS NOT NULL
BEGIN
    DELETE FROM activity_open WHERE seq = NEW.intent;
END;

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
BEGIN
    SELECT RAISE(ABORT, 'the activity log is append-only');
END;

-- INSERT OR REPLACE would remove a row without asking the trigger below.
CREATE TRIGGER activity_is_not_replaced BEFORE INSERT ON activity
WHEN EXISTS (SELECT 1 FROM activity WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the activity log is append-only');
END;

-- Only retention removes rows: those of more than 90 days ago, and what is beyond 200,000.
CREATE TRIGGER activity_is_kept BEFORE DELETE ON activity
WHEN OLD.at > (unixepoch('subsec') - 7776000) * 1000
    AND OLD.seq > (SELECT max(seq) FROM activity) - 200000
BEGIN
    SELECT RAISE(ABORT, 'the activity log is append-only');
END;

CREATE TRIGGER activity_went AFTER DELETE ON activity
BEGIN
    DELETE FROM activity_open WHERE seq = OLD.seq;
END;
