//! From an [`App`] to a running server: listeners, jobs, graceful end.
//!
//! hyper-util rather than `axum::serve`, for the limits and timeouts on request heads that the latter does not set.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::connection::Connections;
use super::health::Draining;
use super::places::Places;
use super::tls::TlsListeners;
use super::{layers, metrics};
use crate::app::App;
use crate::{jobs, routes};

/// After `accept` failed, most likely for want of file descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener`, with its jobs, until `shutdown` is ready and what was running is done.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    serve_all(app, vec![listener], shutdown).await
}

/// The same on several listeners, and on those of its own for TLS that the settings name.
///
/// 1. `shutdown` is ready: `/ready` answers 503. For `server.drain_delay` everything else goes on, so that load balancers
///    notice before anybody is turned away.
/// 2. Nothing new is accepted, idle connections are closed, running requests finish, jobs stop after the step they are at.
/// 3. What is not done `server.drain_timeout` after the beginning is cut off.
pub async fn serve_all(
    app: App,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let config = app.config.server.clone();
    let clock = app.clock.clone();
    let tls = TlsListeners::open(&app.config.tls, clock.now()).await?;
    let draining = Draining::default();
    let router = layers::around(routes::router(app.clone()), &app.config, app.metrics.http.clone(), draining.clone());
    let metrics = metrics::listen(&app.config.metrics).await?.map(|listener| (listener, metrics::router(app.clone())));
    let (stop, stopped) = watch::channel(None);
    let stopped = Stopped(stopped);
    let jobs = tokio::spawn(jobs::spawn(app, stopped.clone().has_come()));

    let server = Arc::new(Server { connections: Connections::new(router, &config), places: Places::new(&config) });
    let mut accepting = JoinSet::new();
    if let Some(certificate) = tls.certificate() {
        accepting.spawn(TlsListeners::keep_current(certificate, clock, stopped.clone().has_come()));
    }
    if let Some((listener, router)) = metrics {
        tracing::info!(address = %listener.local_addr()?, "listening for whoever collects metrics");
        let server = Server { connections: Connections::new(router, &config), places: Places::new(&config) };
        accepting.spawn(accept(Arc::new(server), listener, None, stopped.clone()));
    }
    let plain = listeners.into_iter().map(|listener| (listener, None));
    for (listener, tls) in plain.chain(tls.listeners.into_iter().map(|(listener, tls)| (listener, Some(tls)))) {
        let address = listener.local_addr()?;
        match &tls {
            None => tracing::info!(%address, "listening"),
            Some(_) => tracing::info!(%address, "listening for TLS"),
        }
        accepting.spawn(accept(server.clone(), listener, tls, stopped.clone()));
    }
    shutdown.await;
    let deadline = Instant::now() + config.drain_timeout;
    tracing::info!("draining");
    draining.begin();
    sleep(config.drain_delay).await;
    stop.send_replace(Some(deadline));
    while accepting.join_next().await.is_some() {}
    end_jobs(jobs, deadline).await;
    tracing::info!("stopped");
    Ok(())
}

async fn end_jobs(mut jobs: JoinHandle<()>, deadline: Instant) {
    if timeout_at(deadline, &mut jobs).await.is_err() {
        tracing::warn!("a job did not come to its end and is cut off");
        jobs.abort();
    }
}

/// Tells when the server stops, and until when what is running must be done.
#[derive(Clone)]
struct Stopped(watch::Receiver<Option<Instant>>);

impl Stopped {
    async fn has_come(self) {
        self.deadline().await;
    }

    async fn deadline(mut self) -> Instant {
        let deadline = self.0.wait_for(Option::is_some).await.map(|deadline| *deadline);
        // An error means that the sender is gone, and with it the server.
        deadline.ok().flatten().unwrap_or_else(Instant::now)
    }
}

struct Server {
    connections: Connections,
    places: Arc<Places>,
}

async fn accept(server: Arc<Server>, listener: TcpListener, tls: Option<TlsAcceptor>, stopped: Stopped) {
    let mut connections = JoinSet::new();
    let mut deadline = std::pin::pin!(stopped.clone().deadline());
    let deadline = loop {
        let next = async { (server.places.room().await, listener.accept().await) };
        tokio::select! {
            (room, accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = server.places.admit(room, peer.ip()) {
                        let (server, tls, stopped) = (server.clone(), tls.clone(), stopped.clone());
                        connections.spawn(async move {
                            server.connections.serve(stream, tls.as_ref(), peer, stopped.has_come()).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // Finished ones are forgotten as they end, or the set would grow for ever.
            Some(_) = connections.join_next() => {}
            deadline = &mut deadline => break deadline,
        }
    };
    drop(listener);
    if timeout_at(deadline, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(connections = connections.len(), "some requests did not finish and are cut off");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::flow::sign_in::tests::TestApp;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_and_jobs_that_do_not_end_are_given_one_timeout_together() {
        let limit = Duration::from_secs(2);
        let t = TestApp::start(|config| {
            config.server.drain_timeout = limit;
            config.server.drain_delay = Duration::from_millis(500);
            config.database.statement_timeout = Duration::from_secs(30);
        })
        .await;
        // A job that is in the middle of a statement.
        t.db.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END';
             CREATE TRIGGER wait BEFORE UPDATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wait()",
        )
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(serve(t.app.clone(), listener, async { drop(stopped.await) }));
        let sleeping = "SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND wait_event = 'PgSleep'";
        while t.db.count(sleeping).await == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        // And a request whose body does not come.
        let mut request = TcpStream::connect(address).await.unwrap();
        let head = b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                     Content-Length: 9\r\nExpect: 100-continue\r\n\r\n";
        request.write_all(head).await.unwrap();
        request.read_exact(&mut [0; 25]).await.unwrap();

        let start = Instant::now();
        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
        let took = start.elapsed();
        assert!(took >= limit && took < limit * 2, "{took:?}");
    }
}
