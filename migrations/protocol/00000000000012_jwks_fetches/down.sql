UPDATE schema_meta SET version = 11;
DROP TABLE jwks_fetch;
