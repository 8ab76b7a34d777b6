//! A first start on a token that fails now and then.

use cryptoki_sys::CKR_GENERAL_ERROR;
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    site::Site,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_making_that_fails_does_not_end_a_start() {
    let module = FaultModule::new();
    let site = Site::new().with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap());
    // It is asked once more at once: for the second rule that is the fourth call, since it does not see the one that the
    // first rule answers.
    module.set([(); 2].map(|()| Rule::nth(4, "C_GenerateKeyPair", Fault::Return(CKR_GENERAL_ERROR))));
    let server = site.start();
    let log = site.log();
    assert!(log.contains("the start tries again"), "{log}");
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor"]).await;
    for application in ["KERNEL", "REGISTRATION", "IDA", "OPENG2P"] {
        let reference = if application == "KERNEL" { "SIGN" } else { "" };
        client.certificate(application, reference).await;
    }
}
