//! The program of an external key: its processes, and the time that each question has.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::failure::Reason;
use super::process::Process;
use crate::config::ExternalKeysConfig;
use crate::model::signing_key::{ExternalKey, SignerMode};

/// How a program is run.
pub(super) struct Program {
    command: Vec<String>,
    mode: SignerMode,
    variables: Vec<(String, OsString)>,
    timeout: Duration,
    idle: Mutex<Vec<Process>>,
}

impl Program {
    pub(super) fn new(key: &ExternalKey, config: &ExternalKeysConfig) -> Self {
        let names = ["PATH".to_owned()].into_iter().chain(config.environment.iter().cloned());
        Self {
            command: key.command.clone(),
            mode: key.mode,
            variables: names.filter_map(|name| Some((name.clone(), std::env::var_os(name)?))).collect(),
            timeout: config.timeout,
            idle: Mutex::default(),
        }
    }

    /// Asks one question and reads its answer; or why there is none, and what the program said on its standard error. A process
    /// that failed in any way is ended: nobody knows what it would answer next.
    pub(super) async fn ask<T>(
        &self,
        request: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, Reason>,
    ) -> Result<T, (Reason, String)> {
        let mut process = self.process().await.map_err(|reason| (reason, String::new()))?;
        let answer = async {
            match self.mode {
                SignerMode::Once => process.ask_once(request).await,
                SignerMode::Kept => process.ask(request).await,
            }
        };
        let answer = timeout(self.timeout, answer).await.unwrap_or(Err(Reason::TimedOut));
        match answer.and_then(|answer| read(&answer)) {
            Ok(value) => {
                if self.mode == SignerMode::Kept {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
                }
                Ok(value)
            }
            Err(reason) => Err((reason, process.end().await)),
        }
    }

    /// One that was kept, or a new one.
    async fn process(&self) -> Result<Process, Reason> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(process) = idle
            && process.is_running()
        {
            return Ok(process);
        }
        let started = timeout(self.timeout, Process::start(&self.command, &self.variables)).await;
        started.unwrap_or(Err(Reason::TimedOut))
    }
}
