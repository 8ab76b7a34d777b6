//! A server's main job, whatever its token.

use serde_json::json;

use crate::{
    http::{b64, unb64},
    peer,
    site::Site,
};

/// The whole way: keys made, a packet sealed elsewhere, a restart, the packet opened, a signature.
pub async fn does_its_job(site: &Site) {
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    let certificate = client.certificate("REGISTRATION", "10001_110011").await;
    let packet = peer::seal_self_contained(&certificate, b"a record");
    assert!(server.stop().success());

    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor", "signer"]).await;
    let request = |data: &[u8]| {
        json!({
            "applicationId": "REGISTRATION", "referenceId": "10001_110011",
            "timeStamp": "2026-01-05T10:11:12.123Z", "data": b64(data),
        })
    };
    let opened = client.call("/decrypt", request(&packet)).await;
    assert_eq!(unb64(&opened.response()["data"]), b"a record");
    let sealed = client.call("/encrypt", request(b"another")).await;
    let opened = client.call("/decrypt", request(&unb64(&sealed.response()["data"]))).await;
    assert_eq!(unb64(&opened.response()["data"]), b"another");
    let sign = json!({
        "dataToSign": b64("payload"), "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
        "includeCertificate": false, "includeCertHash": false,
    });
    let signed = client.call("/jwtSign", sign).await;
    let verify = json!({
        "jwtSignatureData": signed.response()["jwtSignedData"], "applicationId": "ID_REPO", "referenceId": "",
        "validateTrust": false,
    });
    let verified = client.call("/jwtVerify", verify).await;
    assert_eq!(verified.response()["signatureValid"], true);
    assert_eq!(client.get("/readyz").await.status, 200);
}
