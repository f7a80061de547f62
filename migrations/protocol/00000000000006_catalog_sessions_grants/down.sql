UPDATE schema_meta SET version = 5;
DELETE FROM resource WHERE deleted_at IS NOT NULL;
ALTER TABLE resource DROP COLUMN deleted_at;
DELETE FROM scope WHERE deleted_at IS NOT NULL;
ALTER TABLE scope DROP COLUMN deleted_at;
-- The version before cannot tell that these ended.
DELETE FROM token_family f USING client c WHERE c.client_id = f.client_id AND c.generation <> f.client_generation;
ALTER TABLE token_family DROP COLUMN client_generation;
ALTER TABLE client DROP COLUMN generation;
