//! Language tags (BCP 47) in `ui_locales` and `claims_locales` (OpenID Connect Core section 3.1.2.1).

/// More tags than this say nothing about what a person can read.
const MAX_TAGS: usize = 16;

/// RFC 5646 section 4.4.1 asks for room for 35 characters.
const MAX_TAG_BYTES: usize = 35;

/// Reads a space-separated list in order of preference. What is no language tag is left out: languages that we do not know
/// must not end in an error.
pub fn parse(list: Option<&str>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in list.unwrap_or_default().split(' ').filter(|tag| is_tag(tag)) {
        if tags.len() < MAX_TAGS && !tags.iter().any(|seen| seen.eq_ignore_ascii_case(tag)) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// Whether it is a language tag, as far as can be told without a registry.
pub fn is_tag(tag: &str) -> bool {
    let is_subtag = |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
    tag.len() <= MAX_TAG_BYTES
        && tag.starts_with(|first: char| first.is_ascii_alphabetic())
        && tag.split('-').all(is_subtag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_openid_connect_core_is_read() {
        assert_eq!(parse(Some("fr-CA fr en")), ["fr-CA", "fr", "en"]);
        assert!(parse(None).is_empty());
    }

    #[test]
    fn what_is_no_tag_is_left_out() {
        assert_eq!(parse(Some("  se de_DE <script> 1a -en en- toolongsubtag en EN")), ["se", "en"]);
    }

    #[test]
    fn the_number_of_tags_is_bounded() {
        let list: Vec<String> = (0..100).map(|i| format!("x{i}")).collect();
        assert_eq!(parse(Some(&list.join(" "))).len(), MAX_TAGS);
    }

    proptest! {
        #[test]
        fn never_panics(list in any::<String>()) {
            let tags = parse(Some(&list));
            prop_assert_eq!(parse(Some(&tags.join(" "))), tags);
        }
    }
}
