//! The lint of `scripts/check`: no `up.sql` keeps the users of a big table waiting, or takes away what the version before
//! uses. docs/migrations.md says what to write instead. `-- lint: allow RULE: REASON` above a statement exempts it.

mod history;
mod rules;

use ostiary::storage::postgres::migrate::{MIGRATIONS, Migration, sql};

use history::History;
use rules::Rule;

/// A finding: where it is, and what it breaks.
#[derive(Debug)]
struct Finding {
    place: String,
    rule: Rule,
}

/// Looks through migrations in their order.
fn lint(migrations: &[Migration]) -> Vec<String> {
    let (mut history, mut findings) = (History::default(), Vec::new());
    for migration in migrations {
        let statements = match sql::statements(migration.up) {
            Ok(statements) => statements,
            Err(error) => return vec![format!("{}: {error}", migration.name)],
        };
        history.begin();
        for sql in &statements {
            let place = format!("{}/up.sql:{}", migration.name, sql.line);
            let (allowed, wrong) = exemptions(&sql.comments);
            findings.extend(wrong.into_iter().map(|comment| format!("{place}: {comment}")));
            let broken = rules::broken(sql, migration, &history);
            for rule in allowed.iter().filter(|rule| !broken.contains(rule)) {
                findings.push(format!("{place}: `{}` is allowed for nothing: remove the comment", rule.name()));
            }
            let refused = broken.into_iter().filter(|rule| !allowed.contains(rule));
            findings.extend(refused.map(|rule| Finding { place: place.clone(), rule }.to_string()));
            history.follow(sql);
        }
        findings.extend(history.end(migration).into_iter().map(|problem| format!("{}: {problem}", migration.name)));
    }
    findings
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.rule.name(), self.rule.mend())
    }
}

/// The rules that comments allow to break, and the comments that allow nothing because they say it wrongly.
fn exemptions(comments: &[String]) -> (Vec<Rule>, Vec<String>) {
    let (mut allowed, mut wrong) = (Vec::new(), Vec::new());
    for comment in comments.iter().filter_map(|comment| comment.strip_prefix("lint:")) {
        let parts = comment.trim().strip_prefix("allow ").and_then(|rest| rest.split_once(':'));
        match parts.map(|(name, reason)| (Rule::named(name.trim()), reason.trim())) {
            Some((Some(rule), reason)) if reason.len() >= 10 => allowed.push(rule),
            Some((Some(_), _)) => {
                wrong.push("say why the rule may be broken: `-- lint: allow RULE: REASON`".to_owned())
            }
            Some((None, _)) => wrong.push(format!("there is no such rule; the rules are {}", Rule::names())),
            None => wrong.push("write `-- lint: allow RULE: REASON`".to_owned()),
        }
    }
    (allowed, wrong)
}

#[test]
fn no_migration_is_refused() {
    let findings = lint(MIGRATIONS);
    assert!(findings.is_empty(), "docs/migrations.md says what to write instead:\n{}", findings.join("\n"));
}

/// A schema with a table that counts as big, and one more migration.
fn lint_after_first(up: &'static str, change: impl FnOnce(&mut Migration)) -> Vec<String> {
    let first = Migration {
        version: 1,
        name: "00000000000001_first",
        up: "CREATE TABLE schema_meta (version integer, compatible_from integer);
             INSERT INTO schema_meta (version, compatible_from) VALUES (1, 1);
             CREATE TABLE big (id integer, name text);
             CREATE INDEX big_name ON big (name);
             CREATE UNIQUE INDEX big_one ON big (name);
             ALTER TABLE big ADD CONSTRAINT big_unlike UNIQUE (id);
             ALTER TABLE big ADD CONSTRAINT big_good CHECK (id > 0);",
        down: "DROP TABLE big",
        run_in_transaction: true,
        is_contract: false,
    };
    let up: &'static str = format!("{up};\nUPDATE schema_meta SET version = 2").leak();
    let mut second = Migration {
        version: 2,
        name: "00000000000002_second",
        up,
        down: "UPDATE schema_meta SET version = 1",
        ..first
    };
    change(&mut second);
    lint(&[first, second])
}

fn rules_of(findings: &[String]) -> Vec<&str> {
    findings.iter().map(|finding| finding.split(": ").nth(1).unwrap()).collect()
}

