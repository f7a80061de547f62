//! How proxies pass on the certificate of the connection that they ended, one function for each way of writing it.
//!
//! Each answers the certificates in DER, the client's own first, and `None` for what cannot be read. A value that says in two
//! ways who the client is cannot be read either.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The most certificates that are looked at.
const MOST: usize = 10;

/// RFC 9651 section 4.2.7: padding that is missing is made up.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `Client-Cert` and the lines of `Client-Cert-Chain` (RFC 9440 section 2): byte sequences of structured fields. A list may be
/// in several lines (RFC 9651 section 4.2).
pub fn client_cert(certificate: &str, chain: &[&str]) -> Option<Vec<Vec<u8>>> {
    let chain = chain.iter().filter(|line| !line.is_empty()).flat_map(|line| line.split(','));
    few(std::iter::once(certificate).chain(chain).map(byte_sequence).collect())
}

fn byte_sequence(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim_matches([' ', '\t']).strip_prefix(':')?.strip_suffix(':')?;
    BASE64.decode(inner).ok()
}

/// What nginx writes for `$ssl_client_escaped_cert`: PEM, percent-encoded.
pub fn nginx(value: &str) -> Option<Vec<Vec<u8>>> {
    escaped_pem(value)
}

/// `X-Forwarded-Client-Cert` of Envoy: one element with `Cert`, `Chain` or both, whose values are PEM, percent-encoded.
pub fn envoy(value: &str) -> Option<Vec<Vec<u8>>> {
    let (mut certificate, mut chain) = (None, None);
    for (key, value) in pairs(value)? {
        let place = match key.to_ascii_lowercase().as_str() {
            "cert" => &mut certificate,
            "chain" => &mut chain,
            _ => continue,
        };
        if place.replace(escaped_pem(&value)?).is_some() {
            return None;
        }
    }
    match (certificate, chain) {
        (Some(certificate), None) => few(Some(certificate)),
        // The chain begins with the client's own certificate.
        (Some(certificate), Some(chain)) if certificate.first() == chain.first() => few(Some(chain)),
        (None, Some(chain)) => few(Some(chain)),
        _ => None,
    }
}

/// The pairs of the one element of an `X-Forwarded-Client-Cert`. Several elements tell of several proxies, of which nobody can
/// say here which one to believe.
fn pairs(value: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut chars = value.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut key = String::new();
        loop {
            match chars.next()? {
                '=' => break,
                char if char.is_ascii_alphabetic() => key.push(char),
                _ => return None,
            }
        }
        let mut text = String::new();
        let is_quoted = chars.next_if_eq(&'"').is_some();
        loop {
            match chars.next() {
                Some('\\') if is_quoted => text.push(chars.next()?),
                Some('"') if is_quoted => match chars.next() {
                    None | Some(';') => break,
                    Some(_) => return None,
                },
                Some('"' | ',') if !is_quoted => return None,
                Some(';') if !is_quoted => break,
                None if !is_quoted => break,
                Some(char) => text.push(char),
                None => return None,
            }
        }
        pairs.push((key, text));
    }
    Some(pairs)
}

/// `X-Forwarded-Tls-Client-Cert` of Traefik: the base64 of PEM without its lines, separated by commas; percent-encoded in some
/// versions.
pub fn traefik(value: &str) -> Option<Vec<Vec<u8>>> {
    let text = percent_decode_str(value).decode_utf8().ok()?;
    few(text.split(',').map(|part| BASE64.decode(part.trim()).ok()).collect())
}

fn escaped_pem(value: &str) -> Option<Vec<Vec<u8>>> {
    let pem: Vec<u8> = percent_decode_str(value).collect();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    few(found.ok().map(|found| found.into_iter().map(|der| der.to_vec()).collect()))
}

