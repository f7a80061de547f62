-- Invitations and password resets, and a revision of people for entity tags.

ALTER TABLE person ADD COLUMN revision bigint NOT NULL DEFAULT 1;
CREATE TRIGGER person_revision BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION next_revision();

-- Whoever holds the ticket may choose the person's password, once. Only its hash is kept.
CREATE TABLE password_ticket (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    person_id uuid NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'reset')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_ticket_person ON password_ticket (person_id);
CREATE INDEX password_ticket_expires_at ON password_ticket (expires_at);

UPDATE schema_meta SET version = 5;
