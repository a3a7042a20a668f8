-- Version 2. The last whole batch up to a moment is the one with the largest sequence number, also
-- where the node's clock was set back.

CREATE INDEX batch_last_whole ON batch (run, sequence, time) WHERE whole;
