//! What is encrypted to a client, as fields.

use crate::admin::console::field::{Choice, Field, Group, Kind};
use crate::model::encryption_alg::{ContentEncryption, EncryptionAlg};

/// An algorithm and a content encryption for each kind of answer.
pub(super) fn group() -> Group {
    let algs = EncryptionAlg::ALL.map(|alg| Choice::new(alg.as_str(), alg.as_str()));
    let encs = ContentEncryption::ALL.map(|enc| Choice::new(enc.as_str(), enc.as_str()));
    let alg = |name, label| {
        let none = vec![Choice::new("", "Not encrypted")];
        Field::new(name, label, "", Kind::Choice([none, algs.to_vec()].concat()))
    };
    let enc = |name| {
        let default = vec![Choice::new("", "As usual (A128CBC-HS256)")];
        Field::new(name, "With", "", Kind::Choice([default, encs.to_vec()].concat()))
    };
    Group {
        title: "Encrypted to it",
        hint: "To a key of its set with the use enc: RSA, or for ECDH on the curve P-256.",
        fields: vec![
            alg("id_token_encrypted_response_alg", "ID tokens"),
            enc("id_token_encrypted_response_enc"),
            alg("userinfo_encrypted_response_alg", "Userinfo answers"),
            enc("userinfo_encrypted_response_enc"),
            alg("authorization_encrypted_response_alg", "Authorization responses that are JWTs"),
            enc("authorization_encrypted_response_enc"),
            alg("introspection_encrypted_response_alg", "Introspection answers"),
            enc("introspection_encrypted_response_enc"),
        ],
    }
}
