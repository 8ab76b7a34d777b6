//! `getCertificateChain`

use crate::{Openssl, client, shared};

#[tokio::test]
async fn a_chain_begins_with_the_certificate_and_ends_with_the_root() {
    let shared = shared();
    let reader = client(&shared.server, &["encryptor"]).await;
    let openssl = Openssl::new();
    for (application, reference) in
        [("REGISTRATION", "10001_chain"), ("REGISTRATION", ""), ("KERNEL", "SIGN"), ("ROOT", "")]
    {
        let query = format!("applicationId={application}&referenceId={reference}");
        let answer = reader.get(&format!("/v1/keymanager/getCertificateChain?{query}&timeStamp=x")).await;
        let members: Vec<_> = answer.response().as_object().unwrap().keys().collect();
        assert_eq!(members, ["certificatesTrustPath", "timestamp"]);
        let chain = answer.response()["certificatesTrustPath"].as_str().unwrap();
        openssl.write("chain.p7b", chain);
        let printed = openssl.print(&["pkcs7", "-in", "chain.p7b", "-print_certs"]);
        let found = kunji_shared::Certificate::chain_from_pem(&printed).unwrap();
        let own = reader.certificate(application, reference).await;
        assert_eq!(found[0], kunji_shared::Certificate::from_pem(&own).unwrap(), "{query}");
        let root = kunji_shared::Certificate::from_pem(&reader.certificate("ROOT", "").await).unwrap();
        assert_eq!(found.last(), Some(&root));
        for pair in found.windows(2) {
            assert!(pair[0].is_signed_by(&pair[1]).is_ok() && pair[0].issuer() == pair[1].subject());
        }
        let levels = match (application, reference) {
            ("ROOT", _) => 1,
            ("REGISTRATION", "10001_chain") => 3,
            _ => 2,
        };
        assert_eq!(found.len(), levels, "{query}");
    }
}

#[tokio::test]
async fn there_is_no_chain_where_there_is_no_certificate() {
    let shared = shared();
    let reader = client(&shared.server, &["encryptor"]).await;
    for (query, code) in [
        ("", "KER-KMS-005"),
        ("applicationId=NONE", "KER-KMS-002"),
        ("applicationId=KERNEL&referenceId=x", "KER-KMS-016"),
    ] {
        let answer = reader.get(&format!("/v1/keymanager/getCertificateChain?{query}")).await;
        answer.envelope_error(200, code);
    }
    let signer = client(&shared.server, &["signer"]).await;
    let answer = signer.get("/v1/keymanager/getCertificateChain?applicationId=ROOT").await;
    answer.envelope_error(403, "KER-ATH-403");
}
