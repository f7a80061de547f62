//! Whether what is said of a person holds together: the standard claims by type (OpenID Connect Core section 5.1), in one
//! language or several (section 5.2).

use serde_json::{Map, Value};
use url::Url;

use crate::protocol::locale;

/// The longest text of one line, in characters.
const MAX_LINE: usize = 200;

/// The longest text of several lines, in characters.
const MAX_TEXT: usize = 1000;

/// The longest address on the web, in bytes.
const MAX_URI: usize = 2000;

/// The longest address of electronic mail, in bytes (RFC 5321 section 4.5.3.1).
const MAX_EMAIL: usize = 320;

/// The most members: every claim in several languages.
const MAX_MEMBERS: usize = 200;

/// The members of `address` (section 5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// Something that is wrong: where, as a JSON pointer (RFC 6901) into the claims, and what.
pub type Violation = (String, String);

/// What a claim is.
#[derive(Clone, Copy)]
enum Kind {
    /// A text that may be there in several languages.
    Words,
    /// An address on the web, which may be another one in another language.
    Page,
    /// A text that means the same in every language.
    Code(fn(&str) -> bool, &'static str),
    /// Yes or no.
    Flag,
    /// An object of texts, which may be there in several languages.
    Address,
}

/// Everything that is wrong with the claims of a person.
pub fn violations(claims: &Map<String, Value>) -> Vec<Violation> {
    let mut found = Vec::new();
    if claims.len() > MAX_MEMBERS {
        found.push((String::new(), format!("there may be {MAX_MEMBERS} claims at most")));
    }
    for (name, value) in claims {
        let pointer = pointer(name);
        let (base, tag) = name.split_once('#').map_or((name.as_str(), None), |(base, tag)| (base, Some(tag)));
        let Some(kind) = kind(base) else {
            found.push((pointer, "it is not a standard claim that can be set".to_owned()));
            continue;
        };
        match tag {
            Some(_) if matches!(kind, Kind::Code(..) | Kind::Flag) => {
                found.push((pointer, "this claim is the same in every language".to_owned()));
            }
            Some(tag) if !locale::is_tag(tag) => {
                found.push((pointer, "behind # belongs a language tag such as de or de-AT (BCP 47)".to_owned()));
            }
            _ => check(kind, &pointer, value, &mut found),
        }
    }
    found
}

/// `sub` and `updated_at` are the server's to say.
fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "name" | "given_name" | "family_name" | "middle_name" | "nickname" | "preferred_username" | "gender" => {
            Kind::Words
        }
        "profile" | "picture" | "website" => Kind::Page,
        "email" => Kind::Code(is_email, "it must be an address such as alice@example.org"),
        "birthdate" => Kind::Code(is_birthdate, "it must be YYYY-MM-DD, 0000-MM-DD or YYYY"),
        "zoneinfo" => Kind::Code(is_zone, "it must be a time zone such as Europe/Vienna"),
        "locale" => Kind::Code(|tag| locale::is_tag(&tag.replace('_', "-")), "it must be a language tag (BCP 47)"),
        "phone_number" => Kind::Code(is_phone, "it must be a telephone number such as +43 1 5550123"),
        "email_verified" | "phone_number_verified" => Kind::Flag,
        "address" => Kind::Address,
        _ => return None,
    })
}

fn check(kind: Kind, pointer: &str, value: &Value, found: &mut Vec<Violation>) {
    let problem = match (kind, value) {
        (Kind::Words, Value::String(text)) => (!is_text(text, false)).then(|| a_text(MAX_LINE)),
        (Kind::Page, Value::String(text)) => {
            (!is_page(text)).then(|| "it must be an absolute https or http URI".to_owned())
        }
        (Kind::Code(is_good, what), Value::String(text)) => (!is_good(text)).then(|| what.to_owned()),
        (Kind::Flag, Value::Bool(_)) => None,
        (Kind::Address, Value::Object(members)) => {
            check_address(pointer, members, found);
            None
        }
        (Kind::Flag, _) => Some("it must be true or false".to_owned()),
        (Kind::Address, _) => Some("it must be an object".to_owned()),
        (Kind::Words | Kind::Page | Kind::Code(..), _) => Some("it must be a text".to_owned()),
    };
    found.extend(problem.map(|problem| (pointer.to_owned(), problem)));
}

fn check_address(at: &str, members: &Map<String, Value>, found: &mut Vec<Violation>) {
    for (name, value) in members {
        let is_known = ADDRESS.contains(&name.as_str());
        let is_long = matches!(name.as_str(), "formatted" | "street_address");
        let is_good = value.as_str().is_some_and(|text| is_text(text, is_long));
        if !is_known {
            found.push((format!("{at}{}", pointer(name)), "an address has no such member".to_owned()));
        } else if !is_good {
            let most = if is_long { MAX_TEXT } else { MAX_LINE };
            found.push((format!("{at}{}", pointer(name)), a_text(most)));
        }
    }
}

