-- Signing keys, for installations that keep them here rather than in a directory.

-- Raised by every change of the keys, which gives the version that it was worked out from; processes poll it.
CREATE TABLE keyset_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL
);
INSERT INTO keyset_version (version) VALUES (0);

-- `sealed`: the PKCS#8 private key under a key-encryption key, gone once the key is retired. `external`: where it is instead.
CREATE TABLE signing_key (
    kid text PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    alg text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL CHECK (state IN ('prepublished', 'active', 'grace', 'retired')),
    sealed bytea,
    external jsonb,
    created_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    activated_at timestamptz,
    superseded_at timestamptz,
    retire_at timestamptz,
    retired_at timestamptz,
    revoke_reason text,
    CHECK (state = 'retired' OR (sealed IS NULL) <> (external IS NULL)),
    CHECK (state <> 'retired' OR sealed IS NULL)
);
CREATE UNIQUE INDEX signing_key_active ON signing_key (alg, purpose) WHERE state = 'active';

UPDATE schema_meta SET version = 3;
