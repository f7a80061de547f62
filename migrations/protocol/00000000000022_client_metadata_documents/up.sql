-- Clients that are named by an address at which they describe themselves (draft-ietf-oauth-client-id-metadata-document). What
-- they say there is in `client.settings`; this is when it was fetched, and until when nobody has to look again.
CREATE TABLE client_metadata_document (
    client_id text PRIMARY KEY REFERENCES client (client_id),
    -- The revision of the client that the documents alone have made; a higher one there: somebody changed it by hand.
    client_revision bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    fresh_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);

UPDATE schema_meta SET version = 22;
