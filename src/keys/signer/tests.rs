use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::Verifier as _;
use proptest::prelude::*;
use rsa::BoxedUint;
use rsa::signature::{RandomizedSigner, SignatureEncoding};

use super::*;
use crate::keys::private_key::Material;
use crate::keys::private_key::RsaBits;

// RFC 7515 appendices A.2 and A.3 sign the same claims.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn number(text: &str) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(&decode(text))
}

#[test]
fn rfc_7515_appendix_a_2_rs256() {
    let key = rsa::RsaPrivateKey::from_components(
        number("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"),
        number("AQAB"),
        number("Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"),
        vec![
            number("4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"),
            number("uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"),
        ],
    )
    .unwrap();
    let input = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    let expected = decode(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let signer = Signer::new(SigningAlg::RS256, &PrivateKey(Material::Rsa(Box::new(key)))).unwrap();
    assert_eq!(signer.sign(input.as_bytes()).unwrap(), expected);
    assert!(signer.verifier(SigningAlg::RS256).unwrap().is_valid(input.as_bytes(), &expected));
}

#[test]
fn rfc_7515_appendix_a_3_es256() {
    let key = p256::SecretKey::from_slice(&decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")).unwrap();
    let key = PrivateKey(Material::P256(key));
    let jwk = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
    assert_eq!(jwk["x"], "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    assert_eq!(jwk["y"], "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let input = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let signature = decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let signer = Signer::new(SigningAlg::ES256, &key).unwrap();
    let verifier = signer.verifier(SigningAlg::ES256).unwrap();
    assert!(verifier.is_valid(input.as_bytes(), &signature));
    assert!(verifier.is_valid(input.as_bytes(), &signer.sign(input.as_bytes()).unwrap()));
}

#[test]
fn rfc_8037_appendix_a_4_and_a_5_eddsa() {
    let seed = <[u8; 32]>::try_from(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")).unwrap();
    let key = PrivateKey(Material::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)));
    assert_eq!(key.public_jwk().unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let expected = decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    let signer = Signer::new(SigningAlg::EdDSA, &key).unwrap();
    assert_eq!(signer.sign(input).unwrap(), expected);
    assert!(signer.verifier(SigningAlg::EdDSA).unwrap().is_valid(input, &expected));
}

#[test]
fn a_key_of_another_kind_does_not_sign() {
    let ed25519 = PrivateKey::generate(SigningAlg::EdDSA, RsaBits::default()).unwrap();
    for alg in [SigningAlg::ES256, SigningAlg::RS256, SigningAlg::PS256] {
        assert!(Signer::new(alg, &ed25519).is_none());
    }
}

static P256_KEY: LazyLock<p256::SecretKey> =
    LazyLock::new(|| match PrivateKey::generate(SigningAlg::ES256, RsaBits::default()) {
        Some(PrivateKey(Material::P256(key))) => key,
        _ => panic!(),
    });
static RSA_KEY: LazyLock<rsa::RsaPrivateKey> =
    LazyLock::new(|| match PrivateKey::generate(SigningAlg::RS256, RsaBits::default()) {
        Some(PrivateKey(Material::Rsa(key))) => *key,
        _ => panic!(),
    });

fn rsa_signer(alg: SigningAlg) -> Signer {
    Signer::new(alg, &PrivateKey(Material::Rsa(Box::new(RSA_KEY.clone())))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn es256_agrees_with_p256(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let ours = Signer::new(SigningAlg::ES256, &PrivateKey(Material::P256(P256_KEY.clone()))).unwrap();
        let theirs = p256::ecdsa::SigningKey::from(&*P256_KEY);
        let signature = p256::ecdsa::Signature::from_slice(&ours.sign(&message).unwrap()).unwrap();
        prop_assert!(theirs.verifying_key().verify(&message, &signature).is_ok());
        let signature: p256::ecdsa::Signature = theirs.sign(&message);
        prop_assert!(ours.verifier(SigningAlg::ES256).unwrap().is_valid(&message, &signature.to_bytes()));
    }

    #[test]
    fn eddsa_agrees_with_ed25519_dalek(seed in any::<[u8; 32]>(), message in prop::collection::vec(any::<u8>(), 0..300)) {
        let theirs = ed25519_dalek::SigningKey::from_bytes(&seed);
        let ours = Signer::new(SigningAlg::EdDSA, &PrivateKey(Material::Ed25519(theirs.clone()))).unwrap();
        prop_assert_eq!(ours.sign(&message).unwrap(), theirs.sign(&message).to_bytes());
        prop_assert!(ours.verifier(SigningAlg::EdDSA).unwrap().is_valid(&message, &theirs.sign(&message).to_bytes()));
    }

    #[test]
    fn rs256_agrees_with_rsa(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let theirs = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(RSA_KEY.clone());
        let ours = rsa_signer(SigningAlg::RS256);
        let signature = theirs.sign(&message).to_vec();
        prop_assert_eq!(&ours.sign(&message).unwrap(), &signature);
        prop_assert!(ours.verifier(SigningAlg::RS256).unwrap().is_valid(&message, &signature));
        prop_assert!(!ours.verifier(SigningAlg::PS256).unwrap().is_valid(&message, &signature));
    }

    #[test]
    fn ps256_agrees_with_rsa(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let theirs = rsa::pss::SigningKey::<rsa::sha2::Sha256>::new(RSA_KEY.clone());
        let ours = rsa_signer(SigningAlg::PS256);
        let signature = theirs.sign_with_rng(&mut crate::keys::private_key::Generator, &message).to_vec();
        prop_assert!(ours.verifier(SigningAlg::PS256).unwrap().is_valid(&message, &signature));
        let verifying = rsa::pss::VerifyingKey::<rsa::sha2::Sha256>::new(RSA_KEY.to_public_key());
        let signature = rsa::pss::Signature::try_from(ours.sign(&message).unwrap().as_slice()).unwrap();
        prop_assert!(verifying.verify(&message, &signature).is_ok());
    }
}
