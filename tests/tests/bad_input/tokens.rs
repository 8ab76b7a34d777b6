//! Access tokens that nobody issued. (One that is too old: see `access.rs`, with a clock of its own.)

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    site::Site,
};
use openssl::{
    bn::BigNum,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};
use serde_json::{Value, json};

use crate::witness::{PLANTED, Witness};

fn part(value: &Value) -> String {
    b64(value.to_string())
}

fn rs256(key: &PKey<Private>, input: &str) -> String {
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    signer.update(input.as_bytes()).unwrap();
    format!("{input}.{}", b64(signer.sign_to_vec().unwrap()))
}

/// A genuine token taken apart, and the key that verifies it.
struct Genuine {
    header: Value,
    claims: Value,
    signature: String,
    jwk: Value,
}

impl Genuine {
    async fn of(client: &Http) -> Self {
        let parts: Vec<_> = client.token().unwrap().split('.').map(str::to_owned).collect();
        let read = |text: &str| serde_json::from_slice(&unb64(&json!(text))).unwrap();
        let set = client.get("/.well-known/jwks.json").await;
        let header: Value = read(&parts[0]);
        let keys = set.body["keys"].as_array().unwrap();
        let jwk = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap().clone();
        Self { header, claims: read(&parts[1]), signature: parts[2].clone(), jwk }
    }

    fn header(&self, members: &Value) -> Value {
        merged(&self.header, members)
    }

    fn claims(&self, members: &Value) -> Value {
        merged(&self.claims, members)
    }

    /// The forms in which a careless verifier might take the public key for a secret.
    fn public_forms(&self) -> Vec<Vec<u8>> {
        let number = |name: &str| BigNum::from_slice(&unb64(&self.jwk[name])).unwrap();
        let key = Rsa::from_public_components(number("n"), number("e")).unwrap();
        let pem = key.public_key_to_pem().unwrap();
        let trimmed = pem.trim_ascii_end().to_vec();
        vec![
            pem,
            trimmed,
            key.public_key_to_pem_pkcs1().unwrap(),
            key.public_key_to_der().unwrap(),
            key.public_key_to_der_pkcs1().unwrap(),
            unb64(&self.jwk["n"]),
            self.jwk["n"].as_str().unwrap().as_bytes().to_vec(),
            self.jwk.to_string().into_bytes(),
        ]
    }
}

fn merged(value: &Value, members: &Value) -> Value {
    let mut merged = value.clone();
    for (name, member) in members.as_object().unwrap() {
        merged[name] = member.clone();
    }
    merged
}

