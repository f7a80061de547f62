//! How things stand at one moment: pools, queues, keys, what waits to be done.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::app::App;
use crate::keys::external::{BreakerState, SignerStatus};
use crate::keys::open;
use crate::model::signing_key::{KeyEntry, KeyState};

type Labels = Vec<(&'static str, String)>;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Snapshot(Vec<Reading>);

/// One metric with all of its values.
#[derive(Debug)]
struct Reading {
    name: &'static str,
    help: &'static str,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// How much there is.
    Gauges(Vec<(Labels, f64)>),
    /// How often something happened since the process began.
    Counters(Vec<(Labels, u64)>),
}

impl Snapshot {
    /// Reads everything.
    pub(super) async fn take(app: &App, now: DateTime<Utc>) -> Self {
        let mut snapshot = Self::default();
        snapshot.gauge(
            "build_info",
            "The version that runs",
            [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)],
        );
        snapshot.add_queues(app);
        snapshot.add_audit(app);
        snapshot.add_keys(app, now).await;
        snapshot.add_outbox(app, now).await;
        snapshot
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, values: impl IntoIterator<Item = (Labels, f64)>) {
        self.0.push(Reading { name, help, values: Values::Gauges(values.into_iter().collect()) });
    }

    fn one(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauge(name, help, [(Vec::new(), value)]);
    }

    fn add_queues(&mut self, app: &App) {
        let pool = app.postgres.pool_status();
        let state = |name: &str, connections: usize| (vec![("state", name.to_owned())], number(connections));
        let connections = [state("idle", pool.idle), state("in_use", pool.open.saturating_sub(pool.idle))];
        self.gauge("postgres_connections", "Connections to Postgres that are open", connections);
        self.one("postgres_connections_most", "Connections to Postgres that may be open", number(pool.most));
        self.one("postgres_connections_awaited", "Who waits for a connection to Postgres", number(pool.waiting));
        if let Some(people) = &app.people {
            let help = "Passwords that wait for a thread to be hashed or checked";
            self.one("password_queue", help, number(people.waiting_passwords()));
        }
        self.one("rsa_queue", "RSA signatures that wait for a thread", number(app.keys.waiting_rsa_signatures()));
    }

    fn add_audit(&mut self, app: &App) {
        let waiting = number(app.audit.waiting_count());
        self.one("audit_notes", "Audit records of sign-ins and tokens that wait to be written", waiting);
        self.0.push(Reading {
            name: "audit_notes_dropped",
            help: "Audit records that were not kept because too many waited",
            values: Values::Counters(vec![(Vec::new(), app.audit.dropped_count())]),
        });
    }

    async fn add_keys(&mut self, app: &App, now: DateTime<Utc>) {
        let keyset = app.keys.current();
        let keys = keyset.ring().keys();
        let mut counted: BTreeMap<Labels, usize> = BTreeMap::new();
        for key in keys {
            let mut labels = kind(key);
            labels.push(("state", key.state.as_str().to_owned()));
            *counted.entry(labels).or_default() += 1;
        }
        let counted = counted.into_iter().map(|(labels, count)| (labels, number(count)));
        self.gauge("signing_keys", "Keys by algorithm, purpose and state", counted);
        let active = keys.iter().filter(|key| key.state == KeyState::Active);
        let ages = active.filter_map(|key| Some((named(key), seconds(now - key.activated_at?))));
        self.gauge("signing_key_age_seconds", "For how long the active keys have signed", ages);
        self.one(
            "keys_in_trouble",
            "Problems that keep stored keys from being used here",
            number(app.keys.trouble().len()),
        );
        if let Ok(policy) = open::policy(&app.config.keys, &app.config.tokens, &app.postgres).await {
            let timeline = app.keys.status(&policy, now).timeline;
            let overdue = timeline.iter().map(|step| seconds(now - step.at)).fold(0.0, f64::max);
            self.one("key_rotation_overdue_seconds", "How late the life cycle of the keys is", overdue);
        }
        self.add_signers(app, keys);
    }

    fn add_signers(&mut self, app: &App, keys: &[KeyEntry]) {
        let (mut signatures, mut paused) = (Vec::new(), Vec::new());
        for key in keys {
            let Some(SignerStatus { signed, failed, refused, breaker }) = app.keys.find_signer(&key.kid) else {
                continue;
            };
            for (outcome, count) in [("signed", signed), ("failed", failed), ("refused", refused)] {
                let mut labels = named(key);
                labels.push(("outcome", outcome.to_owned()));
                signatures.push((labels, count));
            }
            paused.push((named(key), if breaker == BreakerState::Closed { 0.0 } else { 1.0 }));
        }
        self.0.push(Reading {
            name: "external_signatures",
            help: "What programs of external keys were asked for",
            values: Values::Counters(signatures),
        });
        self.gauge("external_signer_paused", "Whether the program of an external key is not asked now", paused);
    }

    async fn add_outbox(&mut self, app: &App, now: DateTime<Utc>) {
        let Ok(backlog) = app.postgres.count_outbox().await else { return };
        let state = |name: &str, rows: i64| (vec![("state", name.to_owned())], number(rows));
        let rows = [state("waiting", backlog.waiting), state("given_up", backlog.given_up)];
        self.gauge("outbox_rows", "Notices to clients that are not delivered", rows);
        let lag = backlog.due_since.map_or(0.0, |since| seconds(now - since).max(0.0));
        self.one("outbox_lag_seconds", "How late the oldest notice is that is due", lag);
    }
}

fn kind(key: &KeyEntry) -> Labels {
    vec![("alg", key.alg.as_str().to_owned()), ("purpose", key.purpose.as_str().to_owned())]
}

fn named(key: &KeyEntry) -> Labels {
    let mut labels = kind(key);
    labels.push(("kid", key.kid.clone()));
    labels
}

/// What is counted here is far below 2^32.
fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::from(u32::MAX), f64::from)
}

fn seconds(span: chrono::TimeDelta) -> f64 {
    span.as_seconds_f64()
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Reading { name, help, values } in &self.0 {
            match values {
                Values::Gauges(values) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    for (labels, value) in values {
                        ConstGauge::new(*value).encode(metric.encode_family(labels)?)?;
                    }
                }
                Values::Counters(values) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    for (labels, value) in values {
                        ConstCounter::new(*value).encode(metric.encode_family(labels)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}
