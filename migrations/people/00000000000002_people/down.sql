UPDATE schema_meta SET version = 1, compatible_from = 1;
DROP TABLE person_password;
DROP TABLE person;
