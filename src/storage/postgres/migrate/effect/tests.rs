use super::*;
use crate::storage::postgres::migrate::sql::statements;

fn of(text: &str) -> Option<Vec<(String, Lock, &'static str)>> {
    let found = statements(text).unwrap();
    let effects = effects(&found[0])?;
    let extent = |effect: &Effect| match effect {
        Effect { rewrites: true, .. } => "rewrites",
        Effect { scans: true, .. } => "scans",
        _ => "",
    };
    Some(effects.iter().map(|effect| (effect.table.clone(), effect.lock, extent(effect))).collect())
}

#[test]
fn the_lock_and_the_extent_of_each_statement_are_known() {
    use Lock::{AccessExclusive, RowExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};
    let expected = [
        ("CREATE INDEX i ON t (a)", Share, "scans"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a) WHERE a IS NULL", ShareUpdateExclusive, "scans"),
        ("DROP INDEX t", AccessExclusive, ""),
        ("DROP INDEX CONCURRENTLY IF EXISTS t", ShareUpdateExclusive, ""),
        ("DROP TABLE t", AccessExclusive, ""),
        ("TRUNCATE t", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a integer", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a integer NOT NULL DEFAULT -1", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a jsonb NOT NULL DEFAULT '{}'::jsonb", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a text[] NOT NULL DEFAULT ARRAY['a']", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a timestamptz NOT NULL DEFAULT now()", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a timestamptz DEFAULT CURRENT_TIMESTAMP", AccessExclusive, ""),
        ("ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a timestamptz DEFAULT clock_timestamp()", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a text DEFAULT left(b, 3)", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a bigserial", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (b + 1) STORED", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ADD COLUMN a integer CHECK (a > 0)", AccessExclusive, "scans"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", AccessExclusive, "rewrites"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", AccessExclusive, "scans"),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", AccessExclusive, ""),
        ("ALTER TABLE t ALTER COLUMN a SET DEFAULT gen_random_uuid()", AccessExclusive, ""),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", AccessExclusive, "scans"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", AccessExclusive, ""),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", AccessExclusive, "scans"),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i", AccessExclusive, ""),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", ShareUpdateExclusive, "scans"),
        ("ALTER TABLE t VALIDATE CONSTRAINT c, DROP COLUMN b", AccessExclusive, "scans"),
        ("ALTER TABLE t RENAME COLUMN a TO b", AccessExclusive, ""),
        ("ALTER TABLE t RENAME TO u", AccessExclusive, ""),
        ("ALTER TABLE t SET (fillfactor = 70)", ShareUpdateExclusive, ""),
        ("ALTER TABLE t DISABLE TRIGGER g", ShareRowExclusive, ""),
        ("INSERT INTO t (a) SELECT 1", RowExclusive, ""),
        ("UPDATE t SET a = 1 WHERE b = 2", RowExclusive, ""),
        ("UPDATE t SET a = 1", RowExclusive, "rewrites"),
        ("DELETE FROM t", RowExclusive, "rewrites"),
        ("LOCK TABLE t IN SHARE MODE", Share, ""),
        ("LOCK t", AccessExclusive, ""),
        ("VACUUM FULL t", AccessExclusive, "rewrites"),
        ("COMMENT ON TABLE t IS 'x'", ShareUpdateExclusive, ""),
    ];
    for (text, lock, extent) in expected {
        assert_eq!(of(text), Some(vec![("t".to_owned(), lock, extent)]), "{text}");
    }
}

#[test]
fn a_reference_keeps_the_writers_of_the_other_table_away() {
    use Lock::{AccessExclusive, ShareRowExclusive};
    let both =
        |extent| Some(vec![("t".to_owned(), ShareRowExclusive, extent), ("u".to_owned(), ShareRowExclusive, "")]);
    assert_eq!(of("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a)"), both("scans"));
    assert_eq!(of("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a) NOT VALID"), both(""));
    let created = [("t".to_owned(), AccessExclusive, ""), ("u".to_owned(), ShareRowExclusive, "")];
    let text = "CREATE TABLE t (a uuid PRIMARY KEY REFERENCES u (a), b uuid REFERENCES t (a))";
    assert_eq!(of(text).as_deref(), Some(created.as_slice()));
    assert_eq!(of("CREATE EXTENSION pgcrypto"), Some(Vec::new()));
}

#[test]
fn what_is_not_known_is_not_guessed() {
    for text in ["CLUSTER t", "DO $$ BEGIN END $$", "ALTER TABLE t SET TABLESPACE fast", "CALL f()"] {
        assert_eq!(of(text), None, "{text}");
    }
}

#[test]
fn who_waits_follows_from_the_lock() {
    assert_eq!(Lock::AccessExclusive.blocks(), "reads and writes");
    assert_eq!(Lock::ShareRowExclusive.blocks(), "writes");
    assert_eq!(Lock::ShareUpdateExclusive.blocks(), "nobody");
    assert!(Lock::AccessShare < Lock::AccessExclusive);
}
