//! Tokens of a real OpenID Connect provider, whose keys roll over and which goes away.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    site::{Server, Site},
};
use openssl::{hash::MessageDigest, pkey::PKey, rsa::Rsa, sign::Signer};
use reqwest::Method;
use serde_json::{Value, json};

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";
const PATIENCE: Duration = Duration::from_mins(1);

/// The provider, a process of its own.
struct Provider {
    issuer: String,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Provider {
    fn start() -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc");
        let modules = project.join("node_modules");
        assert!(modules.exists(), "{} is missing: run `npm ci` in tests/oidc first", modules.display());
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(project)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node is needed: install the package nodejs");
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut issuer = String::new();
        answers.read_line(&mut issuer).unwrap();
        Self { issuer: issuer.trim_end().to_owned(), child, commands, answers }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim_end(), command);
    }

    /// A token of a client for an audience.
    async fn token(&self, client: &str, algorithm: &str, audience: &str, seconds: u32) -> String {
        let resource = format!("https://kunji.test/{algorithm}/{audience}/{seconds}");
        let secret = format!("{client}-secret");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", &secret),
            ("resource", &resource),
        ];
        let http = Http::new(&self.issuer);
        let answer =
            Answer::read(http.request(Method::POST, "/token").form(&form).send().await.unwrap()).await;
        answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    async fn service_token(&self) -> String {
        self.token("service", "RS256", "kunji", 600).await
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn site(provider: &Provider) -> Site {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,REGISTRATION").with("KUNJI_LOG_FILTER", "info");
    let config = site.path().join("kunji.toml");
    let text = format!(
        "[external_issuers.provider]\nissuer = \"{}\"\naudiences = [\"kunji\", \"account\"]\n\
         leeway_seconds = 0\n[external_issuers.provider.roles]\nopens-packets = [\"decryptor\"]\n\
         reads-certificates = [\"encryptor\"]\nadministrator = [\"administrator\"]\n",
        provider.issuer
    );
    fs::write(&config, text).unwrap();
    site.with("KUNJI_CONFIG", config.to_str().unwrap())
}

async fn status(server: &Server, token: &str) -> u16 {
    let answer = server.http().bearing(token).get(CERTIFICATE).await;
    if answer.status == 401 {
        answer.envelope_error(401, "KER-ATH-401");
    }
    answer.status.as_u16()
}

async fn wait_for(server: &Server, token: &str, wanted: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = status(server, token).await;
        if found == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{found}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn forge(header: &Value, claims: &Value, sign: impl Fn(&str) -> Vec<u8>) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    format!("{input}.{}", b64(sign(&input)))
}

fn part(token: &str, place: usize) -> Value {
    serde_json::from_slice(&unb64(&json!(token.split('.').nth(place).unwrap()))).unwrap()
}

#[tokio::test]
async fn tokens_of_a_provider_open_what_its_roles_mean_here() {
    let provider = Provider::start();
    let site = site(&provider);
    let server = site.start();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = provider.token("service", algorithm, "kunji", 600).await;
        assert_eq!(status(&server, &token).await, 200, "{algorithm}");
    }
    let service = server.http().bearing(&provider.service_token().await);
    service.get("/v1/clients").await.problem(403, "access.forbidden");
    let cookie = format!("Authorization={}", provider.service_token().await);
    let by_cookie = server.http().request(Method::GET, CERTIFICATE).header("cookie", cookie).send().await;
    assert_eq!(by_cookie.unwrap().status(), 200);
    let token = provider.token("administrator", "ES256", "account", 600).await;
    let administrator = server.http().bearing(&token);
    assert_eq!(administrator.get("/v1/clients").await.status, 200);
    administrator.get(CERTIFICATE).await.envelope_error(403, "KER-ATH-403");
    let made = administrator.post("/v1/clients", &json!({ "clientId": "made", "roles": ["signer"] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = administrator.get("/v1/clients/made").await;
    assert_eq!(made.body["createdBy"], "provider:administrator");

    // Not of these algorithms, audiences, issuers, times.
    let stranger = Provider::start();
    for token in [
        provider.token("service", "RS512", "kunji", 600).await,
        provider.token("service", "RS256", "payments", 600).await,
        stranger.service_token().await,
    ] {
        assert_eq!(status(&server, &token).await, 401);
    }
    let short = provider.token("service", "RS256", "kunji", 2).await;
    wait_for(&server, &short, 401).await;
    let log = site.log();
    for reason in ["algorithm is not allowed", "for another audience", "token expired"] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(!log.contains(&short[..60]));
}

#[tokio::test]
async fn forged_tokens_of_a_provider_open_nothing() {
    let provider = Provider::start();
    let site = site(&provider);
    let server = site.start();
    let genuine = provider.service_token().await;
    assert_eq!(status(&server, &genuine).await, 200);
    let (header, claims) = (part(&genuine, 0), part(&genuine, 1));
    let keys = Http::new(&provider.issuer).get("/jwks").await.body;
    let with = |base: &Value, changes: Value| {
        let mut changed = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            changed[name] = value.clone();
        }
        changed
    };
    let own = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let by_own = |input: &str| {
        let mut signer = Signer::new(MessageDigest::sha256(), &own).unwrap();
        signer.sign_oneshot_to_vec(input.as_bytes()).unwrap()
    };
    let by_secret = |secret: &[u8]| {
        let key = PKey::hmac(secret).unwrap();
        move |input: &str| {
            let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
            signer.sign_oneshot_to_vec(input.as_bytes()).unwrap()
        }
    };
    let mut forged = vec![
        forge(&with(&header, json!({ "alg": "none" })), &claims, |_| Vec::new()),
        forge(&with(&header, json!({ "alg": "None" })), &claims, |_| Vec::new()),
        forge(&header, &claims, by_own),
        forge(&header, &with(&claims, json!({ "sub": "administrator" })), |_| {
            unb64(&json!(genuine.split('.').nth(2).unwrap()))
        }),
    ];
    // The provider's public keys as shared secrets.
    for key in keys["keys"].as_array().unwrap() {
        let kid = json!({ "alg": "HS256", "kid": key["kid"] });
        let members = [key["n"].as_str(), key["x"].as_str()].into_iter().flatten().map(str::to_owned);
        for secret in members.chain([key.to_string()]) {
            forged.push(forge(&with(&header, kid.clone()), &claims, by_secret(secret.as_bytes())));
        }
        // A key under the id of another, for another algorithm.
        let other =
            json!({ "kid": key["kid"], "alg": if key["alg"] == "RS256" { "PS256" } else { "RS256" } });
        forged.push(forge(&with(&header, other), &claims, by_own));
    }
    // Keys that the token brings along or points at, and ids that are paths or queries.
    let brought = own.public_key_to_pem().unwrap();
    for changes in [
        json!({ "jwk": { "kty": "RSA", "n": b64(own.rsa().unwrap().n().to_vec()), "e": "AQAB" } }),
        json!({ "x5c": [openssl::base64::encode_block(&brought)] }),
        json!({ "jku": "http://127.0.0.1:1/keys", "kid": "x" }),
        json!({ "kid": "../../../dev/null" }),
        json!({ "kid": "' OR 1=1 --" }),
        json!({ "kid": "" }),
        json!({ "kid": null }),
        json!({ "kid": ["a"] }),
        json!({ "crit": ["exp"] }),
        json!({ "typ": "secevent+jwt" }),
    ] {
        forged.push(forge(&with(&header, changes), &claims, by_own));
    }
    // Claims that only the provider could sign.
    for changes in [
        json!({ "iss": "http://kunji.test" }),
        json!({ "iss": format!("{}/", provider.issuer) }),
        json!({ "iss": null }),
        json!({ "nbf": 4_000_000_000_u64 }),
        json!({ "exp": 1 }),
    ] {
        forged.push(forge(&header, &with(&claims, changes), by_own));
    }
    for token in forged {
        assert_eq!(status(&server, &token).await, 401, "{token}");
    }
    // The log has each reason once, however many tokens were refused for it.
    let log = site.log();
    let refused = log.lines().filter(|line| line.contains("a token of an external issuer is refused"));
    let mut reasons: Vec<_> = refused.filter_map(|line| Some(line.split_once("reason")?.1)).collect();
    let count = reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    assert!((1..=reasons.len()).contains(&count), "{reasons:#?}");
    assert_eq!(status(&server, &genuine).await, 200);
}

#[tokio::test]
async fn keys_roll_over_and_the_provider_goes_away() {
    let mut provider = Provider::start();
    provider.tell("down");
    let site = site(&provider);
    // It starts without the provider.
    let server = site.start();
    provider.tell("up");
    let before = provider.service_token().await;
    wait_for(&server, &before, 200).await;

    provider.tell("rotate");
    let after = provider.service_token().await;
    assert_ne!(part(&before, 0)["kid"], part(&after, 0)["kid"]);
    wait_for(&server, &after, 200).await;
    // What the provider does not vouch for any more.
    assert_eq!(status(&server, &before).await, 401);

    let unseen = provider.token("service", "ES256", "kunji", 600).await;
    provider.tell("down");
    assert_eq!((status(&server, &after).await, status(&server, &unseen).await), (200, 200));
    provider.tell("up");
    provider.tell("rotate");
    let again = provider.service_token().await;
    wait_for(&server, &again, 200).await;
}
