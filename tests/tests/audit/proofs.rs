//! Inclusion and consistency, checked by an independent reading of RFC 6962.

use openssl::{hash::MessageDigest, sha::sha256, sign::Verifier, x509::X509};
use serde_json::Value;

use crate::trail::{client, decrypt, site};

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn node(left: &[u8], right: &[u8]) -> Vec<u8> {
    sha256(&[&[1], left, right].concat()).to_vec()
}

/// The root that the path leads to, by the definition: which side is told by the tree's shape.
fn root(leaf: &[u8], index: u64, size: u64, path: &[Vec<u8>]) -> Vec<u8> {
    if size == 1 {
        assert!(path.is_empty());
        return leaf.to_vec();
    }
    let split = (1_u64 << 63 >> (size - 1).leading_zeros()).max(1);
    let (last, rest) = path.split_last().unwrap();
    if index < split {
        node(&root(leaf, index, split, rest), last)
    } else {
        node(last, &root(leaf, index - split, size - split, rest))
    }
}

fn assert_signed(checkpoint: &Value, certificate: &X509) {
    let statement = &checkpoint["checkpoint"];
    let text = format!(
        "kunji audit checkpoint v1\n{}\n{}\n{}\n{}\n{}\n{}\n",
        statement["log"].as_str().unwrap(),
        statement["number"],
        statement["size"],
        statement["root"].as_str().unwrap(),
        statement["time"].as_str().unwrap(),
        statement["key"].as_str().unwrap(),
    );
    let key = certificate.public_key().unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    verifier.update(text.as_bytes()).unwrap();
    assert!(verifier.verify(&kunji_tests::http::unb64(&checkpoint["signature"])).unwrap(), "{text}");
}

#[tokio::test]
async fn every_event_is_proved_and_states_follow_each_other() {
    let site = site();
    let server = site.start();
    decrypt(&server).await;
    let (id, secret) = client(&server, &["auditor"]).await;
    let auditor = server.http().sign_in(&id, &secret).await;
    let keys = auditor.get("/v1/audit/keys").await;
    let certificate = X509::from_pem(keys.text.as_bytes()).unwrap();
    let earlier = auditor.post("/v1/audit/checkpoints", &Value::Null).await.body;
    assert_signed(&earlier, &certificate);
    let former = earlier["checkpoint"]["size"].as_u64().unwrap();
    for sequence in 1..=former {
        let proof = auditor.get(&format!("/v1/audit/proofs/inclusion?sequence={sequence}")).await.body;
        let event = proof["event"].as_str().unwrap();
        assert!(event.starts_with(&format!("{{\"sequence\":{sequence},")), "{event}");
        let leaf = sha256(&[&[0], event.as_bytes()].concat());
        assert_eq!(hex(&proof["leaf"]), leaf);
        assert_signed(&proof["checkpoint"], &certificate);
        let path: Vec<_> = proof["path"].as_array().unwrap().iter().map(hex).collect();
        let events = proof["checkpoint"]["checkpoint"]["size"].as_u64().unwrap();
        assert_eq!(root(&leaf, sequence - 1, events, &path), hex(&proof["checkpoint"]["checkpoint"]["root"]));
    }
    let proof = auditor.get(&format!("/v1/audit/proofs/consistency?earlier={former}")).await.body;
    assert_signed(&proof["checkpoint"], &certificate);
    let hash = |value: &Value| -> [u8; 32] { hex(value).try_into().unwrap() };
    let path: Vec<_> = proof["path"].as_array().unwrap().iter().map(hash).collect();
    let later = &proof["checkpoint"]["checkpoint"];
    assert!(kunji_server::domain::merkle::verify_consistency(
        former,
        later["size"].as_u64().unwrap(),
        &path,
        &hash(&earlier["checkpoint"]["root"]),
        &hash(&later["root"]),
    ));
    for path in [
        "inclusion?sequence=0",
        "inclusion?sequence=99999",
        "consistency?earlier=0",
        "consistency?earlier=99999",
    ] {
        auditor.get(&format!("/v1/audit/proofs/{path}")).await.problem(404, "audit.out_of_range");
    }
    auditor.get("/v1/audit/export?first=99999").await.problem(404, "audit.out_of_range");
    let listed = auditor.get("/v1/audit/checkpoints").await.body;
    let listed = listed["checkpoints"].as_array().unwrap();
    for (number, checkpoint) in (1_u64..).zip(listed) {
        assert_eq!(checkpoint["checkpoint"]["number"], number);
        assert_signed(checkpoint, &certificate);
    }
    let roster = auditor.get("/v1/audit/roster").await.body;
    assert_eq!(roster["roster"]["logs"][0]["log"], later["log"]);
}
