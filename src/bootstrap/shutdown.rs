//! The signals that ask the server to end.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

/// Is ready at the first SIGTERM or SIGINT. A second one ends the process at once, in case that draining hangs.
pub fn on_signal() -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut wait = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        wait().await;
        tokio::spawn(async move {
            wait().await;
            std::process::exit(130);
        });
    })
}
