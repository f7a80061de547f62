//! Where the server is and how to reach it: what the database URL says.

use std::error::Error;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Trust};
use crate::storage::StoreError;

/// How long a peer that answers nothing at all keeps a connection.
const DEAD_PEER: Duration = Duration::from_secs(15);

/// A database that connections can be made to.
pub(in crate::storage::postgres) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Understands a database URL. No error repeats any of it, for it holds a password.
    pub(in crate::storage::postgres) fn parse(url: &SecretString) -> Result<Self, StoreError> {
        let options = TlsOptions::split_from(url.expose_secret());
        let mut config: Config = options.rest.parse().map_err(|error: tokio_postgres::Error| {
            StoreError::unavailable(format!(
                "the database URL is not understood ({error}); it looks like postgres://user:password@host/database"
            ))
        })?;
        if let Some(mode) = options.mode {
            config.ssl_mode(mode);
        }
        if config.get_application_name().is_none() {
            config.application_name("ostiary");
        }
        config.keepalives_idle(DEAD_PEER).tcp_user_timeout(DEAD_PEER);
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            SslMode::Prefer => Some(tls::connector(&Trust::Anyone)?),
            _ => Some(tls::connector(&options.root_file.map_or(Trust::System, Trust::File))?),
        };
        Ok(Self { config, tls })
    }

    /// A new connection without diesel, for migrations: its errors tell what Postgres refused, and where. It ends with the
    /// client. An error says why it was not made.
    pub(in crate::storage::postgres) async fn connect(&self) -> Result<Client, String> {
        let failed = |error| refused(&error).to_string();
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
                // An error reaches whoever waits for an answer.
                tokio::spawn(async move { connection.await.ok() });
                Ok(client)
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(failed)?;
                tokio::spawn(async move { connection.await.ok() });
                Ok(client)
            }
        }
    }

    /// A new connection, whose statements end after `statement_timeout`.
    pub(in crate::storage::postgres) async fn establish(
        &self,
        statement_timeout: Option<Duration>,
    ) -> ConnectionResult<AsyncPgConnection> {
        let mut conn = match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(|error| refused(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(|error| refused(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
        };
        // Every verb is written for READ COMMITTED: a stricter default of the database would turn races into errors.
        let timeout = statement_timeout.map_or(0, |timeout| timeout.as_millis());
        conn.batch_execute(&format!(
            "SET statement_timeout = {timeout}; SET default_transaction_isolation = 'read committed'"
        ))
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
}

/// The driver's own text leaves out the cause, which is what an operator needs.
fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    ConnectionError::BadConnection(format!("{error}{cause}"))
}

/// What the URL says of TLS that the driver does not know itself, and the URL without it.
struct TlsOptions {
    rest: String,
    mode: Option<SslMode>,
    root_file: Option<String>,
}

impl TlsOptions {
    fn split_from(url: &str) -> Self {
        let mut options = Self { rest: url.to_owned(), mode: None, root_file: None };
        let Some((base, query)) = url.split_once('?') else { return options };
        let mut kept = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", "verify-ca" | "verify-full")) => options.mode = Some(SslMode::Require),
                Some(("sslrootcert", file)) => {
                    let file = percent_encoding::percent_decode_str(file).decode_utf8_lossy().into_owned();
                    options.root_file = Some(file);
                }
                _ => kept.push(pair),
            }
        }
        options.rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Target {
        Target::parse(&SecretString::from(url)).expect("a good URL")
    }

    #[test]
    fn a_unix_socket_and_the_mode_come_from_the_url() {
        let target = parse("postgres:///shop?host=/run/private&user=postgres&sslmode=disable");
        assert_eq!(target.config.get_dbname(), Some("shop"));
        assert_eq!(target.config.get_user(), Some("postgres"));
        assert!(target.tls.is_none());
        assert!(parse("host=/run/private dbname=shop user=postgres").tls.is_some());
    }

    #[test]
    fn libpq_names_that_the_driver_lacks_are_understood() {
        let options = TlsOptions::split_from("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&user=x");
        assert_eq!(options.rest, "postgres://h/d?user=x");
        assert_eq!(options.mode, Some(SslMode::Require));
        assert_eq!(options.root_file.as_deref(), Some("/etc/ca.pem"));
        assert_eq!(TlsOptions::split_from("postgres://h/d?sslmode=verify-ca").rest, "postgres://h/d");
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        let error = Target::parse(&SecretString::from("postgres://me:hunter2@h:port/d")).err().expect("refused");
        let text = format!("{error:?}");
        assert!(text.contains("postgres://user:password@host/database"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_missing_root_file_is_named() {
        let url = SecretString::from("postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
        let error = Target::parse(&url).err().expect("refused");
        assert!(format!("{error:?}").contains("/nowhere/ca.pem"));
    }
}
