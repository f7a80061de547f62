-- Clients that register themselves (RFC 7591, RFC 7592). How a client came to be registered; null: by an administrator.
ALTER TABLE client ADD COLUMN registered_through text;

-- Whoever has one may register clients, as often as it allows. Only its hash is kept.
CREATE TABLE initial_access_token (
    id uuid PRIMARY KEY,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    note text NOT NULL,
    policy jsonb NOT NULL,
    uses integer NOT NULL DEFAULT 0,
    max_uses integer CHECK (max_uses > 0),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL
);

-- With what a client manages its own registration: the hash of its registration access token covers its identifier.
CREATE TABLE client_registration (
    client_id text PRIMARY KEY REFERENCES client (client_id),
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    initial_access_token uuid REFERENCES initial_access_token (id),
    created_at timestamptz NOT NULL
);

UPDATE schema_meta SET version = 17;
