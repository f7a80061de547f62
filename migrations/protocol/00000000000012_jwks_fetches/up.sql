-- When the key set was last fetched, and by whom as far as that is known: a client that names itself in the address, or else a
-- part of a network and a kind of program. Written by a job, never by a request. The columns that do not apply are empty.
CREATE TABLE jwks_fetch (
    client_id text NOT NULL,
    network text NOT NULL,
    agent text NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, network, agent)
);
CREATE INDEX jwks_fetch_fetched_at ON jwks_fetch (fetched_at);

UPDATE schema_meta SET version = 12;
