UPDATE schema_meta SET version = 9;
DROP TABLE audit_event;
