//! The commands.

use chrono::{DateTime, Utc};
use ostiary::clock::Clock;
use ostiary::keys::change::{self, ChangeError, RotationOutcome};
use ostiary::keys::kek;
use ostiary::keys::lifecycle::Refusal;
use ostiary::keys::master_key::MasterKeys;
use ostiary::keys::private_file;
use ostiary::keys::problem::Problem;
use ostiary::keys::store::{Author, Inspection, KeyStoreError, inspect};
use ostiary::model::signing_key::{KeyPurpose, KeyState};
use serde_json::json;

use super::answer::{Answer, instant, table};
use super::arguments::{Arguments, Choice, Command, OneKey};
use super::place::Place;
use super::{audience, export, external, revocation};

pub type Answered = Result<Answer, Vec<Problem>>;

pub async fn run(arguments: &Arguments, clock: &Clock) -> Answered {
    let now = clock.now();
    match &arguments.command {
        Command::MasterKey { file } => {
            MasterKeys::generate_file(file).map_err(|error| vec![error.problem().clone()])?;
            let text = format!(
                "Made {}. Keep a copy in a safe place: without it every client secret and refresh token is void.\n",
                file.display()
            );
            return Ok(Answer::good(text, json!({ "file": file })));
        }
        Command::Kek { file, add } => return make_kek(file, *add),
        Command::Sign { file, kept } => return external::sign(file, *kept),
        _ => {}
    }
    let place = Place::open(arguments, clock).await?.recording(now);
    match &arguments.command {
        Command::List => {
            let stored = place.store.read().await.map_err(|error| error.problems())?;
            Ok(Answer::good(table(stored.ring.keys()), json!({ "keys": stored.ring.keys() })))
        }
        Command::Validate => Ok(Answer::validated(&place.store.place(), &validate(&place, now).await)),
        Command::Generate(choice) => generate(&place, choice, now).await,
        Command::Prepublish(choice) => prepublish(&place, choice, now).await,
        Command::Activate(OneKey { kid, force }) => {
            let superseded = change::activate(&*place.store, kid, &place.rules(*force), now).await.map_err(problems)?;
            let before = superseded.as_ref().map(|kid| format!("; what {kid} signed is still verified"));
            let text = format!("{kid} signs from now on{}.\n", before.unwrap_or_default());
            Ok(Answer::good(text, json!({ "activated": kid, "superseded": superseded })))
        }
        Command::Retire(OneKey { kid, force }) => {
            change::retire(&*place.store, kid, place.rules(*force).insistence, now).await.map_err(problems)?;
            Ok(Answer::good(format!("{kid} is retired and destroyed.\n"), json!({ "retired": kid })))
        }
        Command::Revoke { kid, reason, yes } => revoke(&place, kid, reason, *yes, now).await,
        Command::Rotate { due: true, .. } => {
            let due = change::run_due(&*place.store, &place.policy, &place.signers, now).await.map_err(problems)?;
            Ok(Answer::due(&due))
        }
        Command::Rotate { choice, force, wait, due: false } => {
            let answer = rotate(&place, choice, *force, now).await?;
            if *wait { wait_and_rotate(&place, choice, answer, clock).await } else { Ok(answer.0) }
        }
        Command::ExportPublic { kid, format } => export::export(&place, kid.as_deref(), *format).await,
        Command::Import { file, alg, purpose } => {
            let pem = private_file::read(file).map_err(|error| vec![error.into()])?;
            let made = change::import(&*place.store, (*alg, *purpose), &pem, now).await.map_err(problems)?;
            Ok(Answer::prepublished(&[made], now + place.policy.prepublish))
        }
        Command::RegisterExternal(offered) => external::register(&place, offered, now).await,
        Command::Rewrap => rewrap(&place).await,
        Command::Rehearse => {
            let stored = place.store.read().await.map_err(|error| error.problems())?;
            let mut answer = Answer::timeline(&stored.ring.next_steps(&place.policy, now), now);
            audience::add(&mut answer, &place, &stored.ring, now).await;
            Ok(answer)
        }
        Command::MasterKey { .. } | Command::Kek { .. } | Command::Sign { .. } => Ok(Answer::silent()),
    }
}

async fn validate(place: &Place, now: DateTime<Utc>) -> Inspection {
    let mut found = inspect(&*place.store).await;
    if let Ok(stored) = place.store.read().await {
        found.problems.extend(place.signers.problems(stored.ring.keys()));
        found.warnings.extend(stored.ring.times_ahead("the stored keys", now));
    }
    if found.problems.is_empty() {
        found.warnings.extend(external::warnings(place, now).await);
    }
    found
}

fn make_kek(file: &std::path::Path, add: bool) -> Answered {
    if add {
        let id = kek::add_to_file(file).map_err(|problem| vec![problem])?;
        let text = format!(
            "The key {id} seals from now on, the others are only read with. When every server has this file, run \
             `ostiary-keyctl rewrap`; then the older lines can go.\n"
        );
        return Ok(Answer::good(text, json!({ "file": file, "id": id })));
    }
    kek::generate_file(file).map_err(|problem| vec![problem])?;
    let text = format!(
        "Made {}. Keep a copy in a safe place: without it the signing keys in the database are void.\n",
        file.display()
    );
    Ok(Answer::good(text, json!({ "file": file, "id": 1 })))
}

