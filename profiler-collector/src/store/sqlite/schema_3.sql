-- Version 3. Events are kept for longer than batches and runs, and stand on their own. `size` is that
-- of the message, `bytes` that of `data`, which is the message compressed with zstd.

CREATE TABLE event (
    id     INTEGER PRIMARY KEY,
    run    BLOB    NOT NULL,
    number INTEGER NOT NULL,
    node   TEXT    NOT NULL,
    kind   INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    data   BLOB    NOT NULL,
    UNIQUE (run, number)
) STRICT;
-- Counting, and skipping those of other nodes, needs this alone.
CREATE INDEX event_kind ON event (kind, time, run, number, node);
-- Retention looks at all of them by this alone.
CREATE INDEX event_age ON event (time, id, run, node, bytes);
