use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName as Dn, DnType, KeyPair, SanType};
use serde_json::json;

use super::*;

/// The certificate of RFC 8705 appendix A.
const RFC_8705: &str = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsG\
A1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0t\
H6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";

fn rfc_8705() -> Certificate {
    Certificate::parse(vec![STANDARD.decode(RFC_8705).unwrap()]).unwrap()
}

fn certificate(subject: &[(DnType, &str)], names: Vec<SanType>, key: &KeyPair) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = Dn::new();
    for (kind, text) in subject {
        params.distinguished_name.push(kind.clone(), *text);
    }
    params.subject_alt_names = names;
    Certificate::parse(vec![params.self_signed(key).unwrap().der().to_vec()]).unwrap()
}

fn dn(text: &str) -> RegisteredName<'_> {
    RegisteredName::SubjectDn(text)
}

#[test]
fn rfc_8705_appendix_a() {
    let certificate = rfc_8705();
    assert_eq!(certificate.thumbprint(), "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    let jwk = json!({
        "kty": "EC",
        "x": "1yfLHCpXqFjxCeHHHMVDTcLscpb07KUxudBmOMn8C7Q",
        "y": "8_coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8",
        "crv": "P-256",
    });
    assert!(certificate.is_of(&jwk));
    let with = |member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    };
    assert!(certificate.is_of(&with("x5c", json!([RFC_8705]))));
    // Another certificate for the same key is another certificate.
    assert!(!certificate.is_of(&with("x5c", json!([STANDARD.encode("another")]))));
    assert!(!certificate.is_of(&with("x5c", json!([]))));
    assert!(!certificate.is_of(&with("use", json!("enc"))));
    assert!(!certificate.is_of(&with("crv", json!("P-384"))));
    assert!(!certificate.is_of(&with("y", jwk["x"].clone())));
    assert!(!certificate.is_of(&json!({"kty": "EC"})) && !certificate.is_of(&json!([])));
    assert!(certificate.has_name(&dn("CN=mtls")) && !certificate.has_name(&dn("CN=other")));
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    for (time, is_current) in [
        ("2018-10-18T12:37:08Z", false),
        ("2018-10-18T12:37:09Z", true),
        ("2022-05-02T12:37:09Z", true),
        ("2022-05-02T12:37:10Z", false),
    ] {
        assert_eq!(certificate.is_current(at(time)), is_current, "{time}");
    }
}

#[test]
fn what_is_no_certificate_is_none() {
    let der = STANDARD.decode(RFC_8705).unwrap();
    assert_eq!(Certificate::parse(Vec::new()), None);
    for wrong in [&[][..], &der[1..], &der[..der.len() - 1], &[der.as_slice(), &[0]].concat()] {
        assert_eq!(Certificate::parse(vec![wrong.to_vec()]), None);
    }
    let with_chain = Certificate::parse(vec![der, vec![1]]).unwrap();
    assert_eq!(with_chain.chain(), [[1]]);
}

#[test]
fn a_subject_is_compared_part_by_part_and_not_as_text() {
    let key = KeyPair::generate().unwrap();
    let subject = [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, "Sm\u{ef}th, Inc. + \"Sons\""),
        (DnType::OrganizationalUnitName, "a  b"),
        (DnType::CommonName, "Shop"),
    ];
    let certificate = certificate(&subject, Vec::new(), &key);
    for same in [
        "CN=Shop,OU=a  b,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",C=DE",
        "cn=shop, ou=A B, o=sm\\c3\\afTH\\2c Inc. \\2B \\22Sons\\22, c=de",
        "2.5.4.3=Shop,2.5.4.11=a b,2.5.4.10=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",C=DE",
        "CN=#0C0453686F70,OU=a b,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",C=DE",
    ] {
        assert!(certificate.has_name(&dn(same)), "{same}");
    }
    for other in [
        "CN=Shop",
        "C=DE,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",OU=a b,CN=Shop",
        "CN=Shop+OU=a b,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",C=DE",
        "CN=Shop,OU=ab,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",C=DE",
        "CN=Shop,OU=a b,O=Sm\u{ef}th\\, Inc. \\+ \\\"Sons\\\",ST=DE",
    ] {
        assert!(dn(other).is_readable() && !certificate.has_name(&dn(other)), "{other}");
    }
    for none in [
        "", "CN", "CN=", "=a", "CN=a,", "CN=a+", "CN=a\\", "CN=a\\q", "CN=a\\f", "CN=a;b", "CN=\"a\"", "X=a", "CN=#0",
        "CN=#zz", "CN=#0C05", "CN=\\ff", "2.=a", "CN=,O=a",
    ] {
        assert!(!dn(none).is_readable(), "{none}");
    }
}

