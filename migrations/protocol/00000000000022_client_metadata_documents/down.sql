UPDATE schema_meta SET version = 21;
DROP TABLE client_metadata_document;
