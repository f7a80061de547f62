//! Texts that are what they look like: without characters that nobody sees, that look however a font likes, or that turn the order of
//! others around.
//!
//! What a stranger wrote is shown to people who decide by it. With such characters a name looks like that of somebody else, and two
//! texts that look the same are not. They are those that Unicode has no picture for (UAX #44, Default_Ignorable_Code_Point), marks of
//! direction and breaks of lines (UAX #9, UAX #14), a blank that is no space, and code points without a meaning of their own.

/// From and to.
const DECEPTIVE: [(char, char); 22] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    // Private use: whatever a font has there.
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffc}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{10ffff}'),
];

/// Whether a text with that character may look like another.
pub fn is_deceptive(c: char) -> bool {
    c.is_control() || DECEPTIVE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_sees_and_what_turns_others_around_is_deceptive() {
        for c in "\0\n\t\u{7f}\u{85}\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\u{200b}\u{200d}\u{200e}\u{202e}\u{2028}\u{2060}\u{2066}\
                  \u{2800}\u{3164}\u{f8ff}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffe}\u{1d173}\u{e0041}\u{e0100}\u{10ffff}"
            .chars()
        {
            assert!(is_deceptive(c), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn what_people_write_is_not() {
        for text in [
            "Fotoalbum f\u{fc}r alle",
            "caf\u{e9} cafe\u{301}",
            "\u{5d0}\u{5dc}\u{5d1}\u{5d5}\u{5dd}",
            "\u{6a9}\u{62a}\u{627}\u{628}",
        ] {
            assert!(!text.chars().any(is_deceptive), "{text}");
        }
        for text in [
            "\u{76f8}\u{518a} \u{2116}1",
            "\u{c0ac}\u{c9c4}",
            "\u{92b}\u{93c}\u{94b}\u{91f}\u{94b}",
            "\u{1f4f7} & <b>",
            "a\u{a0}!\u{3000}",
        ] {
            assert!(!text.chars().any(is_deceptive), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printable_ascii_is_never_deceptive(c in prop::char::range(' ', '~')) {
            prop_assert!(!is_deceptive(c));
        }
    }
}
