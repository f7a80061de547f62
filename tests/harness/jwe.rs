//! JSON Web Encryption as a relying party does it (RFC 7516, RFC 7518 sections 4 and 5): another library than the server's, and
//! what lies between written anew.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

/// A private key that opens what was encrypted to it.
pub struct DecryptionKey {
    pub kid: String,
    private: Private,
}

enum Private {
    Rsa(PrivateDecryptingKey),
    P256(PrivateKey),
}

/// What was inside of a JWE, and the header over it.
#[derive(Debug)]
pub struct Opened {
    pub header: Value,
    pub content: String,
}

impl DecryptionKey {
    /// A new key for an algorithm.
    pub fn generate(alg: &str) -> Self {
        let private = if alg.starts_with("RSA") {
            Private::Rsa(PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("a key"))
        } else {
            Private::P256(PrivateKey::generate(&ECDH_P256).expect("a key"))
        };
        Self { kid: format!("enc-{}", ostiary::random::id()), private }
    }

    /// The key on P-256 with that secret number.
    pub fn p256(kid: &str, d: &str) -> Self {
        let private = PrivateKey::from_private_key(&ECDH_P256, &decode(d)).expect("a key");
        Self { kid: kid.to_owned(), private: Private::P256(private) }
    }

    /// Its public half, for encryption.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.private {
            Private::Rsa(private) => {
                let der = AsDer::as_der(&private.public_key()).expect("a public key");
                let key = rsa::RsaPublicKey::from_public_key_der(der.as_ref()).expect("a key");
                let number = |number: &rsa::BoxedUint| encode(&number.to_be_bytes_trimmed_vartime());
                json!({"kty": "RSA", "n": number(key.n()), "e": number(key.e())})
            }
            Private::P256(private) => {
                let public = private.compute_public_key().expect("a public key");
                let (x, y) = public.as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("enc");
        jwk
    }

    /// A set with this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// What `token` holds; `None` if it was not made for this key or was changed.
    pub fn try_open(&self, token: &str) -> Option<Opened> {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, key, iv, ciphertext, tag] = parts[..] else { panic!("five parts: {token}") };
        let header: Value = serde_json::from_slice(&decode(protected)).expect("JSON");
        assert_eq!(header["kid"], self.kid, "it names the key: {header}");
        let enc = header["enc"].as_str().expect("enc");
        let cek = self.content_key(&header, enc, &decode(key))?;
        let content = open_content(enc, &cek, (&decode(iv), &decode(ciphertext), &decode(tag)), protected.as_bytes())?;
        Some(Opened { header, content: String::from_utf8(content).expect("UTF-8") })
    }

    #[track_caller]
    pub fn open(&self, token: &str) -> Opened {
        self.try_open(token).expect("it is for this key")
    }

    fn content_key(&self, header: &Value, enc: &str, encrypted: &[u8]) -> Option<Vec<u8>> {
        let alg = header["alg"].as_str().expect("alg");
        match &self.private {
            Private::Rsa(private) => {
                let oaep = match alg {
                    "RSA-OAEP" => &OAEP_SHA1_MGF1SHA1,
                    "RSA-OAEP-256" => &OAEP_SHA256_MGF1SHA256,
                    alg => panic!("{alg}"),
                };
                let private = OaepPrivateDecryptingKey::new(private.clone()).expect("a key");
                let mut out = vec![0; private.min_output_size()];
                Some(private.decrypt(oaep, encrypted, &mut out, None).ok()?.to_vec())
            }
            Private::P256(private) => {
                let epk = &header["epk"];
                assert_eq!((&epk["kty"], &epk["crv"]), (&json!("EC"), &json!("P-256")));
                let member = |name: &str| decode(epk[name].as_str().expect("a coordinate"));
                let point = [vec![4], member("x"), member("y")].concat();
                let peer = UnparsedPublicKey::new(&ECDH_P256, point);
                let z = agree(private, peer, (), |z| Ok(z.to_vec())).ok()?;
                match alg {
                    "ECDH-ES" => {
                        assert!(encrypted.is_empty(), "nothing is wrapped");
                        Some(derived(&z, enc, key_length(enc)))
                    }
                    "ECDH-ES+A128KW" => unwrapped(&key_wrap::AES_128, &derived(&z, alg, 16), encrypted),
                    "ECDH-ES+A256KW" => unwrapped(&key_wrap::AES_256, &derived(&z, alg, 32), encrypted),
                    alg => panic!("{alg}"),
                }
            }
        }
    }
}

