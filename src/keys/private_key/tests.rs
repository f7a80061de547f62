use super::*;
use crate::model::signing_alg::SigningAlg;

#[test]
fn a_key_comes_back_from_its_pem() {
    for alg in SigningAlg::ALL {
        let key = PrivateKey::generate(alg, RsaBits::default()).unwrap();
        let pem = key.to_pem().unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let back = PrivateKey::from_pem(alg, &pem).ok().unwrap();
        assert_eq!(back.public_jwk(), key.public_jwk());
    }
}

#[test]
fn another_kind_of_key_is_refused() {
    let pem = PrivateKey::generate(SigningAlg::ES256, RsaBits::default()).unwrap().to_pem().unwrap();
    for alg in [SigningAlg::RS256, SigningAlg::PS256, SigningAlg::EdDSA] {
        assert!(PrivateKey::from_pem(alg, &pem).err().unwrap().what.contains("of the kind"));
    }
    assert!(PrivateKey::from_pem(SigningAlg::ES256, &pem.replacen('M', "N", 1)).is_err());
}

#[test]
fn encrypted_and_older_formats_are_explained() {
    for label in ["ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"] {
        let pem = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let refused = PrivateKey::from_pem(SigningAlg::ES256, &pem).err().unwrap();
        assert!(refused.mend.contains("openssl pkcs8 -topk8 -nocrypt"), "{label}");
    }
}

#[test]
fn rfc_7518_section_3_3_small_rsa_keys_are_refused() {
    let small = PrivateKey(Material::Rsa(Box::new(rsa::RsaPrivateKey::new(&mut Generator, 1024).unwrap())));
    let refused = PrivateKey::from_pem(SigningAlg::RS256, &small.to_pem().unwrap()).err().unwrap();
    assert!(refused.what.contains("2048"));
}

#[test]
fn the_size_asked_for_is_the_size_made() {
    let made = PrivateKey::generate(SigningAlg::PS256, RsaBits::Three072).unwrap();
    assert_eq!(made.rsa_bits(), RsaBits::Three072);
    let Material::Rsa(key) = made.0 else { panic!() };
    assert_eq!(key.size() * 8, 3072);
}
