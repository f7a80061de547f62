UPDATE schema_meta SET version = 17;
DROP TABLE authorization_details_type;
