//! Proofs of possession (RFC 9449) by a key of a client's own, right and wrong.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::random;
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::{Call, TestApp};
use super::client::TestClient;
use super::client_key::ClientKey;

impl ClientKey {
    /// RFC 7638.
    pub fn thumbprint(&self) -> String {
        let sorted: BTreeMap<String, Value> = serde_json::from_value(self.bare_jwk()).expect("members");
        hash(&serde_json::to_string(&sorted).expect("JSON"))
    }

    /// The header of a proof.
    pub fn proof_header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.bare_jwk()})
    }

    /// A good proof of now for `path`, but for these claims; `null` leaves one out.
    pub fn proof(&self, app: &TestApp, method: &str, path: &str, change: Value) -> String {
        self.sign_under(&self.proof_header(), &proof_claims(app, method, path, change))
    }

    /// The same under another header.
    pub fn proof_under(&self, app: &TestApp, method: &str, path: &str, header: Value, claims: Value) -> String {
        let header = changed(self.proof_header(), header);
        self.sign_under(&header, &proof_claims(app, method, path, claims))
    }
}

fn proof_claims(app: &TestApp, method: &str, path: &str, change: Value) -> Value {
    let htu = format!("{}{path}", app.issuer());
    let claims = json!({"jti": random::id(), "htm": method, "htu": htu, "iat": app.now().timestamp()});
    changed(claims, change)
}

/// `value` with other members; `null` leaves one out.
pub fn changed(mut value: Value, change: Value) -> Value {
    for (name, new) in change.as_object().expect("members") {
        if new.is_null() {
            value.as_object_mut().expect("members").remove(name);
        } else {
            value[name] = new.clone();
        }
    }
    value
}

/// The members of both; `null` stays, to leave one out elsewhere.
fn both(base: &Value, change: &Value) -> Value {
    let members = |value: &Value| value.as_object().expect("members").clone();
    Value::Object(members(base).into_iter().chain(members(change)).collect())
}

/// The `ath` of an access token.
pub fn ath(token: &str) -> Value {
    hash(token).into()
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Proofs that must be refused, and how; `base` are the claims that a good one has beside the usual ones.
pub fn bad_proofs(
    app: &TestApp,
    key: &ClientKey,
    (method, path): (&str, &str),
    base: &Value,
) -> Vec<(String, &'static str)> {
    const MALFORMED: &str = "the DPoP proof is malformed";
    const TYP: &str = "the typ of the DPoP proof must be dpop+jwt";
    const ALG: &str = "the alg of the DPoP proof is not supported";
    const JWK: &str = "the jwk of the DPoP proof is not a public key for its alg";
    const SIGNATURE: &str = "the signature of the DPoP proof is wrong";
    const HTM: &str = "the htm of the DPoP proof is not the method of the request";
    const HTU: &str = "the htu of the DPoP proof is not the address of the request";
    const JTI: &str = "the DPoP proof has no jti, or a very long one";
    const IAT: &str = "the DPoP proof has no iat, or a wrong one";
    let claims = |change: Value| key.proof(app, method, path, both(base, &change));
    let header = |change: Value| key.proof_under(app, method, path, change, base.clone());
    let (other, rsa) = (ClientKey::generate("ES256"), ClientKey::generate("RS256"));
    let good = claims(json!({}));
    let (input, _) = good.rsplit_once('.').expect("a signature");
    let with_private = changed(key.bare_jwk(), json!({"d": "AAAA"}));
    let now = app.now().timestamp();
    let at = |path: &str| format!("{}{path}", app.issuer());
    vec![
        ("malformed".to_owned(), MALFORMED),
        (format!("{input}."), MALFORMED),
        (header(json!({"typ": null})), TYP),
        (header(json!({"typ": "JWT"})), TYP),
        (header(json!({"alg": null})), MALFORMED),
        (header(json!({"alg": "none"})), MALFORMED),
        (header(json!({"alg": "RS256"})), ALG),
        (header(json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}})), ALG),
        (rsa.proof(app, method, path, base.clone()), ALG),
        (header(json!({"jwk": null})), "the DPoP proof shows no key"),
        (header(json!({"jwk": with_private})), JWK),
        (header(json!({"jwk": rsa.bare_jwk()})), JWK),
        (header(json!({"jwk": "key"})), JWK),
        (header(json!({"jwk": other.bare_jwk()})), SIGNATURE),
        (format!("{input}.{}", URL_SAFE_NO_PAD.encode([1; 64])), SIGNATURE),
        (header(json!({"crit": ["exp"], "exp": now})), MALFORMED),
        (claims(json!({"jti": null})), JTI),
        (claims(json!({"jti": "j".repeat(257)})), JTI),
        (claims(json!({"htm": null})), HTM),
        (claims(json!({"htm": "PUT"})), HTM),
        (claims(json!({"htu": null})), HTU),
        (claims(json!({"htu": at("/elsewhere")})), HTU),
        (claims(json!({"htu": format!("https://evil.example{path}")})), HTU),
        (claims(json!({"iat": null})), IAT),
        (claims(json!({"iat": now - 3600})), "the DPoP proof is too old"),
        (claims(json!({"iat": now + 3600})), "the DPoP proof is of the future"),
    ]
}

/// Unusual proofs that are good all the same.
pub fn good_proofs(app: &TestApp, key: &ClientKey, (method, path): (&str, &str), base: &Value) -> Vec<String> {
    let claims = |change: Value| key.proof(app, method, path, both(base, &change));
    let header = |change: Value| key.proof_under(app, method, path, change, base.clone());
    let (now, url) = (app.now().timestamp(), format!("{}{path}", app.issuer()));
    let shouted = url.replacen("http://", "HTTP://", 1);
    vec![
        claims(json!({"htu": format!("{url}?dummy1=lorem&dummy2=ipsum")})),
        claims(json!({"htu": format!("{url}#fragment")})),
        claims(json!({"htu": format!("{url}?a=b#c")})),
        claims(json!({ "htu": shouted })),
        claims(json!({"htu": url.replacen(path, &format!("/./x/..{path}"), 1)})),
        claims(json!({"iat": now - 10})),
        claims(json!({"iat": now + 8})),
        claims(json!({"iat": now as f64 + 0.5})),
        claims(json!({"nbf": now, "exp": now + 60, "aud": "anybody", "extra": {"claim": [1]}})),
        claims(json!({"nonce": "that nobody asked for"})),
        header(json!({"kid": "key-1", "extra": "member"})),
        header(json!({"typ": "application/dpop+jwt"})),
        header(json!({"jwk": key.jwk()})),
    ]
}

impl TestApp {
    /// A token request with a proof.
    pub async fn proven_token(&self, client: &TestClient, form: &[(&str, &str)], proof: &str) -> Answer {
        client.sign(self.post("/token"), form).header("dpop", proof).send().await
    }

    /// A GET with a token that is bound to `key`, and a good proof.
    pub async fn get_with_key(&self, path: &str, token: &str, key: &ClientKey) -> Answer {
        let proof = key.proof(self, "GET", path, json!({"ath": ath(token)}));
        self.get(path).dpop(token, &proof).send().await
    }
}

impl Call {
    /// A token that is bound to a key, and a proof of that.
    pub fn dpop(self, token: &str, proof: &str) -> Self {
        self.header("authorization", &format!("DPoP {token}")).header("dpop", proof)
    }
}
