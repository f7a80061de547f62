//! `ostiary plan FILE` and `ostiary apply FILE`: what they print, and where the secrets of new clients go.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::admin::desired::{DesiredError, Member, Plan, Step, apply as make, plan as compare};
use crate::app::App;
use crate::http::problem::Violation;
use crate::keys::private_file;

/// The exit code of a plan that would change something, with `--exit-code`.
const DIFFERS: u8 = 2;

/// Which document to compare with.
#[derive(Debug, Args)]
pub struct PlanOptions {
    /// The document
    file: PathBuf,
    /// Exit with 2 if something would change
    #[arg(long)]
    exit_code: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Which document to apply.
#[derive(Debug, Args)]
pub struct ApplyOptions {
    /// The document
    file: PathBuf,
    /// Also take away what the document no longer names. Nothing comes back under its identifier
    #[arg(long)]
    delete: bool,
    /// The file that the secrets of new clients are written to, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints what `apply` would do.
pub async fn plan(app: &App, options: &PlanOptions) -> anyhow::Result<ExitCode> {
    let plan = match read(app, &options.file).await {
        Ok(plan) => plan,
        Err(error) => return refused(error, options.json),
    };
    show(&plan, options.json)?;
    let differs = options.exit_code && !plan.is_empty();
    Ok(if differs { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS })
}

/// Prints what differs, and changes it.
pub async fn apply(app: &App, options: &ApplyOptions) -> anyhow::Result<ExitCode> {
    let plan = match read(app, &options.file).await {
        Ok(plan) => plan,
        Err(error) => return refused(error, options.json),
    };
    show(&plan, options.json)?;
    if plan.has_deletions() && !options.delete {
        bail!(
            "something would be taken away, so nothing was changed\n  mend: look at the lines with `-`, then add --delete"
        );
    }
    if !plan.generated().is_empty() && options.secrets.is_none() && !io::stdout().is_terminal() {
        bail!(
            "new clients get secrets, which would go to something that is not a terminal\n  mend: add `--secrets FILE`, or \
             name a `client_secret_file` for each"
        );
    }
    if let (Some(file), false) = (&options.secrets, plan.generated().is_empty()) {
        // Before anything is changed: no crash can lose them.
        let text = format!("{:#}\n", secrets(&plan));
        private_file::create(file, text.as_bytes())?;
    }
    if let Err(error) = make(app, &plan, app.clock.now()).await {
        if let (Some(file), false) = (&options.secrets, plan.generated().is_empty()) {
            eprintln!("the secrets in {} belong to nothing unless the clients are there after all", file.display());
        }
        return Err(error.into());
    }
    if options.secrets.is_none() {
        let mut out = io::stdout().lock();
        for one in plan.generated() {
            writeln!(out, "the secret of {}, shown once: {}", one.client_id, one.secret.expose_secret())?;
        }
    }
    if !options.json {
        println!("{}", if plan.is_empty() { "nothing to change" } else { "applied" });
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong, as whoever reads standard output expects it: the text goes to standard error in any case.
fn refused(error: anyhow::Error, is_json: bool) -> anyhow::Result<ExitCode> {
    if is_json {
        let problems = match error.downcast_ref::<DesiredError>() {
            Some(error) => error.problems(),
            None => vec![Violation::new("", format!("{error:#}"))],
        };
        let problem = |one: &Violation| json!({"pointer": one.pointer, "what": one.detail});
        println!("{:#}", json!({"problems": problems.iter().map(problem).collect::<Vec<_>>()}));
    }
    Err(error)
}

async fn read(app: &App, file: &Path) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read\n  mend: name a readable UTF-8 file", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    Ok(compare(app, &text, folder, app.clock.now()).await?)
}

fn secrets(plan: &Plan) -> Value {
    let secret = |one: &crate::admin::desired::GeneratedSecret| json!({"client_id": one.client_id, "client_secret": one.secret.expose_secret()});
    json!({"clients": plan.generated().iter().map(secret).collect::<Vec<_>>()})
}

fn show(plan: &Plan, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_json {
        let steps: Vec<Value> =
            plan.steps.iter().map(|(key, step)| json!({"key": key.to_string(), "step": step})).collect();
        let unmanaged: Vec<String> = plan.unmanaged.iter().map(ToString::to_string).collect();
        return writeln!(out, "{:#}", json!({"steps": steps, "unmanaged": unmanaged}));
    }
    for (key, step) in &plan.steps {
        match step {
            Step::Create { members } => {
                writeln!(out, "+ {key}")?;
                for Member { name, to, .. } in members {
                    writeln!(out, "    {name}: {}", to.as_ref().unwrap_or(&Value::Null))?;
                }
            }
            Step::Delete => writeln!(out, "- {key}")?,
            Step::Secret => writeln!(out, "~ {key}\n    secret: the one of its file")?,
            Step::Change { members } => {
                writeln!(out, "~ {key}")?;
                for member in members {
                    writeln!(out, "    {member}")?;
                }
            }
        }
    }
    if plan.is_empty() {
        writeln!(out, "everything is as the document says")?;
    }
    if !plan.unmanaged.is_empty() {
        writeln!(out, "left alone, because no document names them:")?;
        for key in &plan.unmanaged {
            writeln!(out, "  {key}")?;
        }
    }
    Ok(())
}
