use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use rand_core::TryCryptoRng;
use zeroize::Zeroize as _;

use super::{
    SealError, Splitter,
    layout::{AAD_BLOCK_BYTES, AAD_BLOCK_NONCE_BYTES, APPENDED_NONCE_BYTES, HEADER},
    registration,
};
use crate::{
    cipher::{ContentCipher, MAX_CONTENT_BYTES, MAX_NONCE_BYTES, TAG_BYTES},
    key_wrap::{OaepSeed, wrap_data_key},
    public_key::RsaPublicKey,
    secret::{DataKey, RandomnessUnavailable},
    thumbprint::Thumbprint,
};

/// Whom a packet is sealed for: the public key, and the thumbprint of the certificate it is in.
///
/// Comes out of [`Recipient::check`](crate::Recipient::check), or is put together by someone who
/// trusts the pair for another reason, such as a server that issued the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientKey {
    thumbprint: Thumbprint,
    public_key: RsaPublicKey,
}

impl RecipientKey {
    /// The pair. The caller answers for it: nothing is checked here.
    pub const fn new(thumbprint: Thumbprint, public_key: RsaPublicKey) -> Self {
        Self { thumbprint, public_key }
    }

    /// Names the certificate.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The key that data keys are wrapped for.
    pub const fn public_key(&self) -> &RsaPublicKey {
        &self.public_key
    }
}

/// Which of the layouts to write.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Shape<'a> {
    /// A: header `VER_R2`; nonce and associated data are random and stand in the packet.
    SelfContained,
    /// B: a random nonce of 16 bytes stands at the end; the reader must know the associated data.
    AppendedNonce {
        /// Associated data, possibly empty.
        aad: &'a [u8],
    },
    /// C: the reader must know nonce and associated data; neither stands in the packet.
    CallerNonce {
        /// The nonce, 1 to 64 bytes. May repeat, since no data key does.
        salt: &'a [u8],
        /// Associated data, possibly empty.
        aad: &'a [u8],
    },
    /// A registration packet: random nonce and associated data in front of shape C.
    Registration,
}

/// The name only.
impl fmt::Debug for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfContained => "SelfContained",
            Self::AppendedNonce { .. } => "AppendedNonce",
            Self::CallerNonce { .. } => "CallerNonce",
            Self::Registration => "Registration",
        })
    }
}

/// What encrypting a packet's content needs, drawn before the key is wrapped.
///
/// For hosts that encrypt in the background: the content can be on its way while
/// [`wrap`](Self::wrap) does the slow part. One plan is for one content, as with [`SealPlan`].
pub struct ContentPlan<'a> {
    shape: Shape<'a>,
    data_key: DataKey,
    oaep_seed: OaepSeed,
    nonce: Cow<'a, [u8]>,
    aad: Cow<'a, [u8]>,
}

impl<'a> ContentPlan<'a> {
    /// Draws all that is random about a packet.
    ///
    /// `rng` is asked in this order: data key (32 bytes), OAEP seed (32), then for
    /// [`Shape::SelfContained`] the block of associated data (32, whose first 12 are the nonce),
    /// for [`Shape::AppendedNonce`] the nonce (16), for [`Shape::Registration`] the nonce (12) and
    /// the associated data (32).
    ///
    /// # Errors
    /// [`SealError::SaltLength`] for a salt that is empty or longer than 64 bytes,
    /// [`SealError::Randomness`] if `rng` fails.
    pub fn draw<R: TryCryptoRng + ?Sized>(shape: Shape<'a>, rng: &mut R) -> Result<Self, SealError> {
        if let Shape::CallerNonce { salt, .. } = shape
            && (salt.is_empty() || salt.len() > MAX_NONCE_BYTES)
        {
            return Err(SealError::SaltLength);
        }
        let data_key = DataKey::generate(rng)?;
        let oaep_seed = OaepSeed::generate(rng)?;
        let (nonce, aad): (Cow<'a, [u8]>, Cow<'a, [u8]>) = match shape {
            Shape::SelfContained => {
                let block: [u8; AAD_BLOCK_BYTES] = random(rng)?;
                let nonce = block.first_chunk::<AAD_BLOCK_NONCE_BYTES>().copied().unwrap_or_default();
                (nonce.to_vec().into(), block.to_vec().into())
            }
            Shape::AppendedNonce { aad } => {
                let nonce: [u8; APPENDED_NONCE_BYTES] = random(rng)?;
                (nonce.to_vec().into(), aad.into())
            }
            Shape::CallerNonce { salt, aad } => (salt.into(), aad.into()),
            Shape::Registration => {
                let nonce: [u8; registration::NONCE_BYTES] = random(rng)?;
                let aad: [u8; registration::AAD_BYTES] = random(rng)?;
                (nonce.to_vec().into(), aad.to_vec().into())
            }
        };
        Ok(Self { shape, data_key, oaep_seed, nonce, aad })
    }

    /// The key for this content, and for no other.
    pub const fn data_key(&self) -> &DataKey {
        &self.data_key
    }

    /// The GCM nonce, 1 to 64 bytes.
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The associated data.
    pub fn aad(&self) -> &[u8] {
        &self.aad
    }

