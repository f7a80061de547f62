//! What a monitoring system collects.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where metrics are told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The address and port of `GET /metrics`, plain HTTP for Prometheus; absent: nothing is told. Another than `server.bind`,
    /// and not to be reached from outside: it tells how much is going on, and the names of clients.
    pub bind: Option<SocketAddr>,
}
