-- What is true of the Room as a whole; one row.
CREATE TABLE instance (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    name              TEXT,                       -- whose state this is: its instance id, or its mode
    tokens_not_before INTEGER NOT NULL DEFAULT 0  -- since the last restore: older tokens are refused
) STRICT;

INSERT INTO instance (id) VALUES (1);

-- "Room", so that `file` and others can tell whose database it is.
PRAGMA application_id = 1383034733;
