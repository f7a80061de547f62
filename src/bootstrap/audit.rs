//! `ostiary audit verify`, `ostiary audit tail`, `ostiary audit export`.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::flow::audit_seal::{self, Verification};
use crate::storage::postgres::audit_seal::{ExportedRecord, SealableRecord};

/// How many records are read at once.
const PAGE: u16 = 500;

/// The most records that `tail` shows, and looks at for new ones.
const MOST_LINES: u16 = 1000;

/// How often `tail --follow` looks.
const LOOK: Duration = Duration::from_secs(1);

/// What to do with the records.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Look whether any record was changed, added or taken away since it was sealed: 0 if none was, 1 if any was
    Verify(VerifyOptions),
    /// Show the newest records, the last one at the end
    Tail(TailOptions),
    /// Write the records, one JSON object a line
    Export(ExportOptions),
}

/// How to verify.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// A seal that was written down elsewhere, as NUMBER:DIGEST: it has to be there. Only so is it found that the end was cut off
    #[arg(long, value_name = "SEAL", value_parser = parse_seal)]
    expect: Option<(i64, Vec<u8>)>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What to show.
#[derive(Debug, Args)]
pub struct TailOptions {
    /// So many records
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=i64::from(MOST_LINES)))]
    lines: u16,
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What to write.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// Only what happened from that time on (2026-01-31T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only what happened before that time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// The file, instead of the standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does it.
pub async fn run(app: &App, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify(options) => verify(app, options).await,
        AuditCommand::Tail(options) => tail(app, options).await,
        AuditCommand::Export(options) => export(app, options).await,
    }
}

fn parse_seal(text: &str) -> Result<(i64, Vec<u8>), String> {
    let parts = text.split_once(':').and_then(|(number, digest)| {
        let number = number.parse().ok().filter(|number| *number > 0)?;
        Some((number, URL_SAFE_NO_PAD.decode(digest).ok().filter(|digest| digest.len() == 32)?))
    });
    parts.ok_or_else(|| "a seal is its number, a colon, and the digest, as `verify` shows them".to_owned())
}

async fn verify(app: &App, options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let expected = options.expect.as_ref().map(|(number, digest)| (*number, digest.as_slice()));
    let found = audit_seal::verify(app, expected).await?;
    if options.json {
        println!("{:#}", document(&found));
    } else {
        report(&found);
    }
    Ok(if found.flaws.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn head(found: &Verification) -> Option<String> {
    found.head.as_ref().map(|(number, digest)| format!("{number}:{}", URL_SAFE_NO_PAD.encode(digest)))
}

fn document(found: &Verification) -> Value {
    json!({
        "is_intact": found.flaws.is_empty(),
        "seals": found.seals,
        "records": found.records,
        "emptied_seals": found.emptied,
        "seals_of_other_keys": found.unknown_key,
        "waiting": found.waiting,
        "head": head(found),
        "flaws": found.flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn report(found: &Verification) {
    for flaw in &found.flaws {
        println!("wrong: {flaw}");
    }
    println!("{} records under {} seals, and {} that wait for theirs", found.records, found.seals, found.waiting);
    if found.emptied > 0 {
        println!("{} seals have no records any more, because their time was over", found.emptied);
    }
    if found.unknown_key > 0 {
        println!(
            "{} seals were made with a master key that is not here; what comes after covers them",
            found.unknown_key
        );
    }
    if let Some(head) = head(found) {
        println!("the last seal is {head}");
        println!("keep it elsewhere: `ostiary audit verify --expect` with it finds that the end was cut off");
    }
    println!(
        "{}",
        if found.flaws.is_empty() { "no record was changed or taken away" } else { "the records are not intact" }
    );
}

async fn tail(app: &App, options: &TailOptions) -> anyhow::Result<ExitCode> {
    let mut known: Option<HashSet<i64>> = None;
    loop {
        let newest = app.postgres.list_newest_audit_records(MOST_LINES.into()).await?;
        let fresh: Vec<&ExportedRecord> = match &known {
            None => newest.iter().take(options.lines.into()).collect(),
            // What was begun early may come late: it is not enough to look behind the last number.
            Some(known) => newest.iter().filter(|record| !known.contains(&record.record.id)).collect(),
        };
        for record in fresh.into_iter().rev() {
            let text = if options.json { line(record).to_string() } else { words(&record.record) };
            if writeln!(io::stdout(), "{text}").is_err() {
                // Whoever read it has gone.
                return Ok(ExitCode::SUCCESS);
            }
        }
        if !options.follow {
            return Ok(ExitCode::SUCCESS);
        }
        known = Some(newest.iter().map(|record| record.record.id).collect());
        tokio::time::sleep(LOOK).await;
    }
}

async fn export(app: &App, options: &ExportOptions) -> anyhow::Result<ExitCode> {
    let mut output: Box<dyn Write> = match &options.output {
        Some(path) => {
            let file = File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let mut after = 0;
    loop {
        let page = app.postgres.export_audit_records(after, (options.since, options.until), PAGE.into()).await?;
        let Some(last) = page.last() else { break };
        after = last.record.id;
        for record in &page {
            writeln!(output, "{}", line(record))?;
        }
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn happened_at(record: &SealableRecord) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(record.happened_at).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// As `GET /admin/audit-events` tells it, with the seal.
fn line(ExportedRecord { record, seal }: &ExportedRecord) -> Value {
    let actor = match &record.actor {
        Some(id) => json!({ "kind": record.actor_kind, "id": id }),
        None => json!({ "kind": record.actor_kind }),
    };
    let mut line = Map::new();
    line.insert("id".into(), json!(record.id));
    line.insert("event".into(), json!(record.event));
    line.insert("outcome".into(), json!(record.outcome));
    line.insert("actor".into(), actor);
    for (name, value) in [
        ("client_id", &record.client_id),
        ("subject", &record.subject),
        ("object", &record.object),
        ("ip", &record.ip),
        ("request_id", &record.request_id),
    ] {
        if let Some(value) = value {
            line.insert(name.into(), json!(value));
        }
    }
    if let Some(detail) = record.detail.as_deref().and_then(|detail| serde_json::from_str::<Value>(detail).ok()) {
        line.insert("detail".into(), detail);
    }
    line.insert("happened_at".into(), json!(happened_at(record)));
    line.insert("seal".into(), json!(seal));
    Value::Object(line)
}

/// A record for people.
fn words(record: &SealableRecord) -> String {
    let mut words = vec![happened_at(record), record.event.clone()];
    if record.outcome != "success" {
        words.push(record.outcome.clone());
    }
    words.push(match &record.actor {
        Some(actor) => format!("by {} {actor}", record.actor_kind),
        None => format!("by the {}", record.actor_kind),
    });
    let parts = [
        ("client", &record.client_id),
        ("subject", &record.subject),
        ("object", &record.object),
        ("from", &record.ip),
        ("request", &record.request_id),
    ];
    words.extend(parts.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}"))));
    words.join("  ")
}
