UPDATE schema_meta SET version = 23;
ALTER TABLE audit_event DROP CONSTRAINT audit_event_actor_kind_check;
ALTER TABLE audit_event ADD CONSTRAINT audit_event_actor_kind_check
    CHECK (actor_kind IN ('client', 'person', 'operator', 'server')) NOT VALID;
ALTER TABLE audit_event DROP COLUMN seal;
DROP TABLE audit_seal;
