//! Weights of content negotiation (RFC 9110 section 12.4.2), in thousandths: how much a caller wants something.

/// What a range without a weight has.
pub const WHOLE: u16 = 1000;

/// The weight that one of the parameters of a range gives it: the whole if none does; `None` if it is none of the grammar, which
/// a range is not guessed by.
pub fn of<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    weight.map_or(Some(WHOLE), parse)
}

/// `0` to `1` with three digits at most behind the point.
fn parse(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_without_a_weight_has_the_whole() {
        assert_eq!(of([].into_iter()), Some(WHOLE));
        assert_eq!(of(["level=1", " Q = 0.25 "].into_iter()), Some(250));
        assert_eq!(of(["q=high"].into_iter()), None);
    }

    #[test]
    fn what_other_readers_of_numbers_take_is_no_weight() {
        for text in ["", ".5", "+1", "-0", "1e0", "inf", "NaN", "1.001", "0.1234", "00.5", "0x1", "2", "0.5 "] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_weight_of_the_grammar_is_read_and_nothing_else(thousandths in 0..=WHOLE, text in "[01]?[.]?[0-9e+]{0,4}") {
            for digits in 0..=3 {
                let written = format!("{:.digits$}", f64::from(thousandths) / 1000.0);
                let unit = 10_u16.pow(3 - u32::try_from(digits).unwrap());
                if thousandths % unit == 0 {
                    prop_assert_eq!(parse(&written), Some(thousandths), "{}", written);
                }
            }
            let is_weight = match text.split_once('.').unwrap_or((&text, "")) {
                (_, fraction) if fraction.len() > 3 => false,
                ("0", fraction) => fraction.bytes().all(|byte| byte.is_ascii_digit()),
                ("1", fraction) => fraction.bytes().all(|byte| byte == b'0'),
                _ => false,
            };
            prop_assert_eq!(parse(&text).is_some(), is_weight, "{}", text);
        }
    }
}
