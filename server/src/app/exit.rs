//! What the program's end tells whoever started it.

use crate::{adapters::pkcs11::OpenError, config::ConfigError};

/// The token refused the PIN (`EX_NOPERM` of sysexits.h). Each further start would bring it nearer to locking itself.
pub const PIN_REFUSED: u8 = 77;
/// The settings cannot be used (`EX_CONFIG`).
pub const SETTINGS: u8 = 78;
/// Anything else, which may be gone at the next start.
pub const FAILURE: u8 = 1;

/// The exit status after `error`: [`PIN_REFUSED`] and [`SETTINGS`] ask for a person, [`FAILURE`] for another try.
pub fn status(error: &anyhow::Error) -> u8 {
    let causes = || error.chain();
    if causes().any(|cause| matches!(cause.downcast_ref(), Some(OpenError::PinRefused(_)))) {
        PIN_REFUSED
    } else if causes().any(<dyn std::error::Error>::is::<ConfigError>) {
        SETTINGS
    } else {
        FAILURE
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn what_a_person_must_mend_has_a_status_of_its_own() {
        let refused = Err::<(), _>(OpenError::PinRefused("C_Login: PinIncorrect".to_owned()));
        assert_eq!(status(&refused.context("the token cannot be opened").unwrap_err()), PIN_REFUSED);
        let away = Err::<(), _>(OpenError::Unavailable("C_Login: DeviceError".to_owned()));
        assert_eq!(status(&away.context("the token cannot be opened").unwrap_err()), FAILURE);
        let settings = crate::config::load(None, [("KUNJI_LISTEM".to_owned(), "x".to_owned())]);
        assert_eq!(status(&settings.unwrap_err().into()), SETTINGS);
        assert_eq!(status(&anyhow::anyhow!("the disk is full")), FAILURE);
    }
}
