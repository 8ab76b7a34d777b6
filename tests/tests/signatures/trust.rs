//! Trust in certificates of others, by anchors and revocation lists in directories.

use std::{fs, path::Path};

use kunji_server::{adapters::system_clock::SystemClock, ports::clock::Clock as _};
use kunji_tests::http::Http;
use serde_json::{Value, json};

use crate::{
    authorities::{AUTHORITY, Extensions, Holder, ISSUES, Kind, SIGNS},
    clocked::Clocked,
};

const VALID: &str = "TRUST_CERT_PATH_VALID";
const NOT_VALID: &str = "TRUST_CERT_PATH_NOT_VALID";
const PATH_OF_ONE: (&str, &str) = ("basicConstraints", "critical,CA:TRUE,pathlen:0");
const LONG: (&str, &str) = ("200101000000Z", "491231000000Z");
const OVER: (&str, &str) = ("200101000000Z", "210101000000Z");

/// Milliseconds since the epoch: certificates of these tests are of today.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().millis()).unwrap()
}

fn write(directory: &Path, file: &str, content: impl AsRef<[u8]>) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join(file), content).unwrap();
}

async fn trust(client: &Http, signer: &Holder, chain: &[&Holder], domain: &str) -> String {
    let request = json!({ "jwtSignatureData": signer.token(chain), "validateTrust": true, "domain": domain });
    let answer = client.call("/jwtVerify", request).await;
    assert_eq!(answer.response()["signatureValid"], Value::Bool(true));
    answer.response()["trustValid"].as_str().unwrap().to_owned()
}

