//! Keys whose private half is elsewhere: how one comes in, and a program that could be asked for its signatures.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use ostiary::keys::change::{self, Offer};
use ostiary::keys::external::respond;
use ostiary::keys::private_file;
use ostiary::keys::problem::Problem;
use ostiary::model::signing_key::SignerMode;
use serde_json::Value;

use super::answer::{Answer, instant};
use super::arguments::Offered;
use super::command::{Answered, problems};
use super::place::Place;

/// The longest request that is read.
const LONGEST_REQUEST: u64 = 1024 * 1024;

pub async fn register(place: &Place, offered: &Offered, now: DateTime<Utc>) -> Answered {
    let mode = if offered.kept { SignerMode::Kept } else { SignerMode::Once };
    let jwk = offered.jwk.as_deref().map(read_jwk).transpose()?;
    let offer = Offer { key_ref: offered.key_ref.clone(), command: offered.program.clone(), mode, jwk };
    let kind = (offered.alg, offered.purpose);
    let made = change::register(&*place.store, kind, offer, &place.signers, now).await.map_err(problems)?;
    let mut answer = Answer::prepublished(&[made], now + place.policy.prepublish);
    answer.text += "Its program made a signature that the public key verifies.\n";
    if place.has_no_settings {
        answer.text +=
            "Add the program to keys.external.programs of every server, or they go on with the keys before.\n";
    }
    Ok(answer)
}

fn read_jwk(file: &Path) -> Result<Value, Vec<Problem>> {
    let refuse = |what: String| vec![Problem::new(what, "name a file with one JSON Web Key, public members only")];
    let text = std::fs::read(file).map_err(|error| refuse(format!("{} cannot be read ({error})", file.display())))?;
    serde_json::from_slice(&text).map_err(|error| refuse(format!("{} is not JSON ({error})", file.display())))
}

/// Answers on the standard output by itself: one object for each line of the standard input.
pub fn sign(file: &Path, is_kept: bool) -> Answered {
    let pem = private_file::read(file).map_err(|error| vec![error.into()])?;
    let answer_all = || -> io::Result<()> {
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        loop {
            let mut request = Vec::new();
            if input.by_ref().take(LONGEST_REQUEST).read_until(b'\n', &mut request)? == 0 {
                return Ok(());
            }
            writeln!(output, "{}", respond(&pem, &request))?;
            output.flush()?;
            if !is_kept {
                return Ok(());
            }
        }
    };
    let broken = |error: io::Error| vec![Problem::new(format!("the requests broke off ({error})"), "start it again")];
    answer_all().map_err(broken)?;
    Ok(Answer::silent())
}

/// What `validate` adds where there are such keys: each is asked for a signature, and each in need of a successor is told.
pub async fn warnings(place: &Place, now: DateTime<Utc>) -> Vec<Problem> {
    let Ok(stored) = place.store.read().await else { return Vec::new() };
    let mut found = place.signers.try_out(stored.ring.keys()).await;
    found.extend(stored.ring.successors_wanted(&place.policy, now).into_iter().map(|(kid, at)| {
        Problem::new(
            format!("the key {kid} is an external one and needs a successor by {}", instant(at)),
            "register one with `ostiary-keyctl register-external`; until then the key goes on signing",
        )
    }));
    found
}
