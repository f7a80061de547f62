-- What the admin API needs for scopes and resources, sessions, and tokens.

-- Raised when everything that was issued to a client is revoked. A family carries the one that its code was made under, so
-- that all of them end with one update of one row. What an earlier version writes carries 0, and ends with the first
-- revocation.
ALTER TABLE client ADD COLUMN generation bigint NOT NULL DEFAULT 0;
ALTER TABLE token_family ADD COLUMN client_generation bigint NOT NULL DEFAULT 0;

-- Names are never used again, like identifiers of clients: a consent or a registration that still has one would come to mean
-- something else.
ALTER TABLE scope ADD COLUMN deleted_at timestamptz;
ALTER TABLE resource ADD COLUMN deleted_at timestamptz;

UPDATE schema_meta SET version = 6;