const REFUSED: [(&str, &str); 55] = [
    ("index-not-concurrent", "CREATE INDEX big_id ON big (id)"),
    ("index-not-concurrent", "CREATE UNIQUE INDEX IF NOT EXISTS big_id ON big (id)"),
    ("index-not-concurrent", "DROP INDEX big_name"),
    ("concurrently-in-transaction", "CREATE INDEX CONCURRENTLY big_id ON big (id)"),
    ("concurrently-in-transaction", "DROP INDEX CONCURRENTLY IF EXISTS big_name"),
    ("rewrite", "ALTER TABLE big ADD COLUMN secret uuid DEFAULT gen_random_uuid()"),
    ("rewrite", "ALTER TABLE big ADD COLUMN number bigserial"),
    ("rewrite", "ALTER TABLE big ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY"),
    ("rewrite", "ALTER TABLE big ADD COLUMN twice integer GENERATED ALWAYS AS (id * 2) STORED"),
    ("rewrite", "ALTER TABLE big ALTER COLUMN id TYPE bigint"),
    ("rewrite", "ALTER TABLE big SET UNLOGGED"),
    ("not-null-without-default", "ALTER TABLE big ADD COLUMN note text NOT NULL"),
    ("set-not-null", "ALTER TABLE big ALTER COLUMN name SET NOT NULL"),
    ("set-not-null", "ALTER TABLE big ADD CONSTRAINT big_pkey PRIMARY KEY USING INDEX big_one"),
    ("set-not-null", "ALTER TABLE big ADD CONSTRAINT big_pkey PRIMARY KEY USING INDEX big_unknown"),
    ("constraint-not-valid", "ALTER TABLE big ADD CONSTRAINT big_check CHECK (id > 0)"),
    ("constraint-not-valid", "ALTER TABLE big ADD FOREIGN KEY (id) REFERENCES other (id)"),
    ("constraint-not-valid", "ALTER TABLE big ADD COLUMN other integer REFERENCES other (id)"),
    ("constraint-not-valid", "ALTER TABLE big ADD COLUMN positive integer CHECK (positive > 0)"),
    ("constraint-builds-index", "ALTER TABLE big ADD CONSTRAINT big_key UNIQUE (id)"),
    ("constraint-builds-index", "ALTER TABLE big ADD PRIMARY KEY (id)"),
    ("constraint-builds-index", "ALTER TABLE big ADD COLUMN code text UNIQUE"),
    ("contract", "ALTER TABLE big DROP COLUMN name"),
    ("contract", "ALTER TABLE big RENAME COLUMN name TO title"),
    ("contract", "ALTER TABLE big RENAME TO large"),
    ("contract", "ALTER TABLE big ALTER COLUMN name DROP DEFAULT"),
    ("contract", "ALTER TABLE big ALTER COLUMN name SET NOT NULL"),
    ("contract", "ALTER TABLE big ADD CONSTRAINT big_check CHECK (id > 0) NOT VALID"),
    ("contract", "ALTER TABLE big ADD CONSTRAINT big_other FOREIGN KEY (id) REFERENCES other (id) NOT VALID"),
    ("contract", "ALTER TABLE big DROP CONSTRAINT big_unlike"),
    ("contract", "ALTER TABLE big DROP CONSTRAINT big_name_key"),
    ("contract", "DROP INDEX big_one"),
    ("contract", "DROP TABLE big"),
    ("contract", "DROP VIEW big_view"),
    ("contract", "DROP TYPE big_type"),
    ("contract", "TRUNCATE big"),
    ("full-table", "UPDATE big SET name = 'x'"),
    ("full-table", "UPDATE big SET name = 'x' WHERE true"),
    ("full-table", "UPDATE big SET name = 'x' WHERE 1 = 1"),
    ("full-table", "UPDATE big SET name = 'x' WHERE id IS NOT NULL"),
    ("full-table", "UPDATE big SET name = 'x' WHERE name IS NULL"),
    ("full-table", "UPDATE big SET name = 'x' WHERE (id = 1) OR id > 0"),
    ("full-table", "DELETE FROM big WHERE id = id"),
    ("full-table", "DELETE FROM big"),
    ("full-table", "VACUUM FULL big"),
    ("lock-table", "LOCK TABLE big"),
    ("lock-table", "LOCK TABLE big IN SHARE MODE"),
    ("transaction", "COMMIT"),
    ("transaction", "BEGIN"),
    ("not-understood", "CLUSTER big USING big_name"),
    ("not-understood", "VACUUM (FULL) big"),
    ("not-understood", "REINDEX TABLE big"),
    ("not-understood", "DO $$ BEGIN EXECUTE 'DROP TABLE big'; END $$"),
    ("not-understood", "CALL rebuild()"),
    ("not-understood", "ALTER TABLE big SET TABLESPACE fast"),
];

