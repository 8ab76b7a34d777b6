//! The examples of the standards.

use aws_lc_rs::hmac;
use kunji_shared::encoding::{decode_base64, decode_hex};

use super::{
    Evidence, SignedContent,
    report::{fits, of_jws},
};
use crate::domain::jose::SignatureAlgorithm;

/// SubjectPublicKeyInfo (RFC 5480, RFC 8410) before the key.
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const ED25519: &str = "302a300506032b6570032100";

fn hex(text: &str) -> Vec<u8> {
    decode_hex(text, text.len()).unwrap()
}

fn b64(text: &str) -> Vec<u8> {
    decode_base64(text, text.len()).unwrap()
}

fn verifies(evidence: &Evidence, public_key: &[u8]) -> bool {
    let Some(algorithm) = evidence.algorithm else { return false };
    evidence.is_understood && fits(algorithm, &[public_key.into()], &evidence.content, &evidence.signature)
}

/// A signature that fits, and does not once a bit of it or of the content is another.
#[track_caller]
fn check(mut evidence: Evidence, algorithm: SignatureAlgorithm, public_key: &[u8]) {
    assert_eq!(evidence.algorithm, Some(algorithm));
    assert!(verifies(&evidence, public_key));
    *evidence.signature.last_mut().unwrap() ^= 1;
    assert!(!verifies(&evidence, public_key));
    *evidence.signature.last_mut().unwrap() ^= 1;
    let SignedContent::Message(message) = &mut evidence.content else { panic!("no message") };
    *message.last_mut().unwrap() ^= 1;
    assert!(!verifies(&evidence, public_key));
}

#[test]
fn rfc_7515_a_2_rs256() {
    let token = "eyJhbGciOiJSUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
        F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
        LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
        wlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let modulus = b64(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4\
        QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-K\
        XBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGN\
        j8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    );
    let number = |bytes: &[u8]| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let key = openssl::rsa::Rsa::from_public_components(number(&modulus), number(&[1, 0, 1])).unwrap();
    let public_key = key.public_key_to_der().unwrap();
    check(of_jws(token, None, true).unwrap(), SignatureAlgorithm::Rs256, &public_key);
}

#[test]
fn rfc_7515_a_3_es256() {
    let token = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let public_key = [
        hex(P256),
        b64("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        b64("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ]
    .concat();
    check(of_jws(token, None, true).unwrap(), SignatureAlgorithm::Es256, &public_key);
}

#[test]
fn rfc_7515_a_4_es512() {
    let token = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
        AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2Y\
        BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let public_key = [
        hex("30819b301006072a8648ce3d020106052b810400230381860004"),
        b64("AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"),
        b64("ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"),
    ]
    .concat();
    check(of_jws(token, None, true).unwrap(), SignatureAlgorithm::Es512, &public_key);
}

/// Detached here, which signs the same.
#[test]
fn rfc_8037_a_4_eddsa() {
    let token = "eyJhbGciOiJFZERTQSJ9..\
        hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let public_key = [hex(ED25519), b64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")].concat();
    let evidence = of_jws(token, Some(b"Example of Ed25519 signing"), true).unwrap();
    check(evidence, SignatureAlgorithm::EdDsa, &public_key);
}

/// The algorithm is symmetric, which is not verified here; what is signed can be told all the same.
#[test]
fn rfc_7797_4_2_unencoded_payload() {
    let token = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY";
    let evidence = of_jws(token, Some(b"$.02"), true).unwrap();
    assert!(evidence.algorithm.is_none() && evidence.is_understood);
    let SignedContent::Message(message) = &evidence.content else { panic!("no message") };
    let secret =
        b64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message, &evidence.signature).unwrap();
}

#[test]
fn rfc_9052_c_2_1_sign1() {
    let message = "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23\
        d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36";
    let public_key = [
        P256,
        "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff",
        "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e",
    ]
    .concat();
    let evidence = super::cose::evidence(&hex(message)).unwrap();
    assert_eq!(evidence.key_id.as_deref(), Some("11"));
    check(evidence, SignatureAlgorithm::Es256, &hex(&public_key));
}

/// Project Wycheproof, `json_web_signature_test.json`, the group of ES256: a good token, what is left of it without one of
/// its parts, an HMAC by the public key, and a signature by a key that the header itself brings along.
#[test]
fn wycheproof_es256() {
    let public_key = [
        hex(P256),
        b64("04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY"),
        b64("UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"),
    ]
    .concat();
    let fits = |token: &str| of_jws(token, None, true).is_ok_and(|evidence| verifies(&evidence, &public_key));
    let header = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0";
    let signature = "5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrqWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA";
    assert!(fits(&format!("{header}.Zm9v.{signature}")));
    for bad in [
        format!("{header}.Zm9v.X{}", &signature[1..]),
        format!("{header}.Zm9v."),
        format!("{header}.Zm9v"),
        format!("{header}.WG9v.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{signature}"),
        format!("eyJhbGciOiJFUzI1NiIsImtpZCI6IlhpZC1lYy1zaWduIn0.Zm9v.{signature}"),
        format!(".Zm9v.{signature}"),
        format!("Zm9v.{signature}"),
        ".Zm9v.".to_owned(),
        "Zm9v".to_owned(),
        String::new(),
        format!("{header}.Zm9v.{signature}."),
        format!("{header}.Zm9v.{signature}.foo"),
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.TgWtz2FIRukBQ_mA5sgHa0Ybtgn7bl-YBPAi7Z0XdHU".to_owned(),
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoia2lkLWVjLXNpZ24iLCJ1c2UiOiJzaWci\
         LCJhbGciOiJFUzI1NiIsIngiOiJNZG5UWkRJaERKYmZBU2RGcWFtY3BPMkNoOUdOS0sybTBNUWxoNDAyU3BvIiwieSI6Ijdhdko0bHFfV3l4LW5M\
         UERCUTJZcHl0dUh5TWlvMDdCVXl2bDNqYUMtMVkiLCJjcnYiOiJQLTI1NiJ9fQ.Zm9v.4jmsollQD8ZxvySzXYnIEYA4fwaZi2ZbC0aI1J4LYmW2\
         Bn31NhKdjms2N6o51Dff5-InWXQF9m45VtTexl6yjg"
            .to_owned(),
    ] {
        assert!(!fits(&bad), "{bad}");
    }
}