async fn generate(place: &Place, choice: &Choice, now: DateTime<Utc>) -> Answered {
    let stored = place.store.read_or_empty().await.map_err(|error| error.problems())?;
    if !stored.ring.keys().is_empty() {
        return prepublish(place, choice, now).await;
    }
    let bits = choice.bits.unwrap_or_default();
    let mut algs = Vec::new();
    for alg in &choice.algs {
        let refusal = || Refusal::WrongPurpose { alg: *alg, purpose: KeyPurpose::Tokens };
        algs.push(alg.signing().ok_or_else(|| problems(refusal().into()))?);
    }
    let made = change::generate(&*place.store, &algs, bits, now).await.map_err(problems)?;
    let text = table(&made) + "These keys sign from now on.\n";
    Ok(Answer::good(text, json!({ "generated": made })))
}

async fn prepublish(place: &Place, choice: &Choice, now: DateTime<Utc>) -> Answered {
    let made = change::prepublish(&*place.store, &choice.kinds(), choice.bits, now).await.map_err(problems)?;
    Ok(Answer::prepublished(&made, now + place.policy.prepublish))
}

async fn revoke(place: &Place, kid: &str, reason: &str, yes: bool, now: DateTime<Utc>) -> Answered {
    let stored = place.store.read().await.map_err(|error| error.problems())?;
    let missing = || problems(Refusal::UnknownKey { kid: kid.to_owned() }.into());
    let key = stored.ring.find(kid).ok_or_else(missing)?;
    if key.state == KeyState::Retired {
        let refusal = Refusal::WrongState { kid: kid.to_owned(), found: key.state, wanted: KeyState::Active };
        return Err(problems(refusal.into()));
    }
    let damage = revocation::damage(place, &stored.ring, key, now).await;
    let told = damage.lines.join("\n") + "\n";
    if !yes {
        let text = format!("{told}Nothing was done. Add --yes to do it.\n");
        return Ok(Answer::nothing_done(text, json!({ "revoked": null, "breaks": damage.json })));
    }
    let successor = change::revoke(&*place.store, kid, reason, None, now).await.map_err(problems)?;
    let mut next = successor.as_ref().map(|kid| format!("{kid} signs from now on.\n")).unwrap_or_default();
    // An emergency waits for no program, so what takes over is tried afterwards.
    let untried =
        place.signers.try_out(stored.ring.keys().iter().filter(|key| Some(&key.kid) == successor.as_ref())).await;
    next.extend(untried.iter().map(|problem| format!("Look at it: {}; mend: {}\n", problem.what, problem.mend)));
    let text = format!("{kid} is revoked.\n{next}{told}");
    Ok(Answer::good(text, json!({ "revoked": kid, "successor": successor, "breaks": damage.json })))
}

/// The answer, and until when to wait for what is still to be done.
async fn rotate(
    place: &Place,
    choice: &Choice,
    force: bool,
    now: DateTime<Utc>,
) -> Result<(Answer, Option<DateTime<Utc>>), Vec<Problem>> {
    let (kinds, bits) = (choice.kinds(), choice.bits);
    let rotations = change::rotate(&*place.store, &kinds, &place.rules(force), bits, now).await.map_err(problems)?;
    let until = rotations.iter().filter_map(|rotation| match rotation.outcome {
        RotationOutcome::Published { signs_at } | RotationOutcome::Waiting { signs_at } => Some(signs_at),
        RotationOutcome::Activated { .. } => None,
    });
    let until = until.max();
    Ok((Answer::rotated(&rotations), until))
}

/// Waits once: after the last window is over every key may sign. Those that signed already are not rotated again.
async fn wait_and_rotate(
    place: &Place,
    choice: &Choice,
    (answer, until): (Answer, Option<DateTime<Utc>>),
    clock: &Clock,
) -> Answered {
    let Some(until) = until else { return Ok(answer) };
    eprintln!("{}Waiting until {} ..", answer.text, instant(until));
    while let Ok(left @ 1..) = (until - clock.now()).num_milliseconds().try_into() {
        tokio::time::sleep(std::time::Duration::from_millis(left)).await;
    }
    let stored = place.store.read().await.map_err(|error| error.problems())?;
    let kinds = choice.kinds();
    let waits = |kind: &change::Kind| stored.ring.waiting(kind.0, kind.1).is_some();
    let is_wanted = |kind: &change::Kind| kinds.is_empty() || kinds.contains(kind);
    let waiting: Vec<_> = stored.ring.kinds().into_iter().filter(|kind| waits(kind) && is_wanted(kind)).collect();
    if waiting.is_empty() {
        return Ok(Answer::nothing_done("Somebody else let the keys sign meanwhile.\n", json!({ "rotated": [] })));
    }
    let now = clock.now();
    let store = place.store.recording(&Author::operator(now));
    let rotated = change::rotate(&*store, &waiting, &place.rules(false), None, now).await;
    Ok(Answer::rotated(&rotated.map_err(problems)?))
}

async fn rewrap(place: &Place) -> Answered {
    match place.store.rewrap().await.map_err(|error| error.problems())? {
        None => Err(vec![Problem::new(
            format!("{} seals nothing", place.store.place()),
            "rewrap is for keys in Postgres: name the settings with --config FILE",
        )]),
        Some(0) => Ok(Answer::nothing_done(
            "Every key is sealed with the newest key-encryption key already.\n",
            json!({ "rewrapped": 0 }),
        )),
        Some(count) => {
            let text = format!("Sealed {count} keys with the newest key-encryption key.\n");
            Ok(Answer::good(text, json!({ "rewrapped": count })))
        }
    }
}

pub fn problems(error: ChangeError) -> Vec<Problem> {
    match error {
        ChangeError::Refused(refusal) => vec![refusal.problem()],
        ChangeError::Store(error) => KeyStoreError::problems(&error),
    }
}
