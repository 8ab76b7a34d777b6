//! A client that shares no code with the project: it seals with OpenSSL, byte by byte as the layouts say.

use openssl::{
    encrypt::Encrypter,
    hash::MessageDigest,
    pkey::PKey,
    rand::rand_bytes,
    rsa::{Padding, Rsa},
    symm::{Cipher, Crypter, Mode},
    x509::{X509, X509Req},
};

/// The splitter of packets.
pub const SPLITTER: &[u8] = b"#KEY_SPLITTER#";

/// `N` random bytes.
#[expect(clippy::disallowed_methods, reason = "a peer has randomness of its own")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand_bytes(&mut bytes).unwrap();
    bytes
}

/// A PKCS#10 request for a new RSA key, PEM.
pub fn certificate_request() -> String {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut request = X509Req::builder().unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    String::from_utf8(request.build().to_pem().unwrap()).unwrap()
}

/// Layout C: `thumbprint ‖ wrapped key ‖ splitter ‖ ciphertext ‖ tag`, nonce = salt.
pub fn seal_with_salt(certificate_pem: &str, salt: &[u8], aad: &[u8], content: &[u8]) -> Vec<u8> {
    let (head, key) = head(certificate_pem, true);
    [head, gcm(&key, salt, aad, content)].concat()
}

/// Layout B: `thumbprint ‖ wrapped key ‖ splitter ‖ ciphertext ‖ tag ‖ nonce(16)`.
pub fn seal_with_trailing_nonce(certificate_pem: &str, aad: &[u8], content: &[u8]) -> Vec<u8> {
    let (head, key) = head(certificate_pem, true);
    let nonce = random::<16>();
    [head, gcm(&key, &nonce, aad, content), nonce.to_vec()].concat()
}

/// The oldest form: layout B without thumbprint and associated data.
pub fn seal_without_thumbprint(certificate_pem: &str, content: &[u8]) -> Vec<u8> {
    let (head, key) = head(certificate_pem, false);
    let nonce = random::<16>();
    [head, gcm(&key, &nonce, b"", content), nonce.to_vec()].concat()
}

/// Layout A: `VER_R2 ‖ thumbprint ‖ wrapped key ‖ splitter ‖ aad(32) ‖ ciphertext ‖ tag`, nonce = aad's first 12.
pub fn seal_self_contained(certificate_pem: &str, content: &[u8]) -> Vec<u8> {
    let (head, key) = head(certificate_pem, true);
    let aad = random::<32>();
    [b"VER_R2".to_vec(), head, aad.to_vec(), gcm(&key, &aad[..12], &aad, content)].concat()
}

fn head(certificate_pem: &str, thumbprint: bool) -> (Vec<u8>, [u8; 32]) {
    let certificate = X509::from_pem(certificate_pem.as_bytes()).unwrap();
    let key = random::<32>();
    let public_key = certificate.public_key().unwrap();
    let mut encrypter = Encrypter::new(&public_key).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
    let mut wrapped = vec![0; encrypter.encrypt_len(&key).unwrap()];
    let length = encrypter.encrypt(&key, &mut wrapped).unwrap();
    wrapped.truncate(length);
    let digest = certificate.digest(MessageDigest::sha256()).unwrap();
    let name = if thumbprint { digest.to_vec() } else { Vec::new() };
    ([name, wrapped, SPLITTER.to_vec()].concat(), key)
}

fn gcm(key: &[u8], nonce: &[u8], aad: &[u8], content: &[u8]) -> Vec<u8> {
    // The one-shot function of the library fixes the nonce's length; the context does not.
    let cipher = openssl::cipher::Cipher::aes_256_gcm();
    let mut gcm = openssl::cipher_ctx::CipherCtx::new().unwrap();
    gcm.encrypt_init(Some(cipher), None, None).unwrap();
    gcm.set_iv_length(nonce.len()).unwrap();
    gcm.encrypt_init(None, Some(key), Some(nonce)).unwrap();
    if !aad.is_empty() {
        gcm.cipher_update(aad, None).unwrap();
    }
    let mut sealed = Vec::new();
    gcm.cipher_update_vec(content, &mut sealed).unwrap();
    gcm.cipher_final_vec(&mut sealed).unwrap();
    let mut tag = [0; 16];
    gcm.tag(&mut tag).unwrap();
    sealed.extend_from_slice(&tag);
    sealed
}

/// Whether OpenSSL's one-shot AES-256-GCM (12-byte nonce) gives the same bytes as the context above.
pub fn agrees_with_one_shot() -> bool {
    let (key, nonce) = (random::<32>(), random::<12>());
    let mut crypter = Crypter::new(Cipher::aes_256_gcm(), Mode::Encrypt, &key, Some(&nonce)).unwrap();
    let mut sealed = vec![0; 5 + 16];
    let mut length = crypter.update(b"hello", &mut sealed).unwrap();
    length += crypter.finalize(&mut sealed[length..]).unwrap();
    sealed.truncate(length);
    let mut tag = [0; 16];
    crypter.get_tag(&mut tag).unwrap();
    sealed.extend_from_slice(&tag);
    sealed == gcm(&key, &nonce, b"", b"hello")
}
