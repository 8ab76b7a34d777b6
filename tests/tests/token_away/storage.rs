//! SoftHSM's directory of tokens goes away, or another token lies there.

use std::{
    fs,
    time::{Duration, Instant},
};

use kunji_tests::fault_page::RETURN;

use super::service::{Need, Outcome, Service};

/// How long callers go on asking for what they do not get.
const ASKING: Duration = Duration::from_secs(2);
const NOTICE: Duration = Duration::from_secs(5);

async fn is_refused_for_a_while(service: &Service) {
    let begun = Instant::now();
    while begun.elapsed() < ASKING {
        for need in Need::ALL {
            assert_eq!(service.ask(need).await, Outcome::Refused, "{need:?}");
        }
        assert_eq!(service.open(&service.at_hand).await, Outcome::Right);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_directory_that_comes_back_is_taken_up_again() {
    let service = Service::start(&[]).await;
    let (place, elsewhere) = (service.site.token_directory(), service.site.path().join("elsewhere"));
    fs::rename(&place, &elsewhere).unwrap();
    let noticed = service.away().await;
    assert!(noticed < NOTICE, "{noticed:?}");
    is_refused_for_a_while(&service).await;
    fs::rename(&elsewhere, &place).unwrap();
    let back = service.back().await;
    assert!(back < RETURN, "{back:?}");
    assert_eq!(service.lost().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_token_of_the_same_label_and_pin_is_refused() {
    let mut service = Service::start(&[]).await;
    let (place, elsewhere) = (service.site.token_directory(), service.site.path().join("elsewhere"));
    let swap = |site: &kunji_tests::site::Site| {
        fs::rename(&place, &elsewhere).unwrap();
        fs::create_dir(&place).unwrap();
        site.make_token();
    };
    let swap_back = || {
        fs::remove_dir_all(&place).unwrap();
        fs::rename(&elsewhere, &place).unwrap();
    };
    swap(&service.site);
    let noticed = service.away().await;
    assert!(noticed < NOTICE, "{noticed:?}");
    is_refused_for_a_while(&service).await;
    swap_back();
    let back = service.back().await;
    assert!(back < RETURN, "{back:?}");
    assert_eq!(service.lost().await, 0);

    // A start does not take it either.
    swap(&service.site);
    assert!(service.server.end().success());
    let output = service.site.command().arg("serve").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the key that protects the records could not be unwrapped by the token"), "{said}");
    swap_back();
    assert!(service.site.start().stop().success());
}