/// `content` encrypted to a key of the server with ECDH-ES, under a header with these further members.
pub fn encrypt(jwk: &Value, enc: &str, more: &Value, content: &str) -> String {
    let ephemeral = PrivateKey::generate(&ECDH_P256).expect("a key");
    let public = ephemeral.compute_public_key().expect("a public key");
    let (x, y) = public.as_ref()[1..].split_at(32);
    let mut header = json!({
        "alg": "ECDH-ES", "enc": enc, "epk": {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)},
    });
    header.as_object_mut().expect("an object").extend(more.as_object().expect("members").clone());
    let member = |name: &str| decode(jwk[name].as_str().expect("a coordinate"));
    let peer = UnparsedPublicKey::new(&ECDH_P256, [vec![4], member("x"), member("y")].concat());
    let z = agree(&ephemeral, peer, (), |z| Ok(z.to_vec())).expect("an agreement");
    let cek = derived(&z, enc, key_length(enc));
    let protected = encode(header.to_string().as_bytes());
    let (iv, ciphertext, tag) = seal_content(enc, &cek, content.as_bytes(), protected.as_bytes());
    format!("{protected}..{}.{}.{}", encode(&iv), encode(&ciphertext), encode(&tag))
}

fn seal_content(enc: &str, cek: &[u8], content: &[u8], aad: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut sealed = content.to_vec();
    if let Some(gcm) = gcm(enc) {
        let key = LessSafeKey::new(UnboundKey::new(gcm, cek).expect("a key"));
        let iv = [7; 12];
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed).expect("it is sealed");
        return (iv.to_vec(), sealed, tag.as_ref().to_vec());
    }
    let (mac_key, key) = cek.split_at(cek.len() / 2);
    let key = UnboundCipherKey::new(if key.len() == 16 { &cipher::AES_128 } else { &cipher::AES_256 }, key);
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key.expect("a key")).expect("a key");
    let iv = [7; 16];
    key.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(iv))).expect("it is sealed");
    let tag = mac(mac_key, (&iv, &sealed), aad);
    (iv.to_vec(), sealed, tag)
}

fn unwrapped(cipher: &'static key_wrap::AesBlockCipher, kek: &[u8], encrypted: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0; encrypted.len()];
    Some(AesKek::new(cipher, kek).expect("a key").unwrap(encrypted, &mut out).ok()?.to_vec())
}

/// The Concat KDF of RFC 7518 section 4.6.2, without `apu` and `apv`.
fn derived(z: &[u8], name: &str, length: usize) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).expect("a small number").to_be_bytes();
    let about = [&number(name.len())[..], name.as_bytes(), &number(0), &number(0), &number(length * 8)].concat();
    let rounds = (1..=length.div_ceil(32)).map(|round| digest(&SHA256, &[&number(round)[..], z, &about].concat()));
    let mut key: Vec<u8> = rounds.flat_map(|hash| hash.as_ref().to_vec()).collect();
    key.truncate(length);
    key
}

fn key_length(enc: &str) -> usize {
    match enc {
        "A128GCM" => 16,
        "A256GCM" | "A128CBC-HS256" => 32,
        "A256CBC-HS512" => 64,
        enc => panic!("{enc}"),
    }
}

fn open_content(enc: &str, cek: &[u8], (iv, ciphertext, tag): (&[u8], &[u8], &[u8]), aad: &[u8]) -> Option<Vec<u8>> {
    assert_eq!(cek.len(), key_length(enc), "{enc}");
    if let Some(gcm) = gcm(enc) {
        let key = LessSafeKey::new(UnboundKey::new(gcm, cek).expect("a key"));
        let nonce = Nonce::try_assume_unique_for_key(iv).expect("12 bytes");
        let mut sealed = [ciphertext, tag].concat();
        return Some(key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?.to_vec());
    }
    let (mac_key, key) = cek.split_at(cek.len() / 2);
    if mac(mac_key, (iv, ciphertext), aad) != tag {
        return None;
    }
    let mut content = ciphertext.to_vec();
    let context = DecryptionContext::Iv128(FixedLength::try_from(iv).expect("16 bytes"));
    let key = UnboundCipherKey::new(if key.len() == 16 { &cipher::AES_128 } else { &cipher::AES_256 }, key);
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key.expect("a key")).expect("a key");
    Some(key.decrypt(&mut content, context).ok()?.to_vec())
}

fn gcm(enc: &str) -> Option<&'static aead::Algorithm> {
    match enc {
        "A128GCM" => Some(&aead::AES_128_GCM),
        "A256GCM" => Some(&aead::AES_256_GCM),
        _ => None,
    }
}

/// RFC 7518 section 5.2.2.1.
fn mac(key: &[u8], (iv, ciphertext): (&[u8], &[u8]), aad: &[u8]) -> Vec<u8> {
    let algorithm = if key.len() == 16 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA512 };
    let bits = u64::try_from(aad.len() * 8).expect("a length").to_be_bytes();
    let whole = hmac::sign(&hmac::Key::new(algorithm, key), &[aad, iv, ciphertext, &bits].concat());
    whole.as_ref()[..key.len()].to_vec()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}
