//! The PIN: refused, and changed.

use std::{
    env, fs,
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    session::UserType,
};
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    fault_page::RETURN,
    site::{self, Site},
    softhsm::{self, Token},
};
use secrecy::SecretString;

use super::service::{Need, Outcome, Service};

/// How long a slow token takes for a login: longer than an opening may take otherwise.
const SLOW_LOGIN: Duration = Duration::from_secs(4);
/// When a test gives up waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long callers go on asking for what they do not get.
const ASKING: Duration = Duration::from_secs(2);

#[test]
fn a_start_gives_a_wrong_pin_once() {
    let module = FaultModule::new();
    let site = Site::new().with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap());
    fs::write(site.pin_file(), "wrong-pin-9999").unwrap();
    let output = site.command().arg("serve").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("refused the PIN") && !said.contains("wrong-pin"), "{said}");
    assert_eq!(module.counters().calls("C_Login"), 1);
    fs::write(site.pin_file(), site::PIN).unwrap();
    assert!(site.start().stop().success());
}

/// The token with this label, changed by somebody else.
fn change_pin(label: &str, old: &str, new: &str) {
    let library = Pkcs11::new(softhsm::module()).unwrap();
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = library.get_slots_with_token().unwrap();
    let slot =
        slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == label).unwrap();
    let session = library.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&SecretString::from(old))).unwrap();
    session.set_pin(&SecretString::from(old), &SecretString::from(new)).unwrap();
    session.close().unwrap();
    library.finalize().unwrap();
}

/// A server with this token, its PIN in a file.
async fn service(token: &Token) -> Service {
    let module = FaultModule::new();
    let site = Site::new()
        .with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap())
        .with("SOFTHSM2_CONF", env::var("SOFTHSM2_CONF").unwrap())
        .with("KUNJI_PKCS11_TOKEN_LABEL", token.label.as_str());
    fs::write(site.pin_file(), softhsm::PIN).unwrap();
    Service::with(site, module).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_pin_is_given_once_and_then_only_from_the_file() {
    let token = Token::create("pin");
    let service = service(&token).await;
    let logins = || service.module.counters().calls("C_Login");
    // SoftHSM learns of another PIN when it is initialised, and this asks for that.
    let lose_objects = || service.module.set([Rule::first(1, "*", Fault::LoseObjects)]);

    // Whoever is logged in stays so.
    change_pin(&token.label, softhsm::PIN, "another-pin-5555");
    let before = logins();
    assert_eq!(service.ask(Need::Sign).await, Outcome::Right, "{}", service.site.log());
    assert_eq!(logins(), before);

    lose_objects();
    let begun = Instant::now();
    while begun.elapsed() < ASKING {
        assert_eq!(service.ask(Need::Sign).await, Outcome::Refused);
    }
    assert!(service.away().await < ASKING);
    assert_eq!(logins(), before + 1, "the old PIN is given once");
    fs::write(service.site.pin_file(), "another-pin-5555\n").unwrap();
    let back = service.back().await;
    assert!(back < RETURN, "{back:?}");
    assert_eq!(logins(), before + 2);

    // With the file changed in time, the old PIN is not given at all.
    change_pin(&token.label, "another-pin-5555", "a-third-pin-7777");
    fs::write(service.site.pin_file(), "a-third-pin-7777").unwrap();
    lose_objects();
    let back = service.back().await;
    assert!(back < RETURN, "{back:?}");
    assert_eq!(logins(), before + 3);
    assert_eq!(service.lost().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_is_given_once_however_long_the_answer_takes() {
    let token = Token::create("slow-pin");
    let service = service(&token).await;
    let logins = || service.module.counters().calls("C_Login");
    let lose_objects = || {
        let slow = Rule::always("C_Login", Fault::Delay(SLOW_LOGIN));
        service.module.set([Rule::first(1, "*", Fault::LoseObjects), slow]);
    };

    change_pin(&token.label, softhsm::PIN, "another-pin-5555");
    let before = logins();
    lose_objects();
    let begun = Instant::now();
    while !service.site.log().contains("the token refused the PIN (") {
        assert!(begun.elapsed() < PATIENCE, "no refusal: {}", service.site.log());
        assert_eq!(service.ask(Need::Sign).await, Outcome::Refused);
    }
    assert!(begun.elapsed() >= SLOW_LOGIN);
    let begun = Instant::now();
    while begun.elapsed() < ASKING {
        assert_eq!(service.ask(Need::Sign).await, Outcome::Refused);
    }
    assert_eq!(logins(), before + 1, "the old PIN is given once");

    // The right one is answered as slowly, and waited for.
    fs::write(service.site.pin_file(), "another-pin-5555").unwrap();
    let begun = Instant::now();
    while service.ask(Need::Sign).await != Outcome::Right {
        assert!(begun.elapsed() < PATIENCE, "not back: {}", service.site.log());
    }
    assert_eq!(logins(), before + 2);
    service.module.clear();
    assert_eq!(service.lost().await, 0);
}