#[test]
fn what_locks_a_big_table_or_breaks_the_version_before_is_refused() {
    for (rule, text) in REFUSED {
        let findings = lint_after_first(text, |_| {});
        assert!(rules_of(&findings).contains(&rule), "{text}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.starts_with("00000000000002_second/up.sql:1: ")), "{findings:?}");
        // The same is harmless to a table that nobody uses yet, unless it says what no migration may say.
        if !matches!(rule, "transaction" | "concurrently-in-transaction" | "not-understood") && !text.contains("_view")
        {
            let fresh = format!(
                "CREATE TABLE small (id integer, name text); CREATE INDEX small_name ON small (name); \
                 CREATE UNIQUE INDEX small_one ON small (name); \
                 CREATE TYPE small_type AS ENUM ('a'); {}",
                text.replace("big", "small")
            );
            let findings = lint_after_first(fresh.leak(), |_| {});
            assert!(findings.is_empty(), "{text}: {findings:?}");
        }
    }
    let rules = REFUSED.map(|(rule, _)| rule);
    let elsewhere = ["validated-at-once", "not-repeatable", "compatible-from", "version"];
    for rule in Rule::ALL {
        assert!(rules.contains(&rule.name()) || elsewhere.contains(&rule.name()), "{} has a bad example", rule.name());
    }
}

#[test]
fn what_does_neither_is_let_through() {
    for text in [
        "ALTER TABLE big ADD COLUMN note text",
        "ALTER TABLE big ADD COLUMN note text NOT NULL DEFAULT ''",
        "ALTER TABLE big ADD COLUMN seen timestamptz NOT NULL DEFAULT now()",
        "ALTER TABLE big ADD COLUMN note text; ALTER TABLE big ADD CONSTRAINT big_noted CHECK (note <> '') NOT VALID",
        "ALTER TABLE big ADD COLUMN other integer; \
         ALTER TABLE big ADD CONSTRAINT big_other FOREIGN KEY (other) REFERENCES other (id) NOT VALID",
        "ALTER TABLE big ADD CONSTRAINT big_key UNIQUE USING INDEX big_name",
        "ALTER TABLE big ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE big ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE big DROP CONSTRAINT big_check",
        "ALTER TABLE big DROP CONSTRAINT big_good",
        "CREATE TABLE new (id integer REFERENCES big (id), name text UNIQUE); CREATE INDEX new_name ON new (name)",
        "UPDATE big SET name = 'x' WHERE id = 1",
        "UPDATE big SET name = 'x' WHERE name IS NULL AND id IN (1, 2)",
        "INSERT INTO big (id) VALUES (1)",
        "CREATE VIEW big_view AS SELECT id FROM big",
    ] {
        let findings = lint_after_first(text, |_| {});
        assert!(findings.is_empty(), "{text}: {findings:?}");
    }
    let text = "CREATE INDEX CONCURRENTLY big_id ON big (id); DROP INDEX CONCURRENTLY IF EXISTS big_name";
    let findings = lint_after_first(text, |migration| migration.run_in_transaction = false);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn a_column_becomes_not_null_by_a_constraint_that_was_validated_before() {
    let first = "ALTER TABLE big ADD CONSTRAINT big_named CHECK (name IS NOT NULL) NOT VALID";
    let (validate, set) =
        ("ALTER TABLE big VALIDATE CONSTRAINT big_named", "ALTER TABLE big ALTER COLUMN name SET NOT NULL");
    let together = |steps: &[&str]| {
        let findings = lint_after_first(steps.join(";").leak(), |migration| migration.run_in_transaction = false);
        rules_of(&findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!together(&[first, validate, set]).contains(&"set-not-null".to_owned()));
    assert!(together(&[first, set]).contains(&"set-not-null".to_owned()));
    let other = "ALTER TABLE big ADD CONSTRAINT big_named CHECK (name <> '') NOT VALID";
    assert!(together(&[other, validate, set]).contains(&"set-not-null".to_owned()));
    // In one transaction the table would be locked while it is read.
    let findings = lint_after_first(format!("{first}; {validate}").leak(), |_| {});
    assert_eq!(rules_of(&findings), ["contract", "validated-at-once"]);
    let key = "ALTER TABLE big ADD CONSTRAINT big_pkey PRIMARY KEY USING INDEX big_one";
    assert!(together(&[first, key]).contains(&"set-not-null".to_owned()));
    assert!(!together(&[first, validate, key]).contains(&"set-not-null".to_owned()));
    assert!(
        !together(&[first, validate, set, "ALTER TABLE big DROP CONSTRAINT big_named", key])
            .contains(&"set-not-null".to_owned())
    );
}

#[test]
fn a_migration_outside_of_a_transaction_can_be_repeated() {
    for text in [
        "ALTER TABLE big ADD COLUMN note text",
        "INSERT INTO big (id) VALUES (1)",
        "CREATE TABLE new (id integer)",
        "DROP INDEX CONCURRENTLY big_name",
        "CREATE INDEX CONCURRENTLY ON big (id)",
        "UPDATE big SET id = id + 1 WHERE name = 'x'; SELECT 1",
    ] {
        let findings = lint_after_first(text, |migration| migration.run_in_transaction = false);
        let is_update = text.starts_with("UPDATE");
        assert_eq!(rules_of(&findings).contains(&"not-repeatable"), !is_update, "{text}: {findings:?}");
    }
    for text in [
        "ALTER TABLE big ADD COLUMN IF NOT EXISTS note text",
        "CREATE TABLE IF NOT EXISTS new (id integer)",
        "INSERT INTO big (id) VALUES (1) ON CONFLICT DO NOTHING",
        "ALTER TABLE big VALIDATE CONSTRAINT big_check",
        "DELETE FROM big WHERE name = 'x'",
    ] {
        let findings = lint_after_first(text, |migration| migration.run_in_transaction = false);
        assert!(findings.is_empty(), "{text}: {findings:?}");
    }
}

#[test]
fn a_contract_step_declares_itself_and_raises_compatible_from() {
    let drop = "ALTER TABLE big DROP COLUMN name";
    let with = |meta: &str, is_contract: bool| {
        let text: &'static str = format!("{drop}; UPDATE schema_meta SET {meta} ").leak();
        let change = |migration: &mut Migration| {
            (migration.up, migration.is_contract) = (text, is_contract);
        };
        lint_after_first("", change)
    };
    assert!(with("version = 2, compatible_from = 2", true).is_empty());
    assert_eq!(rules_of(&with("version = 2, compatible_from = 2", false)), ["contract", "compatible-from"]);
    for findings in [with("version = 2", true), with("version = 2, compatible_from = 1", true)] {
        assert!(findings.len() == 1 && findings[0].contains("contract step"), "{findings:?}");
    }
    assert!(with("version = 2, compatible_from = 3", true)[0].contains("beyond"));
}

#[test]
fn every_migration_writes_its_version_at_its_end() {
    let with = |up: &'static str| lint_after_first("", |migration| migration.up = up);
    assert!(with("SELECT 1")[0].contains("does not write its version"));
    assert_eq!(rules_of(&with("UPDATE schema_meta SET version = 3")), ["version"]);
    let early = with("UPDATE schema_meta SET version = 2; CREATE TABLE new (id integer)");
    assert!(early[0].contains("not its last statement"), "{early:?}");
}

#[test]
fn every_migration_says_how_it_is_taken_back() {
    let with = |down: &'static str| lint_after_first("SELECT 1", |migration| migration.down = down);
    assert!(with("UPDATE schema_meta SET version = 1; SELECT 1").is_empty());
    for (down, words) in [
        ("", "is empty"),
        ("-- nothing", "is empty"),
        ("SELECT 1; UPDATE schema_meta SET version = 1", "does not begin with the version before"),
        ("UPDATE schema_meta SET version = 2", "does not begin with the version before"),
    ] {
        let findings = with(down);
        assert!(findings.len() == 1 && findings[0].contains(words), "{down}: {findings:?}");
    }
}

#[test]
fn an_exemption_needs_a_rule_that_is_broken_and_a_reason() {
    let with = |comment: &str| lint_after_first(format!("-- {comment}\nDROP TABLE big").leak(), |_| {});
    assert!(with("lint: allow contract: nothing ever wrote to it").is_empty());
    for (comment, words) in [
        ("lint: allow contract:", "say why"),
        ("lint: allow contract: yes", "say why"),
        ("lint: allow contract", "write `-- lint: allow RULE: REASON`"),
        ("lint: ignore", "write `-- lint: allow RULE: REASON`"),
        ("lint: allow everything: it is fine, really", "there is no such rule"),
        ("lint: allow rewrite: nothing ever wrote to it", "allowed for nothing"),
    ] {
        let findings = with(comment);
        assert!(findings.iter().any(|finding| finding.contains(words)), "{comment}: {findings:?}");
        assert!(findings.iter().any(|finding| finding.contains(": contract: ")), "{comment}: {findings:?}");
    }
}