#[test]
fn alternative_names_are_compared_by_their_kind() {
    let key = KeyPair::generate().unwrap();
    let names = vec![
        SanType::DnsName("shop.example".try_into().unwrap()),
        SanType::DnsName("*.wild.example".try_into().unwrap()),
        SanType::URI("spiffe://shop.example/a".try_into().unwrap()),
        SanType::Rfc822Name("Shop@shop.example".try_into().unwrap()),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
    ];
    let certificate = certificate(&[(DnType::CommonName, "cn.example")], names, &key);
    use RegisteredName::{Dns, Email, Ip, Uri};
    for has in [
        Dns("shop.example"),
        Dns("SHOP.example"),
        Uri("spiffe://shop.example/a"),
        Email("Shop@SHOP.example"),
        Ip("2001:0db8:0:0::1"),
        Ip("192.0.2.1"),
    ] {
        assert!(certificate.has_name(&has), "{has:?}");
    }
    for lacks in [
        // The common name is no DNS name, and a pattern names nobody.
        Dns("cn.example"),
        Dns("a.wild.example"),
        Dns("spiffe://shop.example/a"),
        Uri("spiffe://SHOP.example/a"),
        Uri("shop.example"),
        Email("shop@shop.example"),
        Ip("192.0.2.2"),
        Ip("shop.example"),
    ] {
        assert!(!certificate.has_name(&lacks), "{lacks:?}");
    }
}

#[test]
fn a_key_of_each_kind_is_recognised_by_its_numbers() {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let shown = certificate(&[], Vec::new(), &p384);
    let (x, y) = p384.public_key_raw()[1..].split_at(48);
    assert!(shown.is_of(&json!({"kty": "EC", "crv": "P-384", "x": B64.encode(x), "y": B64.encode(y)})));
    let ed = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let shown = certificate(&[], Vec::new(), &ed);
    let x = B64.encode(ed.public_key_raw());
    assert!(shown.is_of(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})));
    assert!(!shown.is_of(&json!({"kty": "OKP", "crv": "X25519", "x": x})));
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let shown = certificate(&[], Vec::new(), &rsa);
    use rsa::pkcs1::DecodeRsaPublicKey;
    use rsa::traits::PublicKeyParts;
    let public = rsa::RsaPublicKey::from_pkcs1_der(rsa.public_key_raw()).unwrap();
    let number = |number: &rsa::BoxedUint| B64.encode(number.to_be_bytes_trimmed_vartime());
    assert!(shown.is_of(&json!({"kty": "RSA", "n": number(public.n()), "e": number(public.e())})));
    assert!(!shown.is_of(&json!({"kty": "RSA", "n": number(public.n()), "e": "Aw"})));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), at in 0_usize..266, to in any::<u8>()) {
        let _ = Certificate::parse(vec![bytes]);
        let mut der = STANDARD.decode(RFC_8705).unwrap();
        if let Some(byte) = der.get_mut(at) {
            *byte = to;
        }
        // One octet off, and it is another certificate if it is one at all.
        if let Some(changed) = Certificate::parse(vec![der.clone()]) {
            prop_assert_eq!(changed.thumbprint() == rfc_8705().thumbprint(), changed == rfc_8705());
        }
    }

    #[test]
    fn a_subject_of_any_text_is_found_by_its_escaped_form(text in "[ -~\u{e4}\u{20ac}]{1,20}") {
        prop_assume!(!text.trim().is_empty());
        let key = KeyPair::generate().unwrap();
        let certificate = certificate(&[(DnType::CommonName, &text)], Vec::new(), &key);
        let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let registered = format!("CN={escaped}");
        prop_assert!(certificate.has_name(&dn(&registered)), "{}", registered);
    }

    #[test]
    fn no_text_panics_as_a_name(text in "([A-Za-z.0-9=,+#;\"]|\\\\|.){0,30}") {
        let _ = dn(&text).is_readable();
    }
}
