-- Version 1. 64-bit hashes and numbers are kept as signed integers with the same bits.

CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    run           BLOB    NOT NULL UNIQUE,
    agent         BLOB    NOT NULL,
    node          TEXT    NOT NULL,
    boot          TEXT    NOT NULL,
    agent_version TEXT    NOT NULL,
    kernel        TEXT    NOT NULL,
    started       INTEGER NOT NULL,
    labels        TEXT    NOT NULL,
    interval      INTEGER NOT NULL,
    -- When something was last written, on the collector's clock, as all times called seen or received.
    seen          INTEGER NOT NULL,
    -- Batches that are kept, and that retention took.
    batches       INTEGER NOT NULL DEFAULT 0,
    thinned       INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE batch (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES run,
    sequence INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    boot     INTEGER NOT NULL,
    whole    INTEGER NOT NULL,
    received INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    UNIQUE (run, sequence)
) STRICT;
CREATE INDEX batch_time ON batch (run, time, sequence, whole);
CREATE INDEX batch_whole ON batch (run, time, sequence) WHERE whole;

CREATE TABLE part (
    batch INTEGER NOT NULL REFERENCES batch ON DELETE CASCADE,
    kind  INTEGER NOT NULL,
    size  INTEGER NOT NULL,
    data  BLOB    NOT NULL
) STRICT;
CREATE INDEX part_batch ON part (batch, kind);

CREATE TABLE frame (
    hash    INTEGER PRIMARY KEY,
    content BLOB    NOT NULL,
    seen    INTEGER NOT NULL
) STRICT;

-- Frames are eight bytes each, little endian, leaf first.
CREATE TABLE stack (
    hash      INTEGER PRIMARY KEY,
    frames    BLOB    NOT NULL,
    truncated INTEGER NOT NULL,
    seen      INTEGER NOT NULL
) STRICT;

CREATE TABLE number (
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number INTEGER NOT NULL,
    stack  INTEGER NOT NULL REFERENCES stack,
    seen   INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX number_stack ON number (stack);
