UPDATE schema_meta SET version = 10;
ALTER TABLE subject DROP COLUMN code_generation;
