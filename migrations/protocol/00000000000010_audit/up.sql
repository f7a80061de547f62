-- What happened, and who did it: written in the transaction of the change, never changed, without secrets. `object` is what it
-- happened to where that is neither a client nor a subject: a key, a scope, a session.
CREATE TABLE audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    actor_kind text NOT NULL CHECK (actor_kind IN ('client', 'person', 'operator', 'server')),
    actor text,
    client_id text,
    subject text,
    object text,
    ip inet,
    request_id text,
    detail jsonb,
    happened_at timestamptz NOT NULL,
    CHECK ((actor IS NOT NULL) = (actor_kind IN ('client', 'person')))
);
CREATE INDEX audit_event_actor ON audit_event (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_event_client_id ON audit_event (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX audit_event_subject ON audit_event (subject, id) WHERE subject IS NOT NULL;

UPDATE schema_meta SET version = 10;
