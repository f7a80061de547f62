-- What the admin API needs: a revision of everything that it changes, answers kept for repeated requests, and the clients
-- that people ask for.

-- The number behind an entity tag. A trigger counts it, so that no writer can forget to, an earlier version included.
CREATE FUNCTION next_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END
$$;

ALTER TABLE client ADD COLUMN revision bigint NOT NULL DEFAULT 1;
CREATE TRIGGER client_revision BEFORE UPDATE ON client FOR EACH ROW EXECUTE FUNCTION next_revision();
-- Identifiers of clients are never used again: what still carries one would come to life with the next client of that name.
ALTER TABLE client ADD COLUMN deleted_at timestamptz;
ALTER TABLE scope ADD COLUMN revision bigint NOT NULL DEFAULT 1;
CREATE TRIGGER scope_revision BEFORE UPDATE ON scope FOR EACH ROW EXECUTE FUNCTION next_revision();
ALTER TABLE resource ADD COLUMN revision bigint NOT NULL DEFAULT 1;
CREATE TRIGGER resource_revision BEFORE UPDATE ON resource FOR EACH ROW EXECUTE FUNCTION next_revision();

-- The answer to a creation, for whoever asks again with the same Idempotency-Key. Sealed, because it may hold a secret.
CREATE TABLE kept_answer (
    principal text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX kept_answer_expires_at ON kept_answer (expires_at);

-- A person asks for a client; an administrator decides; the credentials are handed over once.
CREATE TABLE access_request (
    id uuid PRIMARY KEY,
    subject text NOT NULL REFERENCES subject (id),
    settings jsonb NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'approved', 'refused', 'delivered')),
    decided_by text,
    decided_at timestamptz,
    note text,
    client_id text,
    sealed_secret bytea,
    delivered_at timestamptz,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL
);
CREATE TRIGGER access_request_revision BEFORE UPDATE ON access_request FOR EACH ROW EXECUTE FUNCTION next_revision();
CREATE INDEX access_request_subject ON access_request (subject, created_at);
CREATE INDEX access_request_open ON access_request (created_at) WHERE status = 'open';

-- What `ostiary apply` brought about last: what differs from it was changed by somebody else.
CREATE TABLE applied_policy (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    objects jsonb NOT NULL,
    applied_at timestamptz NOT NULL
);

-- When the first administrator was made, which happens once.
ALTER TABLE installation ADD COLUMN bootstrapped_at timestamptz;

UPDATE schema_meta SET version = 4;
