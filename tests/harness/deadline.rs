//! Waiting for what happens elsewhere: looked at again and again, never for a fixed time.

use std::time::{Duration, Instant};

/// Longer than anything takes on a machine whose disk stands still for a while; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// Asks until the answer is there.
#[track_caller]
pub fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let asked_at = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "{what} within {PATIENCE:?} (asked at {asked_at})");
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The same for a question that is answered at once.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    eventually(what, move || std::future::ready(holds().then_some(())))
}
