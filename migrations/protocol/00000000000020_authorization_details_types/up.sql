-- Types of authorization details (RFC 9396 section 2): what an object of the type may say, and how people are told of it. Like
-- scopes and resources they raise the policy version, and names that were taken away are not used again.
CREATE TABLE authorization_details_type (
    type text PRIMARY KEY,
    schema jsonb NOT NULL,
    name jsonb NOT NULL,
    sentence jsonb NOT NULL,
    resources text[] NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE TRIGGER authorization_details_type_revision BEFORE UPDATE ON authorization_details_type
    FOR EACH ROW EXECUTE FUNCTION next_revision();

UPDATE schema_meta SET version = 20;
