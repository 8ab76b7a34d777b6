//! Encryption by a password: the standard security handler, revision 6, AES-256 (ISO 32000-2, 7.6.4).

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use openssl::symm::{Cipher, Crypter, Mode};
use zeroize::Zeroizing;

use super::writer::Writer;
use crate::ports::{entropy::Entropy, pdf::PdfError};

/// What a reader lets somebody do who has opened the document with the password: print, and have it read aloud (7.6.4.2,
/// with the bits that must be set).
const PERMISSIONS: i32 = !0xfff | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 9 | 1 << 11;
/// Longest password, in bytes.
const PASSWORD_MAX_BYTES: usize = 127;
const BLOCK: usize = 16;
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 8;

/// Encrypts strings and streams with a document's key.
pub(super) struct Sealer<'a> {
    key: Zeroizing<[u8; KEY_BYTES]>,
    entropy: &'a dyn Entropy,
}

impl<'a> Sealer<'a> {
    /// A new key.
    pub(super) fn new(entropy: &'a dyn Entropy) -> Result<Self, PdfError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill(entropy, &mut *key)?;
        Ok(Self { key, entropy })
    }

    /// Initialisation vector and AES-256-CBC with padding (7.6.3.3).
    pub(super) fn seal(&self, data: &[u8]) -> Result<Vec<u8>, PdfError> {
        let mut sealed = vec![0; BLOCK];
        fill(self.entropy, &mut sealed)?;
        let iv = sealed.clone();
        sealed.extend(encrypt(Cipher::aes_256_cbc(), &*self.key, Some(&iv), data, true)?);
        Ok(sealed)
    }

    /// The encryption dictionary (Algorithms 8 to 10). The owner's password is random and forgotten: nobody lifts the
    /// restrictions.
    pub(super) fn dictionary(&self, password: &str) -> Result<Vec<u8>, PdfError> {
        let password = stringprep::saslprep(password).map_err(|_| PdfError::Password)?;
        if password.len() > PASSWORD_MAX_BYTES {
            return Err(PdfError::Password);
        }
        let (user, user_key) = self.entry(password.as_bytes(), &[])?;
        let mut owner = Zeroizing::new([0; KEY_BYTES]);
        fill(self.entropy, &mut *owner)?;
        let (owner, owner_key) = self.entry(&*owner, &user)?;
        let mut permissions = [0xff; BLOCK];
        permissions[..4].copy_from_slice(&PERMISSIONS.to_le_bytes());
        permissions[8..12].copy_from_slice(b"Tadb");
        fill(self.entropy, &mut permissions[12..])?;
        let sealed = encrypt(Cipher::aes_256_ecb(), &*self.key, None, &permissions, false)?;
        let mut dictionary = Writer::new(None);
        dictionary
            .raw(&format!("<</Filter/Standard/V 5/R 6/Length 256/P {PERMISSIONS}/EncryptMetadata true"));
        dictionary.raw("/CF<</StdCF<</AuthEvent/DocOpen/CFM/AESV3/Length 32>>>>/StmF/StdCF/StrF/StdCF");
        let strings = [("U", user), ("UE", user_key), ("O", owner), ("OE", owner_key), ("Perms", sealed)];
        for (name, value) in strings {
            dictionary.raw("/").raw(name).hexadecimal(&value);
        }
        dictionary.raw(">>");
        Ok(dictionary.text)
    }

    /// What checks a password, and what it opens: the document's key.
    fn entry(&self, password: &[u8], user: &[u8]) -> Result<(Vec<u8>, Vec<u8>), PdfError> {
        let mut salts = [0; 2 * SALT_BYTES];
        fill(self.entropy, &mut salts)?;
        let (validation, key) = salts.split_at(SALT_BYTES);
        let check = [hash(password, validation, user)?.as_slice(), &salts].concat();
        let wrapping = hash(password, key, user)?;
        Ok((check, encrypt(Cipher::aes_256_cbc(), &wrapping, Some(&[0; BLOCK]), &*self.key, false)?))
    }
}

/// Algorithm 2.B.
fn hash(password: &[u8], salt: &[u8], user: &[u8]) -> Result<Zeroizing<Vec<u8>>, PdfError> {
    let mut hash = Zeroizing::new(digest(&SHA256, &[password, salt, user].concat()).as_ref().to_vec());
    for round in 1_u32.. {
        let input = Zeroizing::new([password, &hash, user].concat().repeat(64));
        let (key, iv) = hash.get(..2 * BLOCK).unwrap_or_default().split_at(BLOCK);
        let sealed = Zeroizing::new(encrypt(Cipher::aes_128_cbc(), key, Some(iv), &input, false)?);
        // 256 is 1 modulo 3, so a big-endian number is what its bytes sum up to.
        let remainder = sealed.iter().take(BLOCK).map(|byte| u32::from(*byte)).sum::<u32>() % 3;
        let function = [&SHA256, &SHA384, &SHA512].into_iter().nth(remainder as usize).unwrap_or(&SHA256);
        hash = Zeroizing::new(digest(function, &sealed).as_ref().to_vec());
        if round >= 64 && sealed.last().is_some_and(|last| u32::from(*last) <= round - 32) {
            break;
        }
    }
    hash.truncate(KEY_BYTES);
    Ok(hash)
}

fn encrypt(
    cipher: Cipher,
    key: &[u8],
    iv: Option<&[u8]>,
    data: &[u8],
    pad: bool,
) -> Result<Vec<u8>, PdfError> {
    let sealed = || {
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, key, iv)?;
        crypter.pad(pad);
        let mut sealed = vec![0; data.len() + 2 * BLOCK];
        let mut length = crypter.update(data, &mut sealed)?;
        length += crypter.finalize(sealed.get_mut(length..).unwrap_or_default())?;
        sealed.truncate(length);
        Ok(sealed)
    };
    sealed().map_err(|error: openssl::error::ErrorStack| PdfError::Unavailable(error.to_string()))
}

/// Random bytes.
pub(super) fn fill(entropy: &dyn Entropy, bytes: &mut [u8]) -> Result<(), PdfError> {
    entropy.fill(bytes).map_err(|error| PdfError::Unavailable(error.to_string()))
}
