//! One connection: HTTP/1.1 or HTTP/2, until the peer ends it, nothing is asked on it any more, it is old, or the server ends.
//!
//! An end of ours is a graceful one: running requests are answered. HTTP/2 is told by GOAWAY (RFC 9113 section 6.8), HTTP/1.1
//! by `Connection: close` on its next answer. Answering pings is no request: it keeps no connection open.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::socket::Socket;
use crate::config::ServerConfig;
use crate::http::client_certificate::ShownInHandshake;

/// hyper panics below this.
const SMALLEST_BUFFER: usize = 8 * 1024;
const MOST_STREAMS: u32 = 200;

/// How connections are served, the same for all.
pub struct Connections {
    router: Router,
    builder: Builder<TokioExecutor>,
    header_timeout: Duration,
    idle_timeout: Duration,
    max_age: Duration,
    /// For what is still running when we end a connection: no request takes longer.
    farewell: Duration,
}

impl Connections {
    /// Serves `router` as the settings say.
    pub fn new(router: Router, config: &ServerConfig) -> Self {
        Self {
            router,
            builder: builder(config),
            header_timeout: config.header_read_timeout,
            idle_timeout: config.idle_timeout,
            max_age: config.max_connection_age,
            farewell: config.request_timeout + config.header_read_timeout,
        }
    }

    /// Serves one, to its end; over TLS if it comes with an acceptor.
    pub async fn serve(
        &self,
        stream: TcpStream,
        tls: Option<&TlsAcceptor>,
        peer: SocketAddr,
        stopped: impl Future<Output = ()>,
    ) {
        // Answers are small: each leaves at once rather than wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let socket = Socket::new(stream, self.header_timeout);
        let Some(tls) = tls else { return self.serve_over(socket, (peer, None), stopped).await };
        let mut stopped = pin!(stopped);
        let accepted = tokio::select! {
            accepted = timeout(self.header_timeout, tls.accept(socket)) => accepted,
            // Nothing has been asked on it yet.
            () = stopped.as_mut() => return,
        };
        match accepted {
            Ok(Ok(mut stream)) => {
                let (socket, session) = stream.get_mut();
                if session.process_new_packets().is_ok_and(|found| found.plaintext_bytes_to_read() == 0) {
                    socket.wait_anew();
                }
                let shown = stream.get_ref().1.peer_certificates();
                let shown = shown.map(|shown| shown.iter().map(|der| der.to_vec()).collect());
                let shown = shown.map(|shown| ShownInHandshake(Arc::new(shown)));
                self.serve_over(stream, (peer, shown), stopped).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        (peer, shown): (SocketAddr, Option<ShownInHandshake>),
        stopped: impl Future<Output = ()>,
    ) {
        let requests = Arc::new(Requests::new());
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(shown) = &shown {
                request.extensions_mut().insert(shown.clone());
            }
            let (router, running) = (self.router.clone(), Requests::begin(&requests));
            async move {
                let response = router.oneshot(request).await;
                drop(running);
                response
            }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.is_over(&requests, stopped) => {
                connection.as_mut().graceful_shutdown();
                // A peer that never acknowledges the GOAWAY would have the connection for ever.
                timeout(self.farewell, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
    }

    async fn is_over(&self, requests: &Requests, stopped: impl Future<Output = ()>) {
        tokio::select! {
            () = requests.is_idle_for(self.idle_timeout) => {}
            () = sleep(self.max_age) => {}
            () = stopped => {}
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

/// The requests on one connection.
struct Requests(Mutex<Pulse>);

struct Pulse {
    running: usize,
    /// When the last one ended, or the connection began.
    idle_since: Instant,
}

/// A request that is being answered.
struct Running(Arc<Requests>);

impl Requests {
    fn new() -> Self {
        Self(Mutex::new(Pulse { running: 0, idle_since: Instant::now() }))
    }

    fn begin(requests: &Arc<Self>) -> Running {
        requests.change(|pulse| pulse.running += 1);
        Running(Arc::clone(requests))
    }

    async fn is_idle_for(&self, limit: Duration) {
        loop {
            let left = self.change(|pulse| match pulse.running {
                0 => limit.saturating_sub(pulse.idle_since.elapsed()),
                _ => limit,
            });
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pulse) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|pulse| {
            pulse.running = pulse.running.saturating_sub(1);
            pulse.idle_since = Instant::now();
        });
    }
}
