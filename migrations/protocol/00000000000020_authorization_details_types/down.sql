UPDATE schema_meta SET version = 13;
DROP TABLE authorization_details_type;
