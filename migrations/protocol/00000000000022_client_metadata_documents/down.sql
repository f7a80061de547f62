UPDATE schema_meta SET version = 20;
DROP TABLE client_metadata_document;