    /// Wraps the data key for `recipient` and lays the packet out.
    ///
    /// # Errors
    /// [`SealError::Randomness`], in type only: the seed has been drawn.
    pub fn wrap(self, recipient: &RecipientKey, splitter: &Splitter) -> Result<SealPlan<'a>, SealError> {
        let Self { shape, data_key, mut oaep_seed, nonce, aad } = self;
        let wrapped_key = wrap_data_key(&data_key, &recipient.public_key, &mut oaep_seed)?;
        let key_part =
            [recipient.thumbprint.as_bytes().as_slice(), &wrapped_key, splitter.as_bytes()].concat();
        let (prefix, suffix) = match shape {
            Shape::SelfContained => ([HEADER.as_slice(), &key_part, &aad].concat(), Vec::new()),
            Shape::AppendedNonce { .. } => (key_part, nonce.to_vec()),
            Shape::CallerNonce { .. } => (key_part, Vec::new()),
            Shape::Registration => ([&*nonce, &*aad, &key_part].concat(), Vec::new()),
        };
        Ok(SealPlan { prefix, data_key, nonce, aad, suffix })
    }
}

/// Lengths only.
impl fmt::Debug for ContentPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nonce, aad) = (self.nonce.len(), self.aad.len());
        write!(f, "ContentPlan({:?}; nonce of {nonce}, associated data of {aad} bytes)", self.shape)
    }
}

/// All of a packet except its content: `packet = prefix ‖ C ‖ T ‖ suffix`, where
/// `(C, T) = AES-256-GCM(data key, nonce, AAD, content)`.
///
/// For hosts that encrypt the content themselves (WebCrypto, a stream). A plan is for one content
/// only; sealing two under the same plan would reveal both.
pub struct SealPlan<'a> {
    prefix: Vec<u8>,
    data_key: DataKey,
    nonce: Cow<'a, [u8]>,
    aad: Cow<'a, [u8]>,
    suffix: Vec<u8>,
}

impl<'a> SealPlan<'a> {
    /// Draws a new data key, wraps it for `recipient` and lays the packet out:
    /// [`ContentPlan::draw`] and [`ContentPlan::wrap`].
    ///
    /// # Errors
    /// As for [`ContentPlan::draw`].
    pub fn prepare<R: TryCryptoRng + ?Sized>(
        recipient: &RecipientKey,
        shape: Shape<'a>,
        splitter: &Splitter,
        rng: &mut R,
    ) -> Result<Self, SealError> {
        ContentPlan::draw(shape, rng)?.wrap(recipient, splitter)
    }

    /// All before the ciphertext.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The key for this content, and for no other.
    pub const fn data_key(&self) -> &DataKey {
        &self.data_key
    }

    /// The GCM nonce, 1 to 64 bytes.
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The associated data.
    pub fn aad(&self) -> &[u8] {
        &self.aad
    }

    /// All behind the tag.
    pub fn suffix(&self) -> &[u8] {
        &self.suffix
    }

    /// Length of the packet around `content_len` bytes.
    ///
    /// # Errors
    /// [`SealError::EmptyContent`] if there is none, [`SealError::TooLong`] if AES-GCM does not
    /// take so much.
    pub fn packet_len(&self, content_len: u64) -> Result<u64, SealError> {
        match content_len {
            0 => Err(SealError::EmptyContent),
            1..=MAX_CONTENT_BYTES => {
                let around = self.prefix.len() + TAG_BYTES + self.suffix.len();
                Ok(content_len + around as u64)
            }
            _ => Err(SealError::TooLong),
        }
    }

    /// Writes the packet around `content` over what `packet` held, and uses the plan up.
    ///
    /// The buffer is reused as it is; if its capacity does not suffice, it is enlarged once, to
    /// the exact length.
    ///
    /// # Errors
    /// [`SealError::EmptyContent`] and [`SealError::TooLong`] for content of such lengths,
    /// [`SealError::Cipher`] if `cipher` fails. `packet` is then empty.
    pub fn seal_into<C: ContentCipher + ?Sized>(
        self,
        content: &[u8],
        cipher: &C,
        packet: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        packet.clear();
        let packet_len =
            usize::try_from(self.packet_len(content.len() as u64)?).map_err(|_| SealError::TooLong)?;
        packet.reserve_exact(packet_len);
        packet.extend_from_slice(&self.prefix);
        packet.extend_from_slice(content);
        let text = packet.get_mut(self.prefix.len()..).unwrap_or_default();
        let Ok(tag) = cipher.seal_in_place(&self.data_key, &self.nonce, &self.aad, text) else {
            // Some of the content may still stand there in clear.
            text.zeroize();
            packet.clear();
            return Err(SealError::Cipher);
        };
        packet.extend_from_slice(&tag);
        packet.extend_from_slice(&self.suffix);
        Ok(())
    }
}

/// Lengths only.
impl fmt::Debug for SealPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, behind) = (self.prefix.len(), self.suffix.len());
        write!(f, "SealPlan({before} bytes before, {behind} bytes behind the content)")
    }
}

/// Seals `content` for `recipient`: [`SealPlan::prepare`] and [`SealPlan::seal_into`] a new buffer.
///
/// Allocates the packet once, in its exact length, and encrypts inside it.
///
/// # Errors
/// As for the two.
pub fn seal<R: TryCryptoRng + ?Sized, C: ContentCipher + ?Sized>(
    content: &[u8],
    recipient: &RecipientKey,
    shape: Shape<'_>,
    splitter: &Splitter,
    rng: &mut R,
    cipher: &C,
) -> Result<Vec<u8>, SealError> {
    if content.is_empty() {
        return Err(SealError::EmptyContent);
    }
    let mut packet = Vec::new();
    SealPlan::prepare(recipient, shape, splitter, rng)?.seal_into(content, cipher, &mut packet)?;
    Ok(packet)
}

fn random<const BYTES: usize, R: TryCryptoRng + ?Sized>(
    rng: &mut R,
) -> Result<[u8; BYTES], RandomnessUnavailable> {
    let mut bytes = [0; BYTES];
    rng.try_fill_bytes(&mut bytes).map_err(|_| RandomnessUnavailable)?;
    Ok(bytes)
}
