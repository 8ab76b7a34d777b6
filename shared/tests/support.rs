//! What the tests of this crate share: the vectors, private keys, and randomness by order.

use std::{collections::BTreeMap, convert::Infallible, sync::LazyLock};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use kunji_shared::{
    Certificate, DataKey, Envelope, Frame, ModulusLength, OpenInputs, Plaintext, Recipient, RecipientKey,
    RecipientPolicy, RustCipher, Splitter, UnixTime,
    encoding::decode_base64,
    packet::{self, FormatError, HEAD_BYTES, OpenError},
    pem,
};
use rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;

/// 2027-01-01T00:00:00Z: every test certificate that is not about dates is valid.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_798_761_600);

pub(crate) static VECTORS: LazyLock<Vectors> = LazyLock::new(|| {
    let text = include_str!("../../tests/vectors/packets.json");
    serde_json::from_str(text).unwrap()
});

pub(crate) static KEY_PAIRS: LazyLock<BTreeMap<String, KeyPair>> = LazyLock::new(|| {
    VECTORS.recipients.iter().map(|(name, recipient)| (name.clone(), KeyPair::read(recipient))).collect()
});

#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub(crate) recipients: BTreeMap<String, RecipientVector>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct RecipientVector {
    private_key_pkcs8_pem: String,
    certificate_pem: String,
    thumbprint_hex: String,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) expect: String,
    pub(crate) layout: String,
    pub(crate) recipient: String,
    pub(crate) splitter: String,
    packet_b64url: String,
    plaintext_b64url: Option<String>,
    #[serde(default)]
    aad_b64url: String,
    #[serde(default)]
    salt_b64url: String,
    #[serde(default)]
    dek_b64url: String,
    #[serde(default)]
    oaep_seed_b64url: String,
    #[serde(default)]
    nonce_b64url: String,
    #[serde(default)]
    aad_block_b64url: String,
    #[serde(default)]
    session_key_b64url: String,
    #[serde(default)]
    pin_b64url: String,
}

impl Case {
    pub(crate) fn packet(&self) -> Vec<u8> {
        decode(&self.packet_b64url)
    }

    pub(crate) fn plaintext(&self) -> Option<Vec<u8>> {
        self.plaintext_b64url.as_deref().map(decode)
    }

    pub(crate) fn aad(&self) -> Vec<u8> {
        decode(&self.aad_b64url)
    }

    pub(crate) fn salt(&self) -> Vec<u8> {
        decode(&self.salt_b64url)
    }

    pub(crate) fn splitter(&self) -> Splitter {
        Splitter::new(self.splitter.as_bytes()).unwrap()
    }

    pub(crate) fn key_pair(&self) -> &'static KeyPair {
        &KEY_PAIRS[&self.recipient]
    }

    /// Data key and OAEP seed, then `members`: the order in which sealing draws them.
    pub(crate) fn randomness(&self, members: &[&[u8]]) -> Replay {
        let drawn = [decode(&self.dek_b64url), decode(&self.oaep_seed_b64url), members.concat()];
        Replay(drawn.concat())
    }

    pub(crate) fn dek(&self) -> DataKey {
        DataKey::from_slice(&decode(&self.dek_b64url)).unwrap()
    }

    pub(crate) fn session_key(&self) -> Vec<u8> {
        decode(&self.session_key_b64url)
    }

    pub(crate) fn pin(&self) -> String {
        String::from_utf8(decode(&self.pin_b64url)).unwrap()
    }

    pub(crate) fn nonce(&self) -> Vec<u8> {
        decode(&self.nonce_b64url)
    }

    pub(crate) fn aad_block(&self) -> Vec<u8> {
        decode(&self.aad_block_b64url)
    }
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    decode_base64(text, 1 << 20).unwrap()
}

pub(crate) struct KeyPair {
    pub(crate) recipient: RecipientKey,
    /// DER of the public key's SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    private_key: OaepPrivateDecryptingKey,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({:?})", self.modulus_length())
    }
}

