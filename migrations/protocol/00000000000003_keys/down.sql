UPDATE schema_meta SET version = 2;
DROP TABLE signing_key;
DROP TABLE keyset_version;
