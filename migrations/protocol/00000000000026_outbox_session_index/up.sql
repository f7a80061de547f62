-- What the clients of a session were told of its end.
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_session ON outbox ((payload ->> 'sid')) WHERE kind = 'backchannel_logout';

UPDATE schema_meta SET version = 26;
