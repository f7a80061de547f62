//! Seals over audit records, so that none can be changed or taken away without it being found.
//!
//! A seal's digest is SHA-256 over the number of the seal, the digest of the one before, its time and every record; its MAC is
//! made with a key that is not in the database. So whoever can write there can neither change a record that is sealed, nor leave
//! one out, nor make the seals again. What they can do is to cut off the end, or to take records away in the moment before they
//! are sealed: against the first helps a digest that is kept elsewhere (the log has each), and the second is why it is soon.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound, Utc};

use crate::app::App;
use crate::keys::master_key::{MasterKeys, Purpose};
use crate::storage::StoreError;
use crate::storage::postgres::audit_seal::{Emptied, Seal, SealableRecord};

/// The most records that one seal covers.
pub const MOST_RECORDS: u16 = 1000;

/// How many seals are read at once.
const PAGE: u16 = 500;

/// What is wrong with the records, as far as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A seal is missing between those around it, or at the beginning.
    SealMissing {
        /// The number that is not there.
        number: i64,
    },
    /// The records of a seal are not those that it was made over, or it was not made over the seal before.
    RecordsChanged {
        /// The number of the seal.
        number: i64,
        /// So many records it was made over.
        sealed: i32,
        /// So many are there.
        found: usize,
    },
    /// A seal was not made with the master key, or was changed; or it is the last one and its master key is not here.
    Forged {
        /// Its number.
        number: i64,
    },
    /// The records of a seal are said to be deleted, and nothing proves that it was the server that did it.
    WronglyEmptied {
        /// Its number.
        number: i64,
    },
    /// Records that name a seal which is not there or has no records.
    Stray {
        /// How many.
        records: i64,
    },
    /// What the seal should be according to somebody who wrote it down is not there.
    NotAsExpected {
        /// Its number.
        number: i64,
    },
}

/// What a look at all seals came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// How many seals there are.
    pub seals: i64,
    /// How many records they cover that are there.
    pub records: i64,
    /// How many seals have no records any more because their time was over.
    pub emptied: i64,
    /// How many seals were made with a master key that is not here: they are covered by those that come after.
    pub unknown_key: i64,
    /// How many records wait for their seal.
    pub waiting: i64,
    /// The last seal: its number and its digest.
    pub head: Option<(i64, Vec<u8>)>,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
}

/// Seals what was recorded since the last time; how many records.
pub async fn seal(app: &App, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let make = |last: Option<&Seal>, records: &[SealableRecord]| Seal::over(&app.master_keys, last, records, now);
    let Some((seal, records)) = app.postgres.seal_audit_records(MOST_RECORDS.into(), make).await? else { return Ok(0) };
    if app.config.audit.log {
        records.iter().for_each(|record| log(record, &seal));
    }
    Ok(records.len())
}

/// A line of the log, for a system that collects those. The digest of the seal is in it, so that it is kept elsewhere too.
fn log(record: &SealableRecord, seal: &Seal) {
    let SealableRecord {
        id,
        event,
        outcome,
        actor_kind,
        actor,
        client_id,
        subject,
        object,
        ip,
        request_id,
        detail,
        ..
    } = record;
    let happened_at = DateTime::<Utc>::from_timestamp_micros(record.happened_at).map(|at| at.to_rfc3339());
    tracing::info!(
        id,
        event,
        outcome,
        actor_kind,
        actor,
        client_id,
        subject,
        object,
        ip,
        request_id,
        detail,
        happened_at,
        seal = seal.number,
        digest = URL_SAFE_NO_PAD.encode(&seal.digest),
        "audit record"
    );
}

/// Deletes the records of the oldest seal, if their time is over; `false`: it is not.
pub async fn empty(app: &App, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let retention = app.config.audit.retention;
    if retention.is_zero() {
        return Ok(false);
    }
    let now = now.trunc_subsecs(6);
    let key_id = app.master_keys.current();
    let prove = |seal: &Seal| {
        let mac = app.master_keys.mac(Purpose::AuditSeal, &emptied_text(seal, now));
        Emptied { at: now, key_id, mac: mac.to_vec() }
    };
    app.postgres.empty_audit_seal(now - retention, prove).await
}