fn few(found: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    found.filter(|found| (1..=MOST).contains(&found.len()) && found.iter().all(|der| !der.is_empty()))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn escaped(ders: &[&[u8]]) -> String {
        let pem = ders
            .iter()
            .map(|der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der)));
        utf8_percent_encode(&pem.collect::<String>(), NON_ALPHANUMERIC).to_string()
    }

    fn ders(ders: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        Some(ders.iter().map(|der| der.to_vec()).collect())
    }

    #[test]
    fn rfc_9440_section_2_a_byte_sequence_and_a_list_of_them() {
        assert_eq!(client_cert(":YWJj:", &[]), ders(&[b"abc"]));
        assert_eq!(client_cert(":YQ:", &[":Yg==: , :Yw==:"]), ders(&[b"a", b"b", b"c"]));
        assert_eq!(client_cert(":YQ:", &[":Yg==:", "", ":Yw==:"]), ders(&[b"a", b"b", b"c"]));
        for wrong in ["", "YWJj", ":YWJj", ":YWJj:;a=1", ":YWJj:, :YWJj:", ":YW-j:", "::", "\"YWJj\""] {
            assert_eq!(client_cert(wrong, &[]), None, "{wrong}");
        }
        for wrong in ["Yg==", ":Yg==:,", ",", ":Yg==: :Yw==:", ":Yg==:;a=1"] {
            assert_eq!(client_cert(":YQ==:", &[wrong]), None, "{wrong}");
        }
        let many = [":Yg==:"; MOST];
        assert_eq!(client_cert(":YQ==:", &many), None);
    }

    #[test]
    fn nginx_writes_percent_encoded_pem() {
        assert_eq!(nginx(&escaped(&[b"abc"])), ders(&[b"abc"]));
        for wrong in ["", "abc", "-----BEGIN%20CERTIFICATE-----", "(null)"] {
            assert_eq!(nginx(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn envoy_writes_elements_of_pairs() {
        let (one, both) = (escaped(&[b"a"]), escaped(&[b"a", b"b"]));
        let value = format!("By=spiffe://here;Hash=00;Cert=\"{one}\";Subject=\"CN=\\\"x, y\\\";O=z\";URI=spiffe://a");
        assert_eq!(envoy(&value), ders(&[b"a"]));
        assert_eq!(envoy(&format!("Chain=\"{both}\"")), ders(&[b"a", b"b"]));
        assert_eq!(envoy(&format!("Cert=\"{one}\";Chain={both}")), ders(&[b"a", b"b"]));
        let other = escaped(&[b"c"]);
        let refused = [
            format!("Cert=\"{one}\",Cert=\"{other}\""),
            format!("Hash=0,Cert=\"{other}\""),
            format!("Cert=\"{one}\";Cert=\"{one}\""),
            format!("Cert=\"{other}\";Chain=\"{both}\""),
            format!("Cert=\"{one}"),
            format!("Cert=\"{one}\"x"),
            "Hash=0".to_owned(),
            "Cert".to_owned(),
            "Cert=\"\"".to_owned(),
            String::new(),
        ];
        for wrong in refused {
            assert_eq!(envoy(&wrong), None, "{wrong}");
        }
        // What stands in a quoted value is no pair of its own.
        assert_eq!(envoy(&format!("Subject=\"x;Cert={other}\";Cert={one}")), ders(&[b"a"]));
    }

    #[test]
    fn traefik_writes_base64_alone() {
        assert_eq!(traefik("YQ=="), ders(&[b"a"]));
        assert_eq!(traefik("YQ%3D%3D,Yg%3D%3D"), ders(&[b"a", b"b"]));
        for wrong in ["", ",", "YQ==,", "!", "%ff"] {
            assert_eq!(traefik(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_is_never_empty(text in "\\PC{0,60}", pairs in "(Cert|Chain|By|[\";,=\\\\]|%..){0,12}") {
            for value in [text, pairs] {
                let read = [client_cert(&value, &[&value]), nginx(&value), envoy(&value), traefik(&value)];
                for found in read.into_iter().flatten() {
                    prop_assert!(!found.is_empty() && found.len() <= MOST);
                }
            }
        }

        #[test]
        fn every_form_carries_any_bytes(der in proptest::collection::vec(any::<u8>(), 1..80)) {
            let base64 = STANDARD.encode(&der);
            let escaped = escaped(&[&der]);
            let expected = ders(&[&der]);
            prop_assert_eq!(client_cert(&format!(":{base64}:"), &[]), expected.clone());
            prop_assert_eq!(nginx(&escaped), expected.clone());
            prop_assert_eq!(envoy(&format!("Hash=1;Cert=\"{escaped}\"")), expected.clone());
            prop_assert_eq!(traefik(&base64), expected);
        }
    }
}
