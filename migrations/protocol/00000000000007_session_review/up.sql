-- When a session is next looked at by the job that ends what is over. `seen_at` must stay out of every index, so that touching
-- a session is a heap-only update; so a session in use is looked at once per idle time and put off, and the job reads no
-- other rows. The default lets the program before this one go on inserting: such a row is looked at at once.
ALTER TABLE session ADD COLUMN review_at timestamptz NOT NULL DEFAULT '-infinity';

UPDATE schema_meta SET version = 7;
