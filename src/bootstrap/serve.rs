//! From an [`App`] to a running server: listeners, jobs, graceful end.
//!
//! hyper-util rather than `axum::serve`, for the limits and timeouts on request heads that the latter does not set.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::health::Draining;
use super::layers;
use super::socket::Socket;
use crate::app::App;
use crate::config::ServerConfig;
use crate::{jobs, routes};

/// hyper panics below this.
const SMALLEST_BUFFER: usize = 8 * 1024;
const MOST_STREAMS: u32 = 200;
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

/// The same on several listeners.
///
/// 1. `shutdown` is ready: `/ready` answers 503, nothing new is accepted, idle connections are closed.
/// 2. Running requests finish, for as long as `server.drain_timeout` allows.
/// 3. Jobs stop after the step that they are at.
pub async fn serve_all(
    app: App,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let config = app.config.server.clone();
    let draining = Draining::default();
    let router = layers::around(routes::router(app.clone()), &app.config, draining.clone());
    let (stop, stopped) = watch::channel(false);
    let jobs = tokio::spawn(jobs::spawn(app, has_stopped(stopped.clone())));

    let server = Arc::new(Server { router, builder: builder(&config), header_timeout: config.header_read_timeout });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        tracing::info!(address = %listener.local_addr()?, "listening");
        accepting.spawn(accept(server.clone(), listener, has_stopped(stopped.clone()), config.drain_timeout));
    }
    shutdown.await;
    tracing::info!("draining");
    draining.begin();
    stop.send_replace(true);
    while accepting.join_next().await.is_some() {}
    tokio::time::timeout(config.drain_timeout, jobs).await.ok();
    tracing::info!("stopped");
    Ok(())
}

async fn has_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server.
    stopped.wait_for(|stopped| *stopped).await.ok();
}

struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    header_timeout: Duration,
}

impl Server {
    async fn converse(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Answers are small: each leaves at once rather than wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let router = self.router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let io = TokioIo::new(Socket::new(stream, self.header_timeout));
        let connection = self.builder.serve_connection(io, service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error, "a connection ended early");
        }
    }
}

fn builder(config: &ServerConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout)
        .max_buf_size(config.max_header_bytes.max(SMALLEST_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX));
    builder
}

async fn accept(
    server: Arc<Server>,
    listener: TcpListener,
    stopped: impl Future<Output = ()>,
    drain_timeout: Duration,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(server.clone().converse(stream, peer, graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Finished ones are forgotten as they end, or the set would grow for ever.
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(drain_timeout_s = drain_timeout.as_secs(), "some requests did not finish and are cut off");
    }
}
