//! The whole server, over HTTP, with two tokens.

use std::{fs, path::Path};

use futures_util::future::join_all;
use kunji_tests::{
    clones::Home,
    fault_module::FaultModule,
    http::{Answer, Http, b64},
    site::{Server, Site},
    softhsm::{self, Token},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{pulled, until};

/// A site whose server has a replica in `home`, and the module in front of the primary.
fn with_replica(home: &Home) -> (Site, FaultModule) {
    let site = Site::new();
    let (file, primary) = (site.path().join("kunji.toml"), FaultModule::new());
    let pin = site.path().join("pin");
    let text = format!(
        "[[pkcs11_replicas]]\nname = \"copy\"\nmodule = {:?}\npin_file = {:?}\n\
         environment = {{ SOFTHSM2_CONF = {:?} }}\n",
        text(&home.module.path()),
        text(&pin),
        text(&home.configuration()),
    );
    fs::write(&file, text).unwrap();
    let site = site.with("KUNJI_PKCS11_MODULE", text_of(&primary.path()));
    let file = text_of(&file);
    (site.with("KUNJI_CONFIG", file), primary)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn text_of(path: &Path) -> String {
    text(path).to_owned()
}

async fn tokens(http: &Http) -> (u16, Value) {
    let answer = http.get("/readyz").await;
    (answer.status.as_u16(), answer.body["components"]["token"]["tokens"].clone())
}

async fn sign(signer: &Http) -> Answer {
    let request = json!({
        "dataToSign": b64("payload"), "applicationId": "REGISTRATION", "referenceId": "",
        "includePayload": true, "includeCertificate": false, "includeCertHash": false,
    });
    signer.call("/jwtSign", request).await
}

async fn verified(verifier: &Http, signed: &Answer) -> bool {
    let request = json!({
        "jwtSignatureData": signed.response()["jwtSignedData"], "applicationId": "REGISTRATION",
        "referenceId": "", "validateTrust": false,
    });
    verifier.call("/jwtVerify", request).await.response()["signatureValid"] == true
}

async fn signer(server: &Server) -> Http {
    server.http().sign_in("administrator", &server.secret).await.new_client(&["signer", "encryptor"]).await
}

/// A first start on the primary alone; then its token is cloned.
fn installed(home: &Home) -> (Site, FaultModule) {
    let (site, primary) = with_replica(home);
    let mut first = site.command();
    first.env_remove("KUNJI_CONFIG");
    assert!(site.start_command(first).stop().success());
    (site, primary)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_signs_on_when_the_primary_is_pulled() {
    let home = Home::empty();
    let (site, primary) = installed(&home);
    home.clone_from(&site.path().join("tokens"));
    let server = site.start();
    let (http, signer) = (server.http(), signer(&server).await);
    assert_eq!(tokens(&http).await, (200, json!({ "kunji": "ready", "copy": "ready" })));
    let all_sign = async || {
        for signed in join_all((0..32).map(|_| sign(&signer))).await {
            assert!(verified(&signer, &signed).await);
        }
    };
    all_sign().await;
    primary.set(pulled());
    // Among them those that are under way when it is found out.
    all_sign().await;
    let away = (200, json!({ "kunji": "unavailable", "copy": "ready" }));
    until(async || tokens(&http).await == away, "/readyz names the primary").await;
    all_sign().await;
    assert_eq!(http.get("/readyz").await.body["status"], "degraded");
    assert!(site.log().contains("operations go to another token now"), "{}", site.log());
    primary.clear();
    let back = (200, json!({ "kunji": "ready", "copy": "ready" }));
    until(async || tokens(&http).await == back, "the primary is back").await;
    all_sign().await;
    for module in [&primary, &home.module] {
        module.set(pulled());
    }
    let none = (503, json!({ "kunji": "unavailable", "copy": "unavailable" }));
    until(async || tokens(&http).await == none, "neither is there").await;
    assert_eq!(sign(&signer).await.status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_our_keys_is_refused_and_named() {
    let home = Home::with_token();
    let (site, _primary) = installed(&home);
    // Its PIN is another, too.
    let pin = site.path().join("other-pin");
    fs::write(&pin, kunji_tests::clones::PIN).unwrap();
    let file = site.path().join("kunji.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace(text(&site.path().join("pin")), text(&pin))).unwrap();
    let server = site.start();
    let (http, signer) = (server.http(), signer(&server).await);
    assert_eq!(tokens(&http).await, (200, json!({ "kunji": "ready", "copy": "refused" })));
    assert!(verified(&signer, &sign(&signer).await).await);
    assert!(site.log().contains("it lacks system/kek/1"), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_the_wrong_token_is_refused_with_what_is_wrong() {
    let site = Site::new();
    assert!(site.start().stop().success());
    let other = Site::new();
    let mut command = site.command();
    command.env("SOFTHSM2_CONF", other.path().join("softhsm2.conf"));
    let output = command.arg("serve").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("does not have the keys of this database"), "{told}");
    // The right one is as good as before.
    assert!(site.start().stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pin_is_changed_without_a_restart() {
    // In the directory of this process, which changes the PIN.
    let (token, module) = (Token::create("pin"), FaultModule::new());
    let site = Site::new();
    let file = site.path().join("token-pin");
    fs::write(&file, softhsm::PIN).unwrap();
    let site = site
        .with("SOFTHSM2_CONF", std::env::var("SOFTHSM2_CONF").unwrap())
        .with("KUNJI_PKCS11_TOKEN_LABEL", &token.label)
        .with("KUNJI_PKCS11_PIN_FILE", text_of(&file))
        .with("KUNJI_PKCS11_MODULE", text_of(&module.path()));
    let server = site.start();
    let (http, signer) = (server.http(), signer(&server).await);
    let store = token.open().await.unwrap();
    let (old, new) = (SecretString::from(softhsm::PIN), SecretString::from("another-pin-5555"));
    token.raw(&store).session.set_pin(&old, &new).unwrap();
    drop(store);
    // Until its sessions are lost, nobody asks for a PIN.
    assert!(verified(&signer, &sign(&signer).await).await);
    let logins = || module.counters().calls("C_Login");
    let before = logins();
    module.set(pulled());
    until(async || http.get("/readyz").await.status == 503, "it is pulled").await;
    module.clear();
    until(async || logins() > before, "the old PIN is tried").await;
    until(async || site.log().contains("the token refused the PIN"), "the log says so").await;
    for _ in 0..100 {
        assert_eq!(http.get("/readyz").await.status, 503);
        assert_eq!(sign(&signer).await.status, 503);
    }
    assert_eq!(logins(), before + 1, "it is tried once");
    fs::write(&file, "another-pin-5555\n").unwrap();
    until(async || http.get("/readyz").await.status == 200, "the new PIN is taken").await;
    assert!(verified(&signer, &sign(&signer).await).await);
    assert_eq!(logins(), before + 2);
}
