-- The protocol side: everything that clients, sessions and tokens need. An edge without people of its own has these
-- tables and no others. Times are written by the application's clock, never by the server's.

-- Which schema this is, and from which version of the application on it can be used.
CREATE TABLE schema_meta (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version integer NOT NULL,
    compatible_from integer NOT NULL
);
INSERT INTO schema_meta (version, compatible_from) VALUES (1, 1);

-- Whether this database belongs to `ostiary dev`, so that neither mode ever touches the other's data.
CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    kind text NOT NULL CHECK (kind IN ('dev', 'production')),
    created_at timestamptz NOT NULL
);

-- Bumped in the transaction of every change to a client, scope or resource; processes poll it and forget their caches.
CREATE TABLE policy_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL
);
INSERT INTO policy_version (version) VALUES (1);

-- Who tokens are about. Rows are never deleted and identifiers never used again.
CREATE TABLE subject (
    id text PRIMARY KEY
        DEFAULT 'u.' || rtrim(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), '=')
        CHECK (id ~ '^u\.[A-Za-z0-9_-]{22}$'),
    backend text NOT NULL,
    backend_ref text NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    generation bigint NOT NULL DEFAULT 0,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (backend, backend_ref)
);

CREATE TABLE client (
    client_id text PRIMARY KEY CHECK (length(client_id) BETWEEN 1 AND 2048 AND client_id NOT LIKE 'u.%'),
    enabled boolean NOT NULL,
    settings jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- `hmac`: a MAC that covers the client id. `sealed`: encrypted, where the protocol needs the secret itself.
CREATE TABLE client_secret (
    client_id text NOT NULL REFERENCES client (client_id) ON DELETE CASCADE,
    id uuid NOT NULL,
    kind text NOT NULL DEFAULT 'hmac' CHECK (kind IN ('hmac', 'sealed')),
    mac bytea NOT NULL CHECK (kind <> 'hmac' OR octet_length(mac) = 32),
    key_id smallint NOT NULL CHECK (key_id BETWEEN 0 AND 255),
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id)
);

CREATE TABLE scope (
    name text PRIMARY KEY,
    description jsonb NOT NULL,
    published boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The scopes that OpenID Connect defines (Core sections 3.1.2.1, 5.4 and 11): without them no client could ask for anything.
INSERT INTO scope (name, description, published, created_at, updated_at)
SELECT name, jsonb_build_object('en', en, 'de', de), true, now(), now()
FROM (VALUES
    ('openid', 'Know that it is you', 'Erkennen, dass Sie es sind'),
    ('profile', 'See your name and profile', 'Ihren Namen und Ihr Profil sehen'),
    ('email', 'See your email address', 'Ihre E-Mail-Adresse sehen'),
    ('address', 'See your postal address', 'Ihre Postanschrift sehen'),
    ('phone', 'See your phone number', 'Ihre Telefonnummer sehen'),
    ('offline_access', 'Keep this access while you are away', 'Den Zugriff behalten, während Sie weg sind')
) AS standard (name, en, de);

CREATE TABLE resource (
    uri text PRIMARY KEY,
    name jsonb NOT NULL,
    scopes text[] NOT NULL,
    restricted boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The truth for "is this sign-in alive". `seen_at` is in no index, so that touching it is a heap-only update.
CREATE TABLE session (
    sid uuid PRIMARY KEY,
    subject text NOT NULL REFERENCES subject (id),
    generation bigint NOT NULL,
    auth_time timestamptz NOT NULL,
    amr text[] NOT NULL,
    acr text NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    created_at timestamptz NOT NULL,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX session_subject ON session (subject);
CREATE INDEX session_open ON session (expires_at) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE consent (
    subject text NOT NULL REFERENCES subject (id),
    client_id text NOT NULL,
    scopes text[] NOT NULL,
    resources text[] NOT NULL,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (subject, client_id)
);

-- One row per redeemed code, whose identifier it takes over. Rotation changes no indexed column and finds room on the
-- page, so that it is a heap-only update: keep it so.
CREATE TABLE token_family (
    id uuid PRIMARY KEY,
    exchange_id uuid NOT NULL,
    grant_type text NOT NULL,
    client_id text NOT NULL,
    subject text NOT NULL,
    generation bigint NOT NULL,
    sid uuid NOT NULL,
    scopes text[] NOT NULL,
    resources text[] NOT NULL,
    authorization_details jsonb,
    claims jsonb,
    acr text NOT NULL,
    amr text[] NOT NULL,
    auth_time timestamptz NOT NULL,
    bound_jkt text,
    bound_x5t text,
    act jsonb,
    code_hash bytea NOT NULL,
    code_challenge text,
    seq integer NOT NULL DEFAULT 0,
    cur_hash bytea,
    prev_hash bytea,
    salt bytea,
    key_id smallint,
    rotated_at timestamptz,
    idle_expires_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoke_reason text,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 65);
CREATE INDEX token_family_sid ON token_family (sid, client_id);
CREATE INDEX token_family_subject ON token_family (subject, client_id);
CREATE INDEX token_family_expires_at ON token_family (expires_at);

CREATE TABLE revoked_token (
    jti text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_expires_at ON revoked_token (expires_at);

-- What has to happen after a commit: written in its transaction, done by a job.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    taken_until timestamptz,
    done_at timestamptz,
    failed_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE done_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_finished ON outbox (coalesce(done_at, failed_at)) WHERE done_at IS NOT NULL OR failed_at IS NOT NULL;
