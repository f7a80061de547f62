UPDATE schema_meta SET version = 4;
DROP TABLE password_ticket;
DROP TRIGGER person_revision ON person;
ALTER TABLE person DROP COLUMN revision;