/// Looks at every seal and every record. `expected` is a seal that somebody wrote down: its number and its digest.
pub async fn verify(app: &App, expected: Option<(i64, &[u8])>) -> Result<Verification, StoreError> {
    let mut found = Verification::default();
    let mut last: Option<Seal> = None;
    loop {
        let after = last.as_ref().map_or(0, |seal| seal.number);
        let page = app.postgres.list_audit_seals(after, PAGE.into()).await?;
        if page.is_empty() {
            break;
        }
        for seal in page {
            found.look_at(app, last.as_ref(), &seal).await?;
            last = Some(seal);
        }
    }
    if let Some((number, digest)) = expected {
        let at = app.postgres.list_audit_seals(number - 1, 1).await?;
        if !at.iter().any(|seal| seal.number == number && seal.digest == digest) {
            found.flaws.push(Flaw::NotAsExpected { number });
        }
    }
    let unsealed = app.postgres.count_unsealed_records().await?;
    found.waiting = unsealed.waiting;
    if unsealed.stray > 0 {
        found.flaws.push(Flaw::Stray { records: unsealed.stray });
    }
    if let Some(last) = last {
        // Whose key is not here is covered by those that come after; after the last one comes nothing.
        if !app.master_keys.has(last.key_id) {
            found.flaws.push(Flaw::Forged { number: last.number });
        }
        found.head = Some((last.number, last.digest));
    }
    Ok(found)
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SealMissing { number } => write!(f, "seal {number} is missing"),
            Self::RecordsChanged { number, sealed, found } if usize::try_from(*sealed) == Ok(*found) => {
                write!(f, "a record under seal {number} was changed, or took the place of another, out of {found}")
            }
            Self::RecordsChanged { number, sealed, found } => {
                write!(f, "seal {number} was made over {sealed} records, and {found} are there")
            }
            Self::Forged { number } => {
                write!(f, "seal {number} was not made with a master key that is here, or was changed")
            }
            Self::WronglyEmptied { number } => {
                write!(f, "the records of seal {number} are gone, and nothing proves that the server deleted them")
            }
            Self::Stray { records } => {
                write!(f, "{records} records name a seal that is not there, or that has none any more")
            }
            Self::NotAsExpected { number } => {
                write!(f, "seal {number} is not there, or is another one than was written down")
            }
        }
    }
}

impl Verification {
    async fn look_at(&mut self, app: &App, last: Option<&Seal>, seal: &Seal) -> Result<(), StoreError> {
        self.seals += 1;
        let number = seal.number;
        let expected = last.map_or(1, |last| last.number + 1);
        self.flaws.extend((expected..number).map(|number| Flaw::SealMissing { number }));
        let keys = &app.master_keys;
        if !keys.has(seal.key_id) {
            self.unknown_key += 1;
        } else if !keys.verify_mac(Purpose::AuditSeal, &mac_text(seal), &seal.mac) {
            self.flaws.push(Flaw::Forged { number });
        }
        if let Some(emptied) = &seal.emptied {
            self.emptied += 1;
            if !keys.verify_mac(Purpose::AuditSeal, &emptied_text(seal, emptied.at), &emptied.mac) {
                self.flaws.push(Flaw::WronglyEmptied { number });
            }
            return Ok(());
        }
        let records = app.postgres.list_sealed_records(number).await?;
        self.records += i64::try_from(records.len()).unwrap_or(i64::MAX);
        let before = last.map_or(&[][..], |last| &last.digest);
        if digest(number, before, seal.sealed_at, &records) != seal.digest {
            self.flaws.push(Flaw::RecordsChanged { number, sealed: seal.records, found: records.len() });
        }
        Ok(())
    }
}

impl Seal {
    fn over(keys: &MasterKeys, last: Option<&Self>, records: &[SealableRecord], now: DateTime<Utc>) -> Self {
        // As exact as it is stored.
        let now = now.trunc_subsecs(6);
        let number = last.map_or(1, |last| last.number + 1);
        let before = last.map_or(&[][..], |last| &last.digest);
        let mut seal = Self {
            number,
            records: i32::try_from(records.len()).unwrap_or(i32::MAX),
            digest: digest(number, before, now, records),
            key_id: keys.current(),
            mac: Vec::new(),
            sealed_at: now,
            emptied: None,
        };
        seal.mac = keys.mac(Purpose::AuditSeal, &mac_text(&seal)).to_vec();
        seal
    }
}

fn digest(number: i64, before: &[u8], sealed_at: DateTime<Utc>, records: &[SealableRecord]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(b"ostiary audit seal 1");
    context.update(&number.to_be_bytes());
    context.update(&before.len().to_be_bytes());
    context.update(before);
    context.update(&sealed_at.timestamp_micros().to_be_bytes());
    for record in records {
        for part in record.parts() {
            // With its length, and apart from one that is not there, so that no two records are the same bytes.
            context.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            context.update(part.unwrap_or_default().as_bytes());
        }
        context.update(&record.id.to_be_bytes());
        context.update(&record.happened_at.to_be_bytes());
    }
    context.finish().as_ref().to_vec()
}

/// What the MAC of a seal is made of.
fn mac_text(seal: &Seal) -> Vec<u8> {
    [&b"sealed"[..], &seal.records.to_be_bytes(), &seal.digest].concat()
}

fn emptied_text(seal: &Seal, at: DateTime<Utc>) -> Vec<u8> {
    [&b"emptied"[..], &at.timestamp_micros().to_be_bytes(), &seal.digest].concat()
}

impl SealableRecord {
    fn parts(&self) -> [Option<&str>; 10] {
        let Self { event, outcome, actor_kind, actor, client_id, subject, object, ip, request_id, detail, .. } = self;
        [
            Some(event),
            Some(outcome),
            Some(actor_kind),
            actor.as_deref(),
            client_id.as_deref(),
            subject.as_deref(),
            object.as_deref(),
            ip.as_deref(),
            request_id.as_deref(),
            detail.as_deref(),
        ]
    }
}
