//! Keys that are renewed: the newest signs, and those before it still verify and are published.

use std::sync::Arc;

use kunji_server::{
    api,
    app::{self, Ports},
};
use kunji_tests::{
    faults::ManualClock,
    http::{Http, unb64},
    in_process,
    softhsm::Token,
};
use serde_json::{Value, json};

const REFERENCES: [&str; 4] = ["", "EC_SECP256K1_SIGN", "EC_SECP256R1_SIGN", "ED25519_SIGN"];

async fn sign(client: &Http, reference: &str) -> (String, String) {
    let request = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": reference,
        "includePayload": true });
    let answer = client.call("/jwtSign", request).await;
    let token = answer.response()["jwtSignedData"].as_str().unwrap().to_owned();
    let header: Value = serde_json::from_slice(&unb64(&token.split('.').next().unwrap().into())).unwrap();
    (token, header["kid"].as_str().unwrap().to_owned())
}

/// A server in this process, on a clock that the test moves.
#[tokio::test(flavor = "multi_thread")]
async fn renewed_keys_overlap() {
    let token = Token::create("rotation");
    let data_dir = tempfile::tempdir().unwrap();
    let environment = [("KUNJI_KEYS", "ROOT,KERNEL/SIGN,ID_REPO"), ("KUNJI_ISSUER", "http://kunji.test")];
    let settings = in_process::settings(data_dir.path(), &environment);
    let clock = Arc::new(ManualClock::at(1_767_607_872_000));
    let (audit, database) = (in_process::trail(data_dir.path()), in_process::database().await);
    let repository = in_process::repository(&database).await;
    let token = Arc::new(token.open().await.unwrap());
    let ports = Ports {
        clock: Arc::<ManualClock>::clone(&clock),
        ..in_process::ports(data_dir.path(), audit, repository, token)
    };
    let running = app::start(&settings, ports).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
    let endpoint = api::endpoint(&running.services, &settings);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving =
        tokio::spawn(api::serve(listener, api::Carrier::Plain, endpoint, (&settings).into(), async {
            let _ = stopped.await;
        }));
    let secret = std::fs::read_to_string(data_dir.path().join("administrator-secret")).unwrap();
    let sign_in = async || {
        let administrator = nobody.sign_in("administrator", secret.trim_end()).await;
        administrator.new_client(&["signer", "key-administrator"]).await
    };

    let client = sign_in().await;
    let mut before = Vec::new();
    for reference in REFERENCES {
        if !reference.is_empty() {
            let request = json!({ "applicationId": "ID_REPO", "referenceId": reference });
            client.call("/generateECSignKey/CERTIFICATE", request).await.response();
        }
        before.push(sign(&client, reference).await);
    }
    // Keys last 1095 days; those on curves are renewed 30 days before, the application's own 60.
    clock.advance_days(1070);
    let client = sign_in().await;
    let mut after = Vec::new();
    for (reference, (token, kid)) in REFERENCES.into_iter().zip(&before) {
        let (_, renewed) = sign(&client, reference).await;
        assert_ne!(renewed, *kid, "{reference}");
        after.push(renewed);
        let request =
            json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": reference });
        assert_eq!(
            client.call("/jwtVerify", request).await.response()["signatureValid"],
            true,
            "{reference}"
        );
    }
    let set = nobody.get("/v1/jwks/ID_REPO").await;
    let published: Vec<_> =
        set.body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        after.iter().zip(&before).flat_map(|(new, (_, old))| [new.as_str(), old.as_str()]).collect();
    assert_eq!(published, expected);

    let _ = stop.send(());
    serving.await.unwrap().unwrap();
}
