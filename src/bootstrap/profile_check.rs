//! `ostiary config check --clients --profile NAME`: which switch of which client, or of the server, breaks a profile. What the
//! server would refuse from then on is known before `oidc.profile` is raised.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;

use crate::app::App;
use crate::config::Config;
use crate::model::profile::Profile;
use crate::protocol::client_metadata::profile_violations;

/// How many clients are read at once.
const PAGE: i64 = 200;

/// FAPI 2.0 Security Profile section 5.3.2.2: a pushed request lives less than that.
const PUSHED_REQUESTS_END_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// What to look at beside the settings themselves.
#[derive(Debug, Args)]
pub struct ProfileCheck {
    /// Look at every client in the database too
    #[arg(long)]
    clients: bool,
    /// The profile that everybody would be held to, instead of `oidc.profile`
    #[arg(long, value_name = "PROFILE", value_parser = parse)]
    profile: Option<Profile>,
}

fn parse(name: &str) -> Result<Profile, String> {
    let found = Profile::ALL.into_iter().find(|profile| profile.as_str() == name);
    found.ok_or_else(|| format!("one of {}", Profile::ALL.map(Profile::as_str).join(", ")))
}

impl ProfileCheck {
    /// Whether the database has to be read.
    pub fn reads_clients(&self) -> bool {
        self.clients
    }

    /// Prints what of the settings breaks the profile; whether nothing does.
    pub fn settings(&self, config: &Config) -> io::Result<bool> {
        let profile = self.profile.unwrap_or(config.oidc.profile);
        if profile.is_fapi2() && config.client_documents.enabled {
            writeln!(
                io::stdout().lock(),
                "client_documents.enabled: with {} only clients are taken whose documents have private_key_jwt and \
                 dpop_bound_access_tokens",
                profile.as_str()
            )?;
        }
        if !profile.is_fapi2() || config.pushed_requests.lifetime < PUSHED_REQUESTS_END_BEFORE {
            return Ok(true);
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "pushed_requests.lifetime: {} needs less than ten minutes\n  mend: 60s is a good value",
            profile.as_str()
        )?;
        Ok(false)
    }

    /// Prints what of each client's registration breaks the profile, or the stricter one that it registered itself.
    pub async fn clients(&self, app: &App) -> anyhow::Result<ExitCode> {
        let floor = self.profile.unwrap_or(app.config.oidc.profile);
        let (mut read, mut broken, mut after) = (0_usize, 0_usize, None);
        let mut out = io::stdout().lock();
        loop {
            let page = app.postgres.list_clients(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for client in &page {
                let violations = profile_violations(&client.settings, client.settings.profile.max(floor));
                read += 1;
                broken += usize::from(!violations.is_empty());
                for (pointer, what) in violations {
                    // Anything may be in an identifier but a control character; it is quoted so that its end is seen.
                    writeln!(out, "client {:?}: {}: {what}", client.id.as_str(), pointer.trim_start_matches('/'))?;
                }
            }
        }
        if broken == 0 {
            writeln!(out, "all of {read} clients keep to {}", floor.as_str())?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            out,
            "{broken} of {read} clients break a profile\n  mend: change what is named, by `ostiary apply`, the admin API or the \
             console"
        )?;
        Ok(ExitCode::FAILURE)
    }
}
