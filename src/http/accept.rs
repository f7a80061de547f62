//! Which of our media types a caller wants (RFC 9110 section 12.5.1). Weights are in thousandths.

use http::HeaderMap;
use http::header::ACCEPT;

use super::weight;

/// The weight of `media_type` where it is named in full; `None` where it is not.
pub fn named(headers: &HeaderMap, media_type: &str) -> Option<u16> {
    heaviest(headers, |range| range.eq_ignore_ascii_case(media_type))
}

/// The weight of `media_type` by the range that says most about it: its name, its kind, everything. Whoever sends no header
/// takes anything.
pub fn weight_of(headers: &HeaderMap, media_type: &str) -> u16 {
    if !headers.contains_key(ACCEPT) {
        return weight::WHOLE;
    }
    let kind = media_type.split_once('/').map_or(media_type, |(kind, _)| kind);
    let is_kind =
        |range: &str| range.split_once('/').is_some_and(|(of, name)| name == "*" && of.eq_ignore_ascii_case(kind));
    let weight = named(headers, media_type)
        .or_else(|| heaviest(headers, is_kind))
        .or_else(|| heaviest(headers, |range| range == "*/*"));
    weight.unwrap_or_default()
}

/// Whether a caller names `media_type` and wants it at least as much as `usual`, which everybody gets who names nothing.
pub fn prefers(headers: &HeaderMap, media_type: &str, usual: &str) -> bool {
    named(headers, media_type).is_some_and(|weight| weight > 0 && weight >= weight_of(headers, usual))
}

fn heaviest(headers: &HeaderMap, is_meant: impl Fn(&str) -> bool) -> Option<u16> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let weights = lines.flat_map(|line| line.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if is_meant(parts.next()?) { weight::of(parts) } else { None }
    });
    weights.max()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "application/token-introspection+jwt";
    const JSON: &str = "application/json";

    fn accepting(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())])
    }

    #[test]
    fn the_range_that_says_most_counts() {
        let weight = |accept| weight_of(&accepting(accept), JSON);
        assert_eq!(weight("*/*;q=0.1, application/*;q=0.2, application/json;q=0.3"), 300);
        assert_eq!(weight("*/*;q=0.1, Application/*;q=0.2"), 200);
        assert_eq!(weight("*/*;q=0.1, text/*"), 100);
        assert_eq!(weight("text/html"), 0);
        assert_eq!(weight("*/*, application/json;q=0"), 0);
        assert_eq!(weight(""), 0);
        assert_eq!(weight_of(&HeaderMap::new(), JSON), 1000);
    }

    #[test]
    fn what_is_named_is_preferred_unless_the_usual_weighs_more() {
        for accept in [
            JWT,
            "Application/Token-Introspection+JWT",
            "application/token-introspection+jwt, application/json",
            "application/json;q=0.9, application/token-introspection+jwt",
            "*/*;q=0.1, application/token-introspection+jwt;q=0.1",
        ] {
            assert!(prefers(&accepting(accept), JWT, JSON), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            JSON,
            "application/jwt",
            "application/token-introspection+jwt;q=0",
            "application/token-introspection+jwt;q=much",
            "application/token-introspection+jwt;q=0.8, application/json",
            "application/token-introspection+jwt;q=0.8, */*",
        ] {
            assert!(!prefers(&accepting(accept), JWT, JSON), "{accept}");
        }
        let mut lines = accepting(JSON);
        lines.append(ACCEPT, HeaderValue::from_static(JWT));
        assert!(prefers(&lines, JWT, JSON), "the lines of a header are one list");
    }

    proptest! {
        #[test]
        fn only_what_is_named_is_preferred(accept in "[a-z*/;=,.+ 0-9]{0,60}") {
            let is_named = accept.split([',', ';']).any(|part| part.trim() == "a/b");
            prop_assert!(is_named || !prefers(&accepting(&accept), "a/b", JSON), "{}", accept);
            prop_assert!(weight_of(&accepting(&accept), "a/b") <= 1000);
        }
    }
}
