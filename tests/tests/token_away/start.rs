//! Starts on a token that fails now and then.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use cryptoki_sys::CKR_GENERAL_ERROR;
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    site::Site,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_making_that_fails_once_does_not_end_a_start() {
    let module = FaultModule::new();
    let site = Site::new().with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap());
    module.set([Rule::nth(4, "C_GenerateKeyPair", Fault::Return(CKR_GENERAL_ERROR))]);
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

/// SoftHSM shows no token to whoever begins while another process, at its login, writes it anew.
#[test]
fn a_token_that_is_there_a_moment_later_is_found_by_a_start() {
    let module = FaultModule::new();
    let site = Site::new().with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap());
    let (place, elsewhere) = (site.token_directory(), site.path().join("elsewhere"));
    fs::rename(&place, &elsewhere).unwrap();
    fs::create_dir(&place).unwrap();
    let started = site.try_start(site.command(), |_| {
        wait_for(&module, "C_GetSlotList");
        fs::remove_dir(&place).unwrap();
        fs::rename(&elsewhere, &place).unwrap();
    });
    assert!(started.is_ok(), "{}", site.log());
    assert!(module.counters().processes > 1, "it was there from the beginning");
}

/// SoftHSM writes its token anew at each login, and has none any more when it is killed meanwhile.
#[test]
fn a_worker_whose_server_is_killed_ends_its_login() {
    let module = FaultModule::new();
    let site = Site::new().with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap());
    module.set([Rule::nth(1, "C_Login", Fault::Delay(Duration::from_millis(500)))]);
    let started = site.try_start(site.command(), |server| {
        wait_for(&module, "C_Login");
        assert!(Command::new("kill").args(["-KILL", &server.to_string()]).status().unwrap().success());
    });
    assert!(started.is_err());
    wait_for(&module, "C_CloseSession");
}

fn wait_for(module: &FaultModule, function: &str) {
    let begun = Instant::now();
    while module.counters().calls(function) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{function} is not called");
        std::thread::yield_now();
    }
}
