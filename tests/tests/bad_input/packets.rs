//! Packets that were cut, altered, or made for somebody else.

use std::{collections::BTreeSet, ops::Range};

use kunji_tests::{
    http::{Answer, Http, b64},
    peer,
    site::Site,
};
use openssl::{encrypt::Encrypter, hash::MessageDigest, rsa::Padding, x509::X509};
use serde_json::json;

use crate::witness::{APPLICATION, CONTENT, REFERENCE, Witness};

const WRAPPED_KEY: usize = 256;

/// What a caller sends to have a packet opened.
#[derive(Clone)]
struct Call {
    application: String,
    reference: String,
    packet: Vec<u8>,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
}

impl Call {
    fn new(packet: Vec<u8>, salt: Option<&[u8]>, aad: Option<&[u8]>) -> Self {
        Self {
            application: APPLICATION.to_owned(),
            reference: REFERENCE.to_owned(),
            packet,
            salt: salt.map(<[u8]>::to_vec),
            aad: aad.map(<[u8]>::to_vec),
        }
    }

    fn with_packet(&self, packet: Vec<u8>) -> Self {
        Self { packet, ..self.clone() }
    }

    fn with_alias(&self, application: &str, reference: &str) -> Self {
        Self { application: application.to_owned(), reference: reference.to_owned(), ..self.clone() }
    }
}

/// The two ways to have a packet opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Json,
    Binary,
}

const ROUTES: [Route; 2] = [Route::Json, Route::Binary];

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Opened,
    Malformed,
    DecryptionFailed,
    ForeignKey,
    UnknownKey,
    SigningKey,
}

impl Route {
    async fn send(self, client: &Http, call: &Call) -> Answer {
        if self == Self::Json {
            let request = json!({
                "applicationId": call.application, "referenceId": call.reference,
                "timeStamp": "2026-01-05T10:11:12.123Z", "data": b64(&call.packet),
                "salt": call.salt.as_ref().map(b64), "aad": call.aad.as_ref().map(b64),
            });
            return client.call("/decrypt", request).await;
        }
        let mut request = client
            .request(reqwest::Method::POST, "/v1/packets/decrypt")
            .header("content-type", "application/octet-stream")
            .header("kunji-application", &call.application)
            .header("kunji-reference", &call.reference);
        if let Some(salt) = &call.salt {
            request = request.header("kunji-salt", b64(salt));
        }
        if let Some(aad) = &call.aad {
            request = request.header("kunji-aad", b64(aad));
        }
        Answer::read(request.body(call.packet.clone()).send().await.unwrap()).await
    }

    #[track_caller]
    fn check(self, answer: &Answer, outcome: Outcome) {
        let (code, status, problem) = match outcome {
            Outcome::Opened => {
                assert_eq!(answer.status, 200, "{answer:?}");
                let content = if self == Self::Json { b64(CONTENT) } else { text(CONTENT) };
                assert!(answer.text.contains(&content), "{answer:?}");
                return;
            }
            Outcome::Malformed => ("KER-CRY-003", 400, "packet.malformed"),
            Outcome::DecryptionFailed => ("KER-FSE-004", 422, "packet.decryption_failed"),
            Outcome::ForeignKey => ("KER-KMS-024", 409, "packet.foreign_key"),
            Outcome::UnknownKey => ("KER-KMS-025", 404, "packet.unknown_key"),
            Outcome::SigningKey => ("KER-CRY-011", 409, "alias.signing_key"),
        };
        match self {
            Self::Json => answer.envelope_error(200, code),
            Self::Binary => answer.problem(status, problem),
        };
        // Content that was decrypted before it was found to be altered.
        answer.assert_hides("Asha");
        answer.assert_hides(&b64(CONTENT)[..12]);
    }

