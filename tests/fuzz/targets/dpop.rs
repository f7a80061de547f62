//! Proofs of possession before their signature is looked at. The lines of the input are the header and the claims of a proof,
//! which are still to be encoded, and the address of the request.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use ostiary::model::lifetimes::{CLOCK_TOLERANCE, PROOF_LIFETIME};
use ostiary::protocol::dpop::{ALGS, PresentedProof, ProvenRequest, ath, parse_jkt};

const NOW: i64 = 1_562_262_616;

fuzz_target!(|data: &[u8]| {
    let _ = PresentedProof::collect([data]);
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(header), Some(claims), Some(url)) = (lines.next(), lines.next(), lines.next()) else { return };
    assert!(parse_jkt(url).is_err() || url.len() == 43);
    let part = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let text = format!("{}.{}.{}", part(header), part(claims), part("signature"));
    let Ok(Some(proof)) = PresentedProof::collect([text.as_bytes()]) else { return };
    assert!(ALGS.contains(&proof.alg));
    assert!(PresentedProof::collect([text.as_bytes(), text.as_bytes()]).is_err(), "one proof for one request");
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    let request = |access_token| ProvenRequest { method: "POST", url, alias: None, access_token };
    let Ok(told) = proof.check(&request(None), now) else { return };
    assert!(!told.jti.is_empty() && told.issued_at > now - PROOF_LIFETIME && told.issued_at <= now + CLOCK_TOLERANCE);
    assert!(told.htu.starts_with("http") && !told.htu.contains(['?', '#', ' ']));
    // The one spelling stands for the address itself.
    let again = ProvenRequest { url: &told.htu, ..request(None) };
    assert!(proof.check(&again, now).is_ok_and(|again| again == told));
    let says = proof.jwt.claims.get("ath").and_then(|ath| ath.as_str());
    assert_eq!(proof.check(&request(Some("token")), now).is_ok(), says == Some(&ath("token")));
});