impl KeyPair {
    fn read(vector: &RecipientVector) -> Self {
        let pkcs8 = pem::decode_all(&vector.private_key_pkcs8_pem, "PRIVATE KEY").unwrap();
        let private_key = PrivateDecryptingKey::from_pkcs8(&pkcs8[0]).unwrap();
        let certificate = Certificate::from_pem(&vector.certificate_pem).unwrap();
        assert_eq!(certificate.thumbprint().to_string(), vector.thumbprint_hex);
        let anchors = [certificate];
        let recipient =
            Recipient::check(&anchors[0], &[], &anchors, NOW, &RecipientPolicy::default()).unwrap();
        Self {
            recipient: recipient.key().clone(),
            spki: anchors[0].public_key_der().to_vec(),
            private_key: OaepPrivateDecryptingKey::new(private_key).unwrap(),
        }
    }

    pub(crate) fn modulus_length(&self) -> ModulusLength {
        self.recipient.public_key().modulus_length()
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Option<DataKey> {
        let mut buffer = [0; 512];
        let key = self.private_key.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None).ok()?;
        DataKey::from_slice(key).ok()
    }
}

/// Why a packet did not open, in the words of the vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Format,
    UnknownKey,
    Authentication,
}

impl From<FormatError> for Failure {
    fn from(_: FormatError) -> Self {
        Self::Format
    }
}

/// Opens as a service would that holds all key pairs of the vectors: the key that the thumbprint
/// names, or else `fallback`.
pub(crate) fn open(
    packet: &[u8],
    splitter: &Splitter,
    inputs: &OpenInputs<'_>,
    fallback: &KeyPair,
) -> Result<Plaintext, Failure> {
    let head = &packet[..packet.len().min(HEAD_BYTES)];
    let envelope = Envelope::read(head, packet.len() as u64, splitter)?;
    let (frame, key_pair) = match envelope.claimed_thumbprint() {
        Some(thumbprint) => {
            let key_pair = KEY_PAIRS
                .values()
                .find(|pair| pair.recipient.thumbprint() == thumbprint)
                .ok_or(Failure::UnknownKey)?;
            (envelope.with_thumbprint(key_pair.modulus_length())?, key_pair)
        }
        None => (envelope.without_thumbprint(fallback.modulus_length())?, fallback),
    };
    open_frame(packet, &frame, inputs, key_pair)
}

fn open_frame(
    packet: &[u8],
    frame: &Frame,
    inputs: &OpenInputs<'_>,
    key_pair: &KeyPair,
) -> Result<Plaintext, Failure> {
    let content = frame.content(inputs)?;
    let wrapped = frame.wrapped_key_in(packet).unwrap();
    let data_key = key_pair.unwrap(wrapped).ok_or(Failure::Authentication)?;
    packet::open(packet.to_vec(), &content, &data_key, &RustCipher).map_err(|error| match error {
        OpenError::Decryption => Failure::Authentication,
        _ => Failure::Format,
    })
}

pub(crate) fn given(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

/// Delivers the recorded bytes in their order. Asking for more is a test failure.
pub(crate) struct Replay(Vec<u8>);

/// Delivers `members` in their order.
pub(crate) fn replay(members: &[&[u8]]) -> Replay {
    Replay(members.concat())
}

impl Replay {
    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryRng for Replay {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unimplemented!("sealing asks for bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unimplemented!("sealing asks for bytes only")
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(buffer.len());
        buffer.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Replay {}

/// Delivers zeros, but only so many.
pub(crate) struct Exhausted {
    left: usize,
}

impl Exhausted {
    pub(crate) fn after(bytes: usize) -> Self {
        Self { left: bytes }
    }
}

impl TryRng for Exhausted {
    type Error = std::io::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unimplemented!("sealing asks for bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unimplemented!("sealing asks for bytes only")
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Self::Error> {
        self.left = self.left.checked_sub(buffer.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buffer.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Exhausted {}