fn a_text(most: usize) -> String {
    format!("it must be a text of 1 to {most} characters; leave out what there is not")
}

fn is_text(text: &str, has_lines: bool) -> bool {
    let is_odd = |c: char| c.is_control() && !(has_lines && matches!(c, '\n' | '\r'));
    let most = if has_lines { MAX_TEXT } else { MAX_LINE };
    !text.trim().is_empty() && text.chars().count() <= most && !text.contains(is_odd)
}

fn is_page(text: &str) -> bool {
    let is_web = |url: Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    text.len() <= MAX_URI && !text.contains(char::is_whitespace) && Url::parse(text).is_ok_and(is_web)
}

/// RFC 5322 section 3.4.1 in what matters: something on both sides, and nothing that could end the address early.
fn is_email(text: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '\\');
    let halves = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    halves && text.len() <= MAX_EMAIL && !text.contains(is_odd) && text.matches('@').count() == 1
}

fn is_birthdate(text: &str) -> bool {
    let is_year = |year: &str| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    // The year may be left out as 0000; 2000 is a leap year, so that it allows every day that any year has.
    let day = |year: &str, rest: &str| chrono::NaiveDate::parse_from_str(&format!("{year}{rest}"), "%Y-%m-%d").is_ok();
    match text.split_at_checked(4) {
        Some((year, "")) => is_year(year),
        Some((year, rest)) if rest.len() == 6 && is_year(year) => day(if year == "0000" { "2000" } else { year }, rest),
        _ => false,
    }
}

fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-'))
    };
    text.len() <= 64 && text.split('/').all(is_part)
}

fn is_phone(text: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.' | '/' | ';' | '=') || c.is_ascii_lowercase()
    };
    let digits = text.chars().filter(char::is_ascii_digit).count();
    text.len() <= 64 && (3..=30).contains(&digits) && text.chars().all(allowed) && text.trim() == text
}

/// One reference token (RFC 6901 section 3), with its slash.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(claims: Value) -> Vec<String> {
        let Value::Object(claims) = claims else { panic!("not an object") };
        violations(&claims).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn every_standard_claim_can_be_said() {
        let none: [&str; 0] = [];
        assert_eq!(
            pointers(json!({
                "name": "Alice Adams", "name#de": "Alice Adams", "name#ja-Kana-JP": "アリス", "given_name": "Alice",
                "family_name": "Adams", "middle_name": "Amy", "nickname": "Al", "preferred_username": "alice",
                "profile": "https://people.example/alice", "picture": "http://people.example/a.png",
                "website#fr": "https://alice.example/fr", "email": "alice@people.example", "email_verified": true,
                "gender": "female", "birthdate": "0000-02-29", "zoneinfo": "America/Argentina/Buenos_Aires",
                "locale": "en_GB", "phone_number": "+49 30 123456;ext=7", "phone_number_verified": false,
                "address": {"formatted": "1 Main Street\nBerlin", "country": "DE"},
            })),
            none
        );
        assert_eq!(pointers(json!({"birthdate": "1990"})), none);
    }

    #[test]
    fn whatever_is_of_another_type_or_no_standard_claim_is_refused() {
        for (claims, wrong) in [
            (json!({"sub": "u.1", "role": "root", "a/b": 1}), vec!["/a~1b", "/role", "/sub"]),
            (json!({"updated_at": 1}), vec!["/updated_at"]),
            (
                json!({"name": null, "nickname": "", "given_name": 5, "gender": "a\nb"}),
                vec!["/gender", "/given_name", "/name", "/nickname"],
            ),
            (
                json!({"name#": "x", "name#de_AT": "x", "email#de": "a@b", "email_verified#de": true}),
                vec!["/email#de", "/email_verified#de", "/name#", "/name#de_AT"],
            ),
            (
                json!({"email_verified": "true", "phone_number_verified": 1}),
                vec!["/email_verified", "/phone_number_verified"],
            ),
            (json!({"picture": "javascript:alert(1)", "website": "/here"}), vec!["/picture", "/website"]),
            (json!({"email": "a@b@c"}), vec!["/email"]),
            (json!({"email": "a <a@b>"}), vec!["/email"]),
            (json!({"birthdate": "1990-02-30"}), vec!["/birthdate"]),
            (json!({"birthdate": "90-02-03"}), vec!["/birthdate"]),
            (json!({"zoneinfo": "Europe/"}), vec!["/zoneinfo"]),
            (json!({"locale": "<script>"}), vec!["/locale"]),
            (json!({"phone_number": "call me"}), vec!["/phone_number"]),
            (json!({"address": "Berlin"}), vec!["/address"]),
            (
                json!({"address": {"planet": "Earth", "country": 1, "locality": "a\nb"}}),
                vec!["/address/country", "/address/locality", "/address/planet"],
            ),
        ] {
            let mut found = pointers(claims.clone());
            found.sort();
            assert_eq!(found, wrong, "{claims}");
        }
    }
}
