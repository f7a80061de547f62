//! Which language a page is in: what the client asked for, then what the browser asks for, then the server's default.

use crate::http::weight;

/// A language that the catalogue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Locale {
    /// Every language, in the order in which discovery lists them (`ui_locales_supported`).
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// The BCP 47 tag: the `lang` of a page.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language of a tag, whatever its region and case: RFC 4647 section 3.4 look-up.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.trim().split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
    }

    /// The first of `ui_locales` that we have, else the one that `accept_language` weighs most, else `default`.
    pub fn negotiate<'a>(
        ui_locales: impl IntoIterator<Item = &'a str>,
        accept_language: Option<&str>,
        default: Self,
    ) -> Self {
        ui_locales
            .into_iter()
            .find_map(Self::from_tag)
            .or_else(|| accept_language.and_then(heaviest))
            .unwrap_or(default)
    }
}

/// RFC 9110 section 12.5.4. Equal weights: the first wins. A weight that is none counts for nothing.
fn heaviest(accept_language: &str) -> Option<Locale> {
    let weighted = |range: &str| {
        let mut parts = range.split(';');
        Some((Locale::from_tag(parts.next()?)?, weight::of(parts)?))
    };
    let mut best: Option<(Locale, u16)> = None;
    for (locale, weight) in accept_language.split(',').filter_map(weighted) {
        if weight > best.map_or(0, |(_, heaviest)| heaviest) {
            best = Some((locale, weight));
        }
    }
    best.map(|(locale, _)| locale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_client_decides_before_the_browser() {
        assert_eq!(Locale::negotiate(["se", "de-AT"], Some("en"), Locale::En), Locale::De);
        assert_eq!(Locale::negotiate(["se"], Some("de"), Locale::En), Locale::De);
        assert_eq!(Locale::negotiate(["se"], Some("fr"), Locale::De), Locale::De);
        assert_eq!(Locale::negotiate([], None, Locale::En), Locale::En);
    }

    #[test]
    fn the_configuration_knows_every_language() {
        assert_eq!(crate::config::PagesConfig::LOCALES, Locale::ALL.map(Locale::tag));
    }

    #[test]
    fn the_heaviest_range_wins() {
        assert_eq!(heaviest("fr, en;q=0.4, de-CH;q=0.7"), Some(Locale::De));
        assert_eq!(heaviest("en,de"), Some(Locale::En));
        assert_eq!(heaviest("de;q=0, en;q=0.1"), Some(Locale::En));
        assert_eq!(heaviest("de;q=x, *;q=0.5, ,;"), None);
        assert_eq!(heaviest("de;q=inf, en;q=0.5"), Some(Locale::En));
        assert_eq!(heaviest("en;q=0.5, de;Q=0.6"), Some(Locale::De));
    }

    proptest! {
        #[test]
        fn the_heaviest_of_what_we_have_is_chosen(
            ranges in prop::collection::vec(("(de|en|fr|DE-at|en-GB|den|\\*)", prop::sample::select(&[0, 1, 500, 1000_u16][..])), 0..6),
        ) {
            let header: Vec<String> = ranges.iter().map(|(tag, q)| format!("{tag} ; q={}.{:03}", q / 1000, q % 1000)).collect();
            let known = |tag: &str| match &tag.to_lowercase()[..tag.len().min(2)] {
                "de" if tag != "den" => Some(Locale::De),
                "en" => Some(Locale::En),
                _ => None,
            };
            // The first of the heaviest, of those that are wanted at all.
            let mut wanted: Vec<_> =
                ranges.iter().filter(|(_, q)| *q > 0).filter_map(|(tag, q)| Some((known(tag)?, *q))).collect();
            wanted.sort_by_key(|(_, q)| std::cmp::Reverse(*q));
            prop_assert_eq!(heaviest(&header.join(",")), wanted.first().map(|(locale, _)| *locale));
        }

        #[test]
        fn only_a_language_that_is_named_is_chosen(header in "[a-zA-Z\\-_;,=.* 0-9\u{e4}]{0,40}") {
            if let Some(locale) = heaviest(&header) {
                let named = header.split(',').filter_map(|range| range.split([';', '-', '_']).next());
                prop_assert!(named.map(str::trim).any(|tag| tag.eq_ignore_ascii_case(locale.tag())), "{}", header);
            }
        }
    }
}
