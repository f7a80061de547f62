//! Which language a page is in: what the client asked for, then what the browser asks for, then the server's default.

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

/// RFC 9110 section 12.5.4. Equal weights: the first wins. A weight that is not a number counts for nothing.
fn heaviest(accept_language: &str) -> Option<Locale> {
    let weighted = |range: &str| {
        let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight = parameter.trim().strip_prefix("q=")?.parse::<f32>().ok()?;
        Some((Locale::from_tag(tag)?, weight))
    };
    let mut best: Option<(Locale, f32)> = None;
    for (locale, weight) in accept_language.split(',').filter_map(weighted) {
        if weight > best.map_or(0.0, |(_, heaviest)| heaviest) {
            best = Some((locale, weight));
        }
    }
    best.map(|(locale, _)| locale)
}

#[cfg(test)]
mod tests {
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
    }
}
