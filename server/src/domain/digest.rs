//! Digests that the records are named by.

use aws_lc_rs::digest;

/// `SHA-256(data)`, FIPS 180-4; 32 bytes.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    fixed(&digest::SHA256, data)
}

/// `SHA-1(data)`, FIPS 180-4; 20 bytes. Only for names that the reference system makes with it, never for
/// anything that must resist a forger.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    fixed(&digest::SHA1_FOR_LEGACY_USE_ONLY, data)
}

fn fixed<const N: usize>(algorithm: &'static digest::Algorithm, data: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    // The algorithm's output has N bytes; copying what both have cannot be out of bounds.
    for (to, from) in bytes.iter_mut().zip(digest::digest(algorithm, data).as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let hex = kunji_shared::encoding::encode_hex;
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
