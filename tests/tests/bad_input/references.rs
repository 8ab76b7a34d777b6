//! A caller who asks for thousands of new references.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kunji_tests::site::Site;

use crate::witness::{APPLICATION, REFERENCE, Witness};

const QUOTA: usize = 20;
const REFERENCES: usize = 10_000;
const CONNECTIONS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_new_references_make_as_many_keys_as_the_quota() {
    let site = Site::new().with("KUNJI_KEY_CREATION_QUOTA_PER_HOUR", QUOTA.to_string());
    let (witness, _site, _server) = Witness::at(site).await;
    // Its own quota: the witness has used one of its hour.
    let greedy = witness.administrator.new_client(&["encryptor"]).await;

    let next = Arc::new(AtomicUsize::new(0));
    let callers = (0..CONNECTIONS).map(|_| {
        let (next, greedy) = (Arc::clone(&next), greedy.clone());
        tokio::spawn(async move {
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REFERENCES {
                    return made;
                }
                let query = format!("applicationId={APPLICATION}&referenceId=new_{number}");
                let answer = greedy.get(&format!("/v1/keymanager/getCertificate?{query}")).await;
                if answer.body["errors"].is_null() {
                    made.push((number, answer.response()["certificate"].as_str().unwrap().to_owned()));
                } else {
                    let text = answer.envelope_error(200, "KER-KMS-016");
                    assert!(text.contains("as many as one may within an hour"), "{text}");
                    answer.assert_hides("new_");
                }
            }
        })
    });
    let made = futures_util::future::join_all(callers).await.into_iter().flat_map(Result::unwrap);
    let made: Vec<_> = made.collect();
    assert_eq!(made.len(), QUOTA);
    assert_eq!(made.iter().map(|(_, certificate)| certificate).collect::<BTreeSet<_>>().len(), QUOTA);

    // What was made stays, also for the one who may make no more; what was refused left nothing.
    for (number, certificate) in &made {
        assert_eq!(greedy.certificate(APPLICATION, &format!("new_{number}")).await, *certificate);
    }
    let numbers: BTreeSet<_> = made.iter().map(|(number, _)| *number).collect();
    for number in (0..REFERENCES).filter(|number| !numbers.contains(number)).step_by(997) {
        let query = format!("applicationId={APPLICATION}&referenceId=new_{number}");
        let answer = greedy.get(&format!("/v1/keymanager/getAllCertificates?{query}")).await;
        assert_eq!(answer.response()["allCertificates"], serde_json::json!([]));
    }
    // Others are served as before, and at once.
    let began = Instant::now();
    witness.client.certificate(APPLICATION, REFERENCE).await;
    witness.client.certificate(APPLICATION, "of_another_caller").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    witness.assert_unchanged().await;
}