    async fn expect(self, client: &Http, call: &Call, outcome: Outcome) -> Answer {
        let answer = self.send(client, call).await;
        self.check(&answer, outcome);
        answer
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A packet with the names of its parts.
struct Sample {
    call: Call,
    parts: Vec<(&'static str, Range<usize>)>,
    /// Shorter packets of this layout can be told to be cut without a key.
    shortest: usize,
}

impl Sample {
    fn new(call: Call, lengths: &[(&'static str, usize)]) -> Self {
        let fixed: usize = lengths.iter().map(|(_, length)| length).sum();
        let content = call.packet.len() - fixed;
        let mut end = 0;
        let parts = lengths
            .iter()
            .map(|(name, length)| {
                let start = end;
                end = start + if *name == "ciphertext" { content } else { *length };
                (*name, start..end)
            })
            .collect();
        assert_eq!(end, call.packet.len());
        Self { call, parts, shortest: fixed }
    }

    fn part(&self, name: &str) -> Range<usize> {
        self.parts.iter().find(|part| part.0 == name).unwrap().1.clone()
    }
}

/// One of each layout.
fn samples(certificate: &str, content: &[u8]) -> [Sample; 3] {
    let (salt, aad) = (peer::random::<12>(), peer::random::<32>());
    let head = [("thumbprint", 32), ("wrapped key", WRAPPED_KEY), ("splitter", 14)];
    let layout =
        |before: &[(&'static str, usize)], after: &[(&'static str, usize)]| [before, &head, after].concat();
    [
        Sample::new(
            Call::new(peer::seal_self_contained(certificate, content), None, None),
            &layout(&[("header", 6)], &[("aad", 32), ("ciphertext", 0), ("tag", 16)]),
        ),
        Sample::new(
            Call::new(peer::seal_with_trailing_nonce(certificate, &aad, content), None, Some(&aad)),
            &layout(&[], &[("ciphertext", 0), ("tag", 16), ("nonce", 16)]),
        ),
        Sample::new(
            Call::new(peer::seal_with_salt(certificate, &salt, &aad, content), Some(&salt), Some(&aad)),
            &layout(&[], &[("ciphertext", 0), ("tag", 16)]),
        ),
    ]
}

#[tokio::test]
async fn cut_packets_do_not_open_wherever_they_are_cut() {
    let witness = Witness::new().await;
    for sample in samples(&witness.certificate, CONTENT) {
        let total = sample.call.packet.len();
        let boundaries = sample.parts.iter().flat_map(|(_, part)| [part.start, part.end]);
        let cuts: BTreeSet<usize> = boundaries
            .chain([sample.shortest])
            .flat_map(|at| [at.saturating_sub(1), at, at + 1])
            .chain((0..total).step_by(23))
            .filter(|cut| *cut < total)
            .collect();
        for route in ROUTES {
            for cut in &cuts {
                let call = sample.call.with_packet(sample.call.packet[..*cut].to_vec());
                if *cut == 0 && route == Route::Json {
                    route.send(&witness.client, &call).await.envelope_error(200, "KER-KMS-005");
                    continue;
                }
                let malformed = *cut < sample.shortest;
                let outcome = if malformed { Outcome::Malformed } else { Outcome::DecryptionFailed };
                route.expect(&witness.client, &call, outcome).await;
            }
            // Cut at the beginning: the splitter no longer stands where it can.
            for cut in [1, 5, 31, 33, 200] {
                let call = sample.call.with_packet(sample.call.packet[cut..].to_vec());
                route.expect(&witness.client, &call, Outcome::Malformed).await;
            }
            route.expect(&witness.client, &sample.call, Outcome::Opened).await;
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_packet_without_its_header_does_not_open() {
    let witness = Witness::new().await;
    let [self_contained, ..] = samples(&witness.certificate, CONTENT);
    for route in ROUTES {
        let call = self_contained.call.with_packet(self_contained.call.packet[6..].to_vec());
        route.expect(&witness.client, &call, Outcome::DecryptionFailed).await;
        // Without thumbprint too.
        let call = self_contained.call.with_packet(self_contained.call.packet[38..].to_vec());
        route.expect(&witness.client, &call, Outcome::DecryptionFailed).await;
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_splitter_that_is_another_or_elsewhere_is_seen() {
    let witness = Witness::new().await;
    for sample in samples(&witness.certificate, CONTENT) {
        let (packet, splitter) = (&sample.call.packet, sample.part("splitter"));
        let replaced = |by: &[u8]| [&packet[..splitter.start], by, &packet[splitter.end..]].concat();
        let wrong = [
            replaced(b"#KEY_SPLITTER\x00"),
            replaced(b"#key_splitter#"),
            replaced(b""),
            replaced(b"##KEY_SPLITTER#"),
            replaced(&[0; 14]),
            // One byte more or less in the wrapped key.
            [&packet[..splitter.start], b"x", &packet[splitter.start..]].concat(),
            [&packet[..splitter.start - 1], &packet[splitter.start..]].concat(),
        ];
        for packet in wrong {
            for route in ROUTES {
                let call = sample.call.with_packet(packet.clone());
                route.expect(&witness.client, &call, Outcome::Malformed).await;
            }
        }
        // Where the splitter of a longer key would stand, which the named key is not.
        let longer = [&packet[..splitter.start], &[0; 128], &packet[splitter.start..]].concat();
        for route in ROUTES {
            let call = sample.call.with_packet(longer.clone());
            route.expect(&witness.client, &call, Outcome::Malformed).await;
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn packets_for_other_keys_are_told_so() {
    let witness = Witness::new().await;
    let client = &witness.client;
    let other = client.certificate(APPLICATION, "10001_110012").await;
    let elsewhere = client.certificate("RESIDENT", REFERENCE).await;
    let master = client.certificate(APPLICATION, "").await;
    let shared = samples(&witness.certificate, CONTENT);
    for (index, sample) in shared.iter().enumerate() {
        let take = |certificate: &str| {
            let mut made = Vec::from(samples(certificate, CONTENT));
            made.swap_remove(index).call
        };
        for route in ROUTES {
            route.expect(client, &take(&other), Outcome::ForeignKey).await;
            route.expect(client, &take(&elsewhere), Outcome::ForeignKey).await;
            let call = take(&elsewhere).with_alias("RESIDENT", REFERENCE);
            route.expect(client, &call, Outcome::Opened).await;
            // The right packet under another name.
            for (application, reference) in
                [(APPLICATION, "10001_110012"), ("RESIDENT", REFERENCE), (APPLICATION, ""), ("ROOT", "")]
            {
                let call = sample.call.with_alias(application, reference);
                route.expect(client, &call, Outcome::ForeignKey).await;
            }
            // Master keys do not open packets made for them.
            let call = take(&master).with_alias(APPLICATION, "");
            route.expect(client, &call, Outcome::SigningKey).await;
            // No such key.
            let mut unknown = sample.call.clone();
            let thumbprint = sample.part("thumbprint");
            unknown.packet[thumbprint].copy_from_slice(&peer::random::<32>());
            route.expect(client, &unknown, Outcome::UnknownKey).await;
        }
    }
    // Without a thumbprint, there is only the name to go by.
    let oldest = peer::seal_without_thumbprint(&witness.certificate, CONTENT);
    let call = Call::new(oldest, None, None);
    for route in ROUTES {
        route.expect(client, &call, Outcome::Opened).await;
        let wrong = call.with_alias(APPLICATION, "10001_110012");
        route.expect(client, &wrong, Outcome::DecryptionFailed).await;
        route.expect(client, &call.with_alias(APPLICATION, ""), Outcome::SigningKey).await;
        let none = call.with_alias(APPLICATION, crate::witness::NEVER_MADE);
        route.expect(client, &none, Outcome::UnknownKey).await;
    }
    witness.assert_unchanged().await;
}

/// Every alteration that only the private key can show, and what else does not belong to the packet.
fn altered(certificate: &str, content: &[u8]) -> Vec<Call> {
    let samples = samples(certificate, content);
    let mut calls = Vec::new();
    for sample in &samples {
        for (name, part) in &sample.parts {
            if matches!(*name, "header" | "thumbprint" | "splitter") {
                continue;
            }
            let middle = part.start + part.len() / 2;
            for (bit, at) in
                [part.start, part.start + 1, middle, part.end - 2, part.end - 1].into_iter().enumerate()
            {
                let mut call = sample.call.clone();
                call.packet[at] ^= 1 << bit;
                calls.push(call);
            }
        }
        // More behind the end, and parts of another packet.
        let mut call = sample.call.clone();
        call.packet.push(0);
        calls.push(call);
        let fresh = self::samples(certificate, content);
        let same = fresh
            .iter()
            .find(|other| other.shortest == sample.shortest && other.parts.len() == sample.parts.len());
        let foreign = &same.unwrap().call.packet;
        let key = sample.part("wrapped key");
        calls.push(sample.call.with_packet([&foreign[..key.end], &sample.call.packet[key.end..]].concat()));
        // Keys that do not unwrap, or unwrap to something that is no AES-256 key.
        for wrapped in wrong_keys(certificate) {
            let mut call = sample.call.clone();
            call.packet[key.clone()].copy_from_slice(&wrapped);
            calls.push(call);
        }
    }
    let [self_contained, trailing, salted] = samples.map(|sample| sample.call);
    let salt = salted.salt.clone().unwrap();
    let mut flipped = salt.clone();
    flipped[0] ^= 1;
    for wrong in [flipped, salt[..11].to_vec(), [&salt[..], &[0]].concat(), vec![0; 64], vec![1]] {
        calls.push(Call { salt: Some(wrong), ..salted.clone() });
    }
    for call in [&trailing, &salted] {
        let aad = call.aad.clone().unwrap();
        let mut flipped = aad.clone();
        flipped[31] ^= 0x80;
        for wrong in [Some(flipped), Some(aad[..31].to_vec()), Some([&aad[..], &[0]].concat()), None] {
            calls.push(Call { aad: wrong, ..call.clone() });
        }
    }
    // Read as another layout.
    calls.push(Call { salt: None, ..salted });
    calls.push(Call { salt: Some(vec![7; 12]), ..trailing });
    calls.push(Call { salt: Some(vec![7; 12]), ..self_contained });
    calls
}

fn wrong_keys(certificate: &str) -> Vec<Vec<u8>> {
    let certificate = X509::from_pem(certificate.as_bytes()).unwrap();
    let public_key = certificate.public_key().unwrap();
    let wrap = |key: &[u8], padding: Padding, digest: Option<(MessageDigest, MessageDigest)>| {
        let mut encrypter = Encrypter::new(&public_key).unwrap();
        encrypter.set_rsa_padding(padding).unwrap();
        if let Some((label, mask)) = digest {
            encrypter.set_rsa_oaep_md(label).unwrap();
            encrypter.set_rsa_mgf1_md(mask).unwrap();
        }
        let mut wrapped = vec![0; encrypter.encrypt_len(key).unwrap()];
        let length = encrypter.encrypt(key, &mut wrapped).unwrap();
        assert_eq!(length, WRAPPED_KEY);
        wrapped
    };
    let (sha256, sha1) = (MessageDigest::sha256(), MessageDigest::sha1());
    let mut wrapped: Vec<_> = [0, 1, 16, 31, 33, 64]
        .map(|length| wrap(&vec![3; length], Padding::PKCS1_OAEP, Some((sha256, sha256))))
        .into();
    wrapped.push(wrap(&[3; 32], Padding::PKCS1_OAEP, Some((sha1, sha1))));
    wrapped.push(wrap(&[3; 32], Padding::PKCS1_OAEP, Some((sha256, sha1))));
    wrapped.push(wrap(&[3; 32], Padding::PKCS1, None));
    // Another key of the right length; numbers that are not below the modulus; and 0 and 1.
    wrapped.push(wrap(&[3; 32], Padding::PKCS1_OAEP, Some((sha256, sha256))));
    wrapped.push(vec![0xff; WRAPPED_KEY]);
    wrapped.push(public_key.rsa().unwrap().n().to_vec());
    wrapped.push(vec![0; WRAPPED_KEY]);
    wrapped.push([vec![0; WRAPPED_KEY - 1], vec![1]].concat());
    wrapped
}

/// Sends every alteration and returns the one answer that they all get.
async fn one_answer(client: &Http, certificate: &str, content: &[u8], route: Route) -> String {
    let mut answers = BTreeSet::new();
    for call in altered(certificate, content) {
        let answer = route.expect(client, &call, Outcome::DecryptionFailed).await;
        let mut headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        answers.insert(format!("{:?}\n{headers:?}", answer.without_time()));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    answers.pop_first().unwrap()
}

#[tokio::test]
async fn whatever_fails_after_the_private_key_was_used_gets_one_answer() {
    let witness = Witness::new().await;
    for route in ROUTES {
        one_answer(&witness.client, &witness.certificate, CONTENT, route).await;
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn alterations_in_public_parts_are_told() {
    let witness = Witness::new().await;
    for sample in samples(&witness.certificate, CONTENT) {
        for (name, part) in &sample.parts {
            let outcome = match *name {
                "header" | "splitter" => Outcome::Malformed,
                "thumbprint" => Outcome::UnknownKey,
                _ => continue,
            };
            for (index, at) in part.clone().enumerate() {
                let mut call = sample.call.clone();
                call.packet[at] ^= 1 << (index % 8);
                let route = ROUTES[index % 2];
                route.expect(&witness.client, &call, outcome).await;
            }
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_salt_is_a_nonce_of_1_to_64_bytes() {
    let witness = Witness::new().await;
    let [_, _, salted] = samples(&witness.certificate, CONTENT);
    for length in [65, 66, 1_000] {
        let salt = vec![1; length];
        for route in ROUTES {
            let call = Call { salt: Some(salt.clone()), ..salted.call.clone() };
            route.expect(&witness.client, &call, Outcome::Malformed).await;
        }
        let request = json!({
            "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": [2026, 1, 5, 10, 11],
            "data": "YQ", "salt": b64(&salt),
        });
        witness.client.call("/encrypt", request).await.envelope_error(200, "KER-CRY-003");
        let request = witness
            .client
            .request(reqwest::Method::POST, "/v1/packets/encrypt")
            .header("content-type", "application/octet-stream")
            .header("kunji-application", APPLICATION)
            .header("kunji-reference", REFERENCE)
            .header("kunji-salt", b64(&salt));
        let answer = Answer::read(request.body("a").send().await.unwrap()).await;
        answer.problem(400, "packet.malformed");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn there_must_be_content() {
    let witness = Witness::new().await;
    for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
        let request = witness
            .client
            .request(reqwest::Method::POST, path)
            .header("content-type", "application/octet-stream")
            .header("kunji-application", APPLICATION)
            .header("kunji-reference", crate::witness::NEVER_MADE);
        let answer = Answer::read(request.send().await.unwrap()).await;
        let code = if path.ends_with("encrypt") { "packet.content_empty" } else { "packet.malformed" };
        answer.problem(400, code);
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn spooled_packets_get_the_same_one_answer_and_leave_nothing_behind() {
    let site = Site::new()
        .with("KUNJI_SPOOL_THRESHOLD_BYTES", "1")
        .with("KUNJI_PACKETS_WITHOUT_THUMBPRINT", "false");
    let (witness, site, _server) = Witness::at(site).await;
    let client = &witness.client;
    let content = CONTENT.repeat(100);
    let spooled = one_answer(client, &witness.certificate, &content, Route::Binary).await;
    let inline = one_answer(client, &witness.certificate, &CONTENT[..20], Route::Binary).await;
    assert_eq!(spooled, inline);
    for sample in samples(&witness.certificate, &content) {
        Route::Binary.expect(client, &sample.call, Outcome::Opened).await;
        for (name, outcome) in [("splitter", Outcome::Malformed), ("thumbprint", Outcome::UnknownKey)] {
            let mut call = sample.call.clone();
            call.packet[sample.part(name).start] ^= 1;
            Route::Binary.expect(client, &call, outcome).await;
        }
        let call = sample.call.with_alias(APPLICATION, "");
        Route::Binary.expect(client, &call, Outcome::ForeignKey).await;
    }
    // This server wants to be told which key it is.
    for content in [CONTENT, &content] {
        let call = Call::new(peer::seal_without_thumbprint(&witness.certificate, content), None, None);
        for route in ROUTES {
            route.expect(client, &call, Outcome::Malformed).await;
        }
    }
    assert_eq!(std::fs::read_dir(site.data_dir().join("spool")).unwrap().count(), 0);
    witness.assert_unchanged().await;
}
