//! What is known of a person as fields: each standard claim (OpenID Connect Core section 5.1) has its own, and those in
//! further languages (section 5.2) stand together as JSON.

use serde_json::{Map, Value, json};

use crate::admin::console::field::{Field, Group, Kind};
use crate::admin::console::link::Link;
use crate::admin::users::document::changeable;
use crate::http::problem::{Problem, Violation};
use crate::storage::postgres::person_record::PersonRecord;

/// The claims in further languages, as the form calls them.
const OTHER: &str = "other_claims";

/// The standard claims with what they are called, in their order.
const CLAIMS: [(&str, &str); 24] = [
    ("claims/name", "Full name"),
    ("claims/given_name", "Given name"),
    ("claims/family_name", "Family name"),
    ("claims/middle_name", "Middle name"),
    ("claims/nickname", "Nickname"),
    ("claims/preferred_username", "Preferred username"),
    ("claims/email", "Email"),
    ("claims/email_verified", "The email address is verified"),
    ("claims/phone_number", "Telephone"),
    ("claims/phone_number_verified", "The telephone number is verified"),
    ("claims/address/formatted", "Address, as on a letter"),
    ("claims/address/street_address", "Street"),
    ("claims/address/postal_code", "Postal code"),
    ("claims/address/locality", "Town"),
    ("claims/address/region", "Region"),
    ("claims/address/country", "Country"),
    ("claims/birthdate", "Date of birth"),
    ("claims/gender", "Gender"),
    ("claims/zoneinfo", "Time zone"),
    ("claims/locale", "Language"),
    ("claims/profile", "Profile page"),
    ("claims/picture", "Picture"),
    ("claims/website", "Website"),
    (OTHER, "In further languages"),
];

/// The fields of what is known of somebody, in groups.
pub(super) fn groups() -> Vec<Group> {
    let group = |title, from: usize, count: usize| Group {
        title,
        hint: "",
        fields: CLAIMS.iter().skip(from).take(count).map(|(name, label)| field(name, label)).collect(),
    };
    vec![group("Name", 0, 6), group("How to reach them", 6, 4), group("Address", 10, 6), group("More", 16, 8)]
}

/// The fields that a new person begins with.
pub(super) fn first() -> Vec<Field> {
    let wanted = ["claims/name", "claims/email"];
    let found = CLAIMS.iter().filter(|(name, _)| wanted.contains(name));
    found.map(|(name, label)| field(name, label)).collect()
}

fn field(name: &'static str, label: &'static str) -> Field {
    let (hint, kind) = match name {
        "claims/email_verified" | "claims/phone_number_verified" => ("", Kind::Flag),
        "claims/address/formatted" | "claims/address/street_address" => ("", Kind::Paragraph),
        "claims/birthdate" => ("YYYY-MM-DD; 0000-MM-DD without the year, or the year alone.", Kind::Line),
        "claims/zoneinfo" => ("Such as Europe/Vienna.", Kind::Line),
        "claims/locale" => ("Such as de-AT.", Kind::Line),
        OTHER => ("As JSON, such as {\"name#de\": \"Karla Klar\"}.", Kind::Paragraph),
        _ => ("", Kind::Line),
    };
    Field::new(name, label, hint, kind)
}

/// What can be changed of somebody, as the form shows it.
pub(super) fn document(record: &PersonRecord) -> Result<Value, Problem> {
    let others: Map<String, Value> = record
        .claims
        .iter()
        .filter(|(name, _)| !has_field(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut document = changeable(record);
    let text = if others.is_empty() { Value::Null } else { serde_json::to_string_pretty(&others)?.into() };
    document.insert(OTHER.to_owned(), text);
    Ok(Value::Object(document))
}

/// What was typed, as a change of what is known; `standing` is what is there.
pub(super) fn patch(typed: &Map<String, Value>, standing: &Map<String, Value>) -> Result<Map<String, Value>, Problem> {
    let mut patch = typed.clone();
    let mut claims = match patch.remove("claims") {
        Some(Value::Object(claims)) => claims,
        _ => Map::new(),
    };
    // An address of which nothing is said is none.
    let is_silent = |address: &Value| address.as_object().is_some_and(|all| all.values().all(Value::is_null));
    if claims.get("address").is_some_and(is_silent) {
        claims.insert("address".to_owned(), Value::Null);
    }
    if let Some(typed) = patch.remove(OTHER) {
        let others = read_others(&typed)?;
        let gone = standing.keys().filter(|name| !has_field(name) && !others.contains_key(*name));
        claims.extend(gone.map(|name| (name.clone(), Value::Null)));
        claims.extend(others);
    }
    patch.insert("claims".to_owned(), Value::Object(claims));
    Ok(patch)
}

fn read_others(typed: &Value) -> Result<Map<String, Value>, Problem> {
    let refusal = |what: String| Problem::invalid_body(vec![Violation::new(format!("/{OTHER}"), what)]);
    let Some(text) = typed.as_str() else { return Ok(Map::new()) };
    let parsed = crate::protocol::strict_json::parse(text.as_bytes());
    let Some(others) = parsed.ok().and_then(|value| value.as_object().cloned()) else {
        return Err(refusal("it must be a JSON object".to_owned()));
    };
    match others.keys().find(|name| has_field(name)) {
        Some(name) => Err(refusal(format!("{name} has a field of its own"))),
        None => Ok(others),
    }
}

/// Whether a claim has fields of its own.
fn has_field(claim: &str) -> bool {
    let mut names = CLAIMS.iter().filter_map(|(name, _)| name.strip_prefix("claims/"));
    names.any(|name| name.split('/').next() == Some(claim))
}

/// What is known of somebody, for a person to read.
pub(super) fn in_words(claims: &Value) -> Vec<(&'static str, Vec<Link>)> {
    let claims = json!({ "claims": claims });
    let named = CLAIMS.iter().filter_map(|(name, label)| {
        let words = match claims.pointer(&format!("/{name}"))? {
            Value::Bool(is_so) => vec![if *is_so { "yes" } else { "no" }.to_owned()],
            Value::String(text) => text.lines().map(str::to_owned).collect(),
            other => vec![other.to_string()],
        };
        Some((*label, words.into_iter().map(Link::plain).collect()))
    });
    let others = claims.get("claims").and_then(Value::as_object).into_iter().flatten();
    let others = others.filter(|(name, _)| !has_field(name)).map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Link::plain(format!("{name}: {text}"))
    });
    let others: Vec<Link> = others.collect();
    named.chain((!others.is_empty()).then_some(("In further languages", others))).collect()
}