/// Outcomes of trust and revocation, and the detail.
async fn report(client: &Http, signer: &Holder, chain: &[&Holder]) -> [Value; 3] {
    let request = json!({ "jws": signer.token(chain), "validateTrust": true, "domain": "AUTH" });
    let answer = client.post("/v1/signatures/verify", &request).await;
    let checks = &answer.body["checks"];
    [&checks[4]["outcome"], &checks[5]["outcome"], &checks[5]["detail"]].map(Clone::clone)
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_lead_to_the_anchors_of_their_domain() {
    let authority =
        |name, kind, issuer, constraints| Holder::new(name, kind, issuer, 7, &[constraints, ISSUES], 5);
    let signer = |issuer, extensions: Extensions<'_>| {
        Holder::new("partner", Kind::Rsa, Some(issuer), 7, &[&[SIGNS], extensions].concat(), 5)
    };
    let root = authority("root", Kind::P384, None, AUTHORITY);
    let middle = authority("middle", Kind::P256, Some(&root), PATH_OF_ONE);
    let partner = signer(&middle, &[]);
    let deeper = authority("deeper", Kind::Rsa, Some(&middle), PATH_OF_ONE);
    let too_deep = signer(&deeper, &[]);
    let no_authority = signer(&partner, &[]);
    let stranger = Holder::new("stranger", Kind::Rsa, None, 7, &[SIGNS], 5);
    let critical = signer(&middle, &[("1.2.3.4", "critical,DER:0500")]);
    let for_encryption =
        Holder::new("reader", Kind::Rsa, Some(&middle), 7, &[("keyUsage", "critical,keyEncipherment")], 5);
    let no_issuer = Holder::new("no issuer", Kind::Rsa, Some(&root), 7, &[AUTHORITY, SIGNS], 5);
    let of_no_issuer = signer(&no_issuer, &[]);
    let only = "critical,permitted;DNS:example.org";
    let named =
        Holder::new("named", Kind::P384, Some(&root), 7, &[AUTHORITY, ISSUES, ("nameConstraints", only)], 5);
    let inside = signer(&named, &[("subjectAltName", "DNS:signer.example.org")]);
    let outside = signer(&named, &[("subjectAltName", "DNS:signer.example.com")]);

    let directory = tempfile::tempdir().unwrap();
    let anchors = directory.path().join("anchors");
    write(&anchors.join("AUTH"), "root.pem", root.pem());
    write(&anchors.join("DEVICE"), ".hidden", "");
    write(&anchors.join("MIDDLE"), "middle.pem", middle.pem());
    let server = Clocked::start(now(), &[("KUNJI_TRUST_ANCHORS_DIR", &anchors)]).await;
    let client = server.client().await;
    for (signer, chain, domain, expected) in [
        (&partner, &[&middle][..], "AUTH", VALID),
        (&partner, &[&root, &middle], "Auth", VALID),
        (&partner, &[], "MIDDLE", VALID),
        (&inside, &[&named], "AUTH", VALID),
        (&outside, &[&named], "AUTH", NOT_VALID),
        (&partner, &[], "AUTH", NOT_VALID),
        (&partner, &[&middle], "DEVICE", NOT_VALID),
        (&partner, &[&middle], "NOWHERE", NOT_VALID),
        (&too_deep, &[&deeper, &middle], "AUTH", NOT_VALID),
        (&no_authority, &[&partner, &middle], "AUTH", NOT_VALID),
        (&of_no_issuer, &[&no_issuer], "AUTH", NOT_VALID),
        (&stranger, &[], "AUTH", NOT_VALID),
        (&critical, &[&middle], "AUTH", NOT_VALID),
        (&for_encryption, &[&middle], "AUTH", NOT_VALID),
    ] {
        let name = format!("{:?} in {domain}", signer.certificate.subject_name());
        assert_eq!(trust(&client, signer, chain, domain).await, expected, "{name}");
    }
    let unknown = json!("revocation.unknown");
    assert_eq!(report(&client, &partner, &[&middle]).await, [json!("passed"), json!("skipped"), unknown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_has_is_not_trusted() {
    let root = |name, kind| Holder::new(name, kind, None, 1, &[AUTHORITY, ISSUES], 5);
    let (listed, late, other) =
        (root("listed", Kind::P384), root("late", Kind::Rsa), root("other", Kind::P256));
    let impostor = root("other", Kind::P256);
    let below =
        |issuer: &Holder, serial| Holder::new("partner", Kind::Rsa, Some(issuer), serial, &[SIGNS], 5);
    let middle = |serial| Holder::new("middle", Kind::P256, Some(&listed), serial, &[AUTHORITY, ISSUES], 5);
    let (good_middle, bad_middle) = (middle(20), middle(21));
    let [good, bad, of_good, of_bad, of_late, of_other] = [
        below(&listed, 10),
        below(&listed, 11),
        below(&good_middle, 11),
        below(&bad_middle, 10),
        below(&late, 11),
        below(&other, 11),
    ];

    let directory = tempfile::tempdir().unwrap();
    let (anchors, lists) = (directory.path().join("anchors"), directory.path().join("lists"));
    for (file, root) in [("a", &listed), ("b", &late), ("c", &other)] {
        write(&anchors.join("AUTH"), file, root.pem());
    }
    let revoked = [(11, "250101000000Z"), (21, "250101000000Z")];
    let in_der = openssl::x509::X509Crl::from_pem(&listed.list(&revoked, LONG)).unwrap().to_der().unwrap();
    write(&lists, "listed.crl", &in_der);
    write(&lists, "late.pem", late.list(&[], OVER));
    write(&lists, "impostor.pem", impostor.list(&[(11, "250101000000Z")], LONG));
    let directories =
        [("KUNJI_TRUST_ANCHORS_DIR", anchors.as_path()), ("KUNJI_REVOCATION_LISTS_DIR", lists.as_path())];
    let server = Clocked::start(now(), &directories).await;
    let client = server.client().await;
    let clear = [json!("passed"), json!("passed"), Value::Null];
    let revoked = [json!("failed"), json!("failed"), json!("revocation.revoked")];
    let ended = [json!("failed"), json!("failed"), json!("revocation.expired_list")];
    let unknown = [json!("passed"), json!("skipped"), json!("revocation.unknown")];
    assert_eq!(report(&client, &good, &[]).await, clear);
    assert_eq!(report(&client, &bad, &[]).await, revoked);
    assert_eq!(trust(&client, &bad, &[], "AUTH").await, NOT_VALID);
    let of_half = report(&client, &of_good, &[&good_middle]).await;
    assert_eq!(of_half, unknown, "the issuer in the middle has no list");
    assert_eq!(report(&client, &of_bad, &[&bad_middle]).await, revoked);
    assert_eq!(report(&client, &of_late, &[]).await, ended);
    assert_eq!(trust(&client, &of_late, &[], "AUTH").await, NOT_VALID);
    assert_eq!(report(&client, &of_other, &[]).await, unknown, "a list by another key of that name");

    write(&lists, "middle.pem", good_middle.list(&[], LONG));
    server.clock.advance_seconds(61);
    assert_eq!(report(&client, &of_good, &[&good_middle]).await, clear);
    write(&lists, "middle.pem", good_middle.list(&[], OVER));
    fs::remove_file(lists.join("listed.crl")).unwrap();
    server.clock.advance_seconds(61);
    let of_ended = report(&client, &of_good, &[&good_middle]).await;
    assert_eq!(of_ended, ended, "whatever is unknown of the other issuer");
    write(&lists, "listed.crl", in_der);
    server.clock.advance_seconds(61);
    assert_eq!(report(&client, &good, &[]).await, clear);

    // Read again a minute later, the newer list counts; what cannot be read leaves those of before.
    write(&lists, "newer.pem", listed.list(&[(10, "250101000000Z")], ("210101000000Z", LONG.1)));
    assert_eq!(report(&client, &good, &[]).await, clear);
    server.clock.advance_seconds(61);
    assert_eq!(report(&client, &good, &[]).await, revoked);
    assert_eq!(report(&client, &bad, &[]).await, clear);
    write(&lists, "broken.pem", "x");
    server.clock.advance_seconds(61);
    assert_eq!(report(&client, &good, &[]).await, revoked);

    fs::remove_file(lists.join("broken.pem")).unwrap();
    let mut settings = directories.to_vec();
    settings.push(("KUNJI_EXPIRED_REVOCATION_LISTS", Path::new("accept")));
    let lenient = Clocked::start(now(), &settings).await;
    let client = lenient.client().await;
    let ended = [json!("passed"), json!("passed"), json!("revocation.expired_list")];
    assert_eq!(report(&client, &of_late, &[]).await, ended);
}