fn forged(genuine: &Genuine, kernel_kid: &Value) -> Vec<String> {
    let (header, claims) = (part(&genuine.header), part(&genuine.claims));
    let administrator =
        json!({ "roles": ["administrator", "decryptor", "encryptor", "key-administrator", "signer"] });
    let more = genuine.claims(&json!({ "realm_access": administrator, "preferred_username": PLANTED }));
    let later = genuine.claims(&json!({ "exp": 4_102_444_800_u32 }));
    let own = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let own_jwk = {
        let rsa = own.rsa().unwrap();
        json!({ "kty": "RSA", "n": b64(rsa.n().to_vec()), "e": b64(rsa.e().to_vec()) })
    };
    let mut tokens = Vec::new();

    // The signature of other claims, and broken ones.
    let signature = &genuine.signature;
    for altered in [&more, &later] {
        tokens.push(format!("{header}.{}.{signature}", part(altered)));
    }
    let mut flipped = unb64(&json!(signature));
    for at in [0, 128, 255] {
        flipped[at] ^= 1;
        tokens.push(format!("{header}.{claims}.{}", b64(&flipped)));
    }
    tokens.push(format!("{header}.{claims}.{}", &signature[..signature.len() - 2]));
    for broken in [vec![], vec![0; 256], vec![0xff; 256], vec![0; 255], vec![0; 257]] {
        tokens.push(format!("{header}.{claims}.{}", b64(broken)));
    }

    // None at all.
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = part(&genuine.header(&json!({ "alg": name })));
        tokens.extend([format!("{header}.{claims}."), format!("{header}.{claims}.{signature}")]);
    }
    tokens.push(format!("{}.{claims}.", part(&json!({ "alg": "none", "typ": "JWT" }))));

    // The public key as a shared secret.
    for secret in genuine.public_forms() {
        for name in ["HS256", "RS256"] {
            let key = PKey::hmac(&secret).unwrap();
            let input = format!("{}.{}", part(&genuine.header(&json!({ "alg": name }))), part(&more));
            let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
            signer.update(input.as_bytes()).unwrap();
            tokens.push(format!("{input}.{}", b64(signer.sign_to_vec().unwrap())));
        }
    }

    // A key of the forger's own, as if it were the server's, or brought along.
    for members in [
        json!({}),
        json!({ "kid": PLANTED }),
        json!({ "kid": "" }),
        json!({ "kid": null }),
        json!({ "kid": "../../../../dev/null" }),
        json!({ "kid": kernel_kid }),
        json!({ "jwk": own_jwk }),
        json!({ "kid": PLANTED, "jwk": own_jwk }),
        json!({ "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/" }),
        json!({ "x5c": [b64([1; 100])] }),
        json!({ "alg": "RS512" }),
        json!({ "alg": "PS256" }),
    ] {
        tokens.push(rs256(&own, &format!("{}.{}", part(&genuine.header(&members)), part(&more))));
    }
    // The genuine header and claims, said in another way.
    for members in
        [json!({ "crit": ["exp"] }), json!({ "b64": false, "crit": ["b64"] }), json!({ "typ": "x" })]
    {
        tokens.push(format!("{}.{claims}.{signature}", part(&genuine.header(&members))));
    }

    // No tokens.
    let whole = format!("{header}.{claims}.{signature}");
    tokens.extend([
        PLANTED.to_owned(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!("{header}.{claims}"),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{whole}.{signature}"),
        format!("{whole}."),
        format!("{whole}A"),
        format!("{whole},{whole}"),
        format!("Bearer {whole}"),
        format!("\"{whole}\""),
        format!("{whole}{}", "A".repeat(20_000)),
        format!("{}.{claims}.{signature}", b64("[".repeat(3_000))),
        format!("*.{claims}.{signature}"),
        "None".to_owned(),
        "null".to_owned(),
    ]);
    tokens
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let witness = Witness::new().await;
    let genuine = Genuine::of(&witness.client).await;
    // The key that signs data must not sign tokens, though whoever may sign can have it sign these very bytes.
    let listed =
        witness.client.get("/v1/keymanager/getAllCertificates?applicationId=KERNEL&referenceId=SIGN").await;
    let kernel_kid = listed.response()["allCertificates"][0]["keyId"].clone();
    let request = json!({ "dataToSign": b64(genuine.claims.to_string()), "includePayload": true });
    let answer = witness.client.call("/jwtSign", request).await;
    let signed_as_data = answer.response()["jwtSignedData"].as_str().unwrap().to_owned();

    let mut tokens = forged(&genuine, &kernel_kid);
    tokens.push(signed_as_data);
    let anonymous = witness.anonymous();
    let refused = |token: String| {
        let caller = anonymous.bearing(&token);
        async move {
            // Twice: a refusal must not be remembered as something else.
            for _ in 0..2 {
                let answer = caller.get("/v1/keymanager/getCertificate?applicationId=REGISTRATION").await;
                assert_eq!(answer.envelope_error(401, "KER-ATH-401"), "Authentication Failed", "{token}");
                answer.assert_hides(PLANTED);
            }
            let answer = caller.get("/v1/clients").await;
            answer.problem(401, "access.unauthenticated");
            assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
            answer.assert_hides(PLANTED);
            let cookie = Http::new(caller.base())
                .request(reqwest::Method::GET, "/v1/keymanager/getCertificate?applicationId=REGISTRATION")
                .header("cookie", format!("Authorization={token}"));
            // A cookie's value ends at a blank or comma in the eyes of nobody but us: it is refused as a whole.
            let answer = Answer::read(cookie.send().await.unwrap()).await;
            if !token.starts_with('"') {
                answer.envelope_error(401, "KER-ATH-401");
            }
        }
    };
    for token in tokens {
        refused(token).await;
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn tokens_of_another_server_open_nothing() {
    let witness = Witness::new().await;
    // Of the same name and with the same client, but with an HSM token of its own.
    let (stranger, _site, _server) = Witness::at(Site::new()).await;
    let elsewhere = stranger.administrator;
    let genuine = (Genuine::of(&witness.administrator).await, Genuine::of(&elsewhere).await);
    for name in ["iss", "aud", "sub"] {
        assert_eq!(genuine.0.claims[name], genuine.1.claims[name]);
    }
    let stranger = witness.anonymous().bearing(elsewhere.token().unwrap());
    let answer = stranger.post("/v1/clients", &json!({ "clientId": "x", "roles": ["signer"] })).await;
    answer.problem(401, "access.unauthenticated");
    // Nor does the right name of a key help.
    let (_, rest) = elsewhere.token().unwrap().split_once('.').unwrap();
    let renamed = format!("{}.{rest}", part(&genuine.1.header(&json!({ "kid": genuine.0.header["kid"] }))));
    let stranger = witness.anonymous().bearing(&renamed);
    let answer = stranger.post("/v1/clients", &json!({ "clientId": "x", "roles": ["signer"] })).await;
    answer.problem(401, "access.unauthenticated");
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn wrong_secrets_and_unknown_clients_look_alike() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    let mut answers = std::collections::BTreeSet::new();
    let long = "x".repeat(10_000);
    let credentials = [
        ("administrator", PLANTED),
        ("administrator", long.as_str()),
        ("administrator", " "),
        (PLANTED, PLANTED),
        ("Pl4nt3d/../x", PLANTED),
    ];
    for (id, secret) in credentials {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let request = anonymous.request(reqwest::Method::POST, "/oauth2/token").form(&form);
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.body["error"], "invalid_client");
        answer.assert_hides(PLANTED);
        answers.insert(answer.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    for (id, secret) in credentials.into_iter().filter(|(_, secret)| !secret.trim().is_empty()) {
        let request = json!({ "request": { "clientId": id, "secretKey": secret, "appId": "admin" } });
        let answer = anonymous.post("/v1/authmanager/authenticate/clientidsecretkey", &request).await;
        answer.envelope_error(401, "KER-ATH-401");
        assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("authorization"));
        answer.assert_hides(PLANTED);
    }
    witness.assert_unchanged().await;
}
