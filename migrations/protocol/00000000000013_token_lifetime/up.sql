-- How long tokens lived, and until when each lifetime was given: a key is believed for as long as the longest that it may have
-- signed, although lifetimes were shortened before its time was over. One row for each lifetime; written by a job and with every
-- change of a client.
CREATE TABLE token_lifetime (
    seconds bigint PRIMARY KEY CHECK (seconds > 0),
    last_in_force_at timestamptz NOT NULL
);

UPDATE schema_meta SET version = 13;
