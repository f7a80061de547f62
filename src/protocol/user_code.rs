//! The code that a person types to connect a device (RFC 8628 section 6.1).

/// Consonants in capitals: nothing that is taken for a digit or for another letter, and no words.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// With 20 letters: 34 bits. Enough for as long as one lives and as often as anybody may try.
const LENGTH: usize = 8;

/// A user code, without the hyphen that it is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// The code that `random` makes, each letter as likely as any other; `None` where too little of it could be used.
    pub fn from_random(random: &[u8]) -> Option<Self> {
        // 240 is the largest multiple of 20 that a byte reaches: beyond it the first letters would come more often.
        let letters = random.iter().filter(|byte| **byte < 240).filter_map(|byte| ALPHABET.get(usize::from(byte % 20)));
        let code: String = letters.take(LENGTH).map(|letter| char::from(*letter)).collect();
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code that somebody typed: in any case, with hyphens, spaces and other marks wherever they like. `None`: it cannot
    /// be one.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 64 {
            return None;
        }
        let letters = typed.chars().filter(|c| c.is_alphanumeric());
        let code: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let is_written = code.len() == LENGTH && code.bytes().all(|letter| ALPHABET.contains(&letter));
        is_written.then_some(Self(code))
    }

    /// The letters alone.
    pub fn letters(&self) -> &str {
        &self.0
    }

    /// As people are shown it, in two halves.
    pub fn display(&self) -> String {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_typed_otherwise_is_the_same_code() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        assert_eq!((code.letters(), code.display().as_str()), ("WDJBMJHT", "WDJB-MJHT"));
        for typed in
            ["wdjbmjht", " wdjb mjht ", "W-D-J-B-M-J-H-T", "wdjb\u{2013}mjht", "WDJB\u{a0}MJHT.", "\tWDJB_MJHT\n"]
        {
            assert_eq!(UserCode::parse(typed).as_ref(), Some(&code), "{typed:?}");
        }
        for wrong in ["", "WDJB", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH0", "WDJB-MJH\u{df}", "\u{ff37}DJB-MJHT"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(UserCode::parse(&format!("WDJB{}MJHT", " ".repeat(64))), None);
    }

    #[test]
    fn each_letter_is_as_likely_as_any_other() {
        let mut counts = [0; 20];
        for byte in 0..=u8::MAX {
            if let Some(code) = UserCode::from_random(&[byte; 8]) {
                let letter = code.letters().as_bytes()[0];
                counts[ALPHABET.iter().position(|other| *other == letter).unwrap()] += 1;
            }
        }
        assert_eq!(counts, [12; 20]);
        assert_eq!(UserCode::from_random(&[1; 7]), None);
    }

    proptest! {
        #[test]
        fn a_code_is_read_as_it_is_shown(random in prop::collection::vec(any::<u8>(), 32)) {
            if let Some(code) = UserCode::from_random(&random) {
                prop_assert_eq!(UserCode::parse(&code.display()), Some(code.clone()));
                prop_assert_eq!(UserCode::parse(&code.display().to_lowercase()), Some(code));
            }
        }

        #[test]
        fn whatever_is_typed_is_eight_letters_or_none(typed in ".{0,80}") {
            if let Some(code) = UserCode::parse(&typed) {
                prop_assert!(code.letters().len() == 8 && code.letters().bytes().all(|b| ALPHABET.contains(&b)));
            }
        }
    }
}
