-- The people side: what the local people backend keeps. Nothing on the protocol side refers to it; a subject finds its
-- person through `backend_ref`.

CREATE TABLE person (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username text NOT NULL,
    username_key text NOT NULL UNIQUE,
    claims jsonb NOT NULL,
    is_administrator boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Apart from the person, so that no query for claims can bring a hash along.
CREATE TABLE person_password (
    person_id uuid PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
    phc text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- lint: allow compatible-from: no program was ever released for version 1.
UPDATE schema_meta SET version = 2, compatible_from = 2;
