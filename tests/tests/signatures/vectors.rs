//! The vectors of others for single signatures.

use kunji_server::domain::{jose::SignatureAlgorithm, signature::Verifier};
use kunji_tests::http::unb64;
use serde_json::Value;

const VECTORS: &str = include_str!("../../vectors/signatures.json");

#[test]
fn good_signatures_fit_and_bad_ones_do_not() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut seen = 0;
    for group in vectors["groups"].as_array().unwrap() {
        let algorithm = SignatureAlgorithm::parse(group["algorithm"].as_str().unwrap()).unwrap();
        let verifier = Verifier::new(algorithm, &unb64(&group["key"]));
        for case in group["cases"].as_array().unwrap() {
            let (message, signature) = (unb64(&case["message"]), unb64(&case["signature"]));
            let fits = verifier.as_ref().is_some_and(|verifier| {
                let fits = verifier.verifies(&message, &signature);
                assert_eq!(verifier.verifies_input(&algorithm.input(&message), &signature), fits);
                fits
            });
            assert_eq!(case["valid"], fits, "{} {}", group["file"], case["id"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 1885);
}
