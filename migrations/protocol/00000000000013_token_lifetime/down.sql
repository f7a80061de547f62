UPDATE schema_meta SET version = 12;
DROP TABLE token_lifetime;
