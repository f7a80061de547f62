//! `schema.rs` is what the migrations make. `scripts/schema` runs this test with `OSTIARY_WRITE_SCHEMA=1` to write it.

use std::fmt::Write;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::TestDatabase;

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Bool)]
    is_nullable: bool,
    #[diesel(sql_type = Nullable<Text>)]
    primary_key: Option<String>,
}

const COLUMNS: &str = r#"
    SELECT c.table_name::text, c.column_name::text, c.udt_name::text AS type_name, c.is_nullable = 'YES' AS is_nullable,
        (SELECT string_agg(k.column_name, ', ' ORDER BY k.ordinal_position)
            FROM information_schema.table_constraints t
            JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
            WHERE t.table_schema = c.table_schema AND t.table_name = c.table_name
                AND t.constraint_type = 'PRIMARY KEY') AS primary_key
    FROM information_schema.columns c
    WHERE c.table_schema = 'public' AND c.table_name <> '__diesel_schema_migrations'
    ORDER BY c.table_name COLLATE "C", c.ordinal_position"#;

/// Joins that the query builder is used for; everything else is written in SQL.
const RELATIONS: &str = "
diesel::joinable!(client_secret -> client (client_id));

diesel::allow_tables_to_appear_in_same_query!(client, client_secret, token_family);
";

fn sql_type(name: &str) -> &str {
    match name {
        "_text" => "Array<Text>",
        "bool" => "Bool",
        "bytea" => "Bytea",
        "int2" => "Int2",
        "int4" => "Int4",
        "inet" => "Inet",
        "int8" => "Int8",
        "jsonb" => "Jsonb",
        "text" => "Text",
        "timestamptz" => "Timestamptz",
        "uuid" => "Uuid",
        other => panic!("name the diesel type of {other} here"),
    }
}

/// Column names that are no identifiers of Rust have another one there.
fn identifier(column: &str) -> String {
    if column == "type" { format!("{column}_") } else { column.to_owned() }
}

fn render(columns: &[ColumnRow]) -> String {
    let mut text = String::from(
        "//! The tables, as the migrated database has them. Written by `scripts/schema`; a test compares.\n",
    );
    for table in columns.chunk_by(|a, b| a.table_name == b.table_name) {
        let key = table[0].primary_key.as_deref().expect("a primary key");
        let key = key.split(", ").map(identifier).collect::<Vec<_>>().join(", ");
        writeln!(text, "\ndiesel::table! {{\n    {} ({key}) {{", table[0].table_name).unwrap();
        for column in table {
            let base = sql_type(&column.type_name);
            let full = if column.is_nullable { format!("Nullable<{base}>") } else { base.to_owned() };
            let name = identifier(&column.column_name);
            if name != column.column_name {
                writeln!(text, "        #[sql_name = {:?}]", column.column_name).unwrap();
            }
            writeln!(text, "        {name} -> {full},").unwrap();
        }
        text.push_str("    }\n}\n");
    }
    text + RELATIONS
}

#[tokio::test]
async fn schema_rs_is_what_the_migrations_make() {
    let db = TestDatabase::migrated().await;
    let columns: Vec<ColumnRow> =
        db.postgres.run(async |conn| diesel::sql_query(COLUMNS).load(conn).await).await.expect("columns");
    let rendered = render(&columns);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage/postgres/schema.rs");
    if std::env::var_os("OSTIARY_WRITE_SCHEMA").is_some() {
        std::fs::write(path, &rendered).expect("written");
    }
    let stored = std::fs::read_to_string(path).expect("schema.rs");
    assert!(stored == rendered, "schema.rs is not what the migrations make: run scripts/schema\n{rendered}");
}
