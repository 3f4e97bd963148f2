-- What is written to learn whether anything can be.
CREATE TABLE probe (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    times INTEGER NOT NULL
) STRICT;

INSERT INTO probe (id, times) VALUES (1, 0);
