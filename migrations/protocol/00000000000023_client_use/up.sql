-- When a client was last used that nobody registered by hand, as far as no family says it any more. Those that are there already
-- may have been used long before: they count as used today.
CREATE TABLE client_use (
    client_id text PRIMARY KEY,
    used_at timestamptz NOT NULL
);
INSERT INTO client_use (client_id, used_at)
SELECT client_id, now() FROM client WHERE registered_through IS NOT NULL AND deleted_at IS NULL;

-- The revision of the client that it has made by itself; a higher one there: somebody changed it by hand.
ALTER TABLE client_registration ADD COLUMN client_revision bigint NOT NULL DEFAULT 1;

UPDATE schema_meta SET version = 23;
