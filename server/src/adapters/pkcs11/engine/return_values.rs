//! What return values mean, by the function that gave them. The only place that interprets them.
//!
//! The same value is no evidence by itself: for a corrupted ciphertext SoftHSM answers `CKR_GENERAL_ERROR` and
//! others `CKR_DEVICE_ERROR`, which from another function would mean that the token is broken. Were it believed,
//! anybody who sends rubbish could make the server reconnect.

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};

/// What a failed call calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The session is gone: open another and call again.
    SessionLost,
    /// The token has forgotten who we are: log in and call again.
    LoginLost,
    /// The handle names nothing: search and call again.
    HandleStale,
    /// The input does not fit the key: an answer, not a fault.
    InputRefused,
    /// Bad input, or a broken token: bad input if a probe finds the token well.
    InputDoubtful,
    /// Perhaps a passing fault of the token: call again if a probe finds it well.
    TokenDoubtful,
    /// The token refuses to make a key by a template much like one that it took when it was tried out: perhaps in passing.
    TemplateDoubtful,
    /// The token has no session or memory left for this call; it is not away.
    Exhausted,
    /// The token, its policy or our use of it rules this out.
    Unsupported,
    /// The token is away or broken.
    Unavailable,
}

/// Interprets a failed call.
pub(super) fn judge(error: &Error) -> Verdict {
    use Function as F;
    use RvError as R;
    let (function, value) = match error {
        Error::Pkcs11(value, function) => (*function, *value),
        // Of a value that it has given.
        Error::NotSupported => return Verdict::TokenDoubtful,
        Error::NullFunctionPointer | Error::MissingSymbol(_) => return Verdict::Unsupported,
        _ => return Verdict::Unavailable,
    };
    match (function, value) {
        // Closed while it ran: the key may be there.
        (F::GenerateKey | F::GenerateKeyPair, R::SessionClosed) => Verdict::Unavailable,
        // An operation left behind in a session spoils that session only.
        (_, R::SessionHandleInvalid | R::SessionClosed | R::OperationActive | R::OperationNotInitialized) => {
            Verdict::SessionLost
        }
        (_, R::SessionCount) => Verdict::Exhausted,
        (_, R::UserNotLoggedIn) => Verdict::LoginLost,
        // A search gave the key, so it was of the right type and size when it was found: NSS says these of keys
        // that it no longer shows, after a logout.
        (_, R::ObjectHandleInvalid | R::KeyHandleInvalid)
        | (
            F::SignInit | F::VerifyInit | F::EncryptInit | F::DecryptInit,
            R::KeyTypeInconsistent | R::KeySizeRange,
        ) => Verdict::HandleStale,
        (
            F::DecryptInit | F::Decrypt,
            R::EncryptedDataInvalid
            | R::EncryptedDataLenRange
            | R::DataInvalid
            | R::DataLenRange
            | R::ArgumentsBad
            | R::SignatureInvalid
            | R::SignatureLenRange,
        )
        // NSS answers to a wrong signature with the last error of the thread, whatever that was about.
        | (
            F::Verify,
            R::SignatureInvalid
            | R::SignatureLenRange
            | R::DataInvalid
            | R::DataLenRange
            | R::ArgumentsBad
            | R::BufferTooSmall
            | R::KeySizeRange,
        ) => Verdict::InputRefused,
        (F::DecryptInit | F::Decrypt | F::VerifyInit | F::Verify, value) if is_vague(value) => {
            Verdict::InputDoubtful
        }
        (_, value) if is_vague(value) => Verdict::TokenDoubtful,
        // SoftHSM, of a key whose file another thread reads while it is written.
        (F::GenerateKey | F::GenerateKeyPair, R::TemplateInconsistent) => Verdict::TemplateDoubtful,
        (
            _,
            R::MechanismInvalid
            | R::MechanismParamInvalid
            | R::KeyFunctionNotPermitted
            | R::KeyTypeInconsistent
            | R::KeySizeRange
            | R::FunctionNotSupported
            | R::TokenWriteProtected
            | R::ArgumentsBad
            | R::DataLenRange
            | R::DataInvalid
            | R::BufferTooSmall
            | R::RandomNoRng
            // Of a pair on a curve: no other has parameters here.
            | R::CurveNotSupported
            | R::DomainParamsInvalid,
        ) => Verdict::Unsupported,
        (_, value) if is_about_template(value) => Verdict::Unsupported,
        _ => Verdict::Unavailable,
    }
}

/// Whether the token refused the PIN itself. A loop of such attempts locks the token.
pub(super) fn refuses_pin(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked
                | RvError::UserPinNotInitialized,
            Function::Login
        )
    )
}

/// Whether the token was asked to make a key.
pub(super) fn is_of_making(error: &Error) -> bool {
    matches!(error, Error::Pkcs11(_, Function::GenerateKey | Function::GenerateKeyPair))
}

/// Whether the token refused an attribute of an object to be made.
pub(super) fn refuses_template(error: &Error) -> bool {
    is_of_making(error) && matches!(error, Error::Pkcs11(value, _) if is_about_template(*value))
}

/// Function and value, for logs and error texts: `C_Sign: DeviceRemoved`.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("C_{function:?}: {value:?}"),
        other => other.to_string(),
    }
}

/// Values that tokens give for every sort of reason.
fn is_vague(value: RvError) -> bool {
    matches!(
        value,
        RvError::GeneralError
            | RvError::DeviceError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::HostMemory
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_)
    )
}

fn is_about_template(value: RvError) -> bool {
    matches!(
        value,
        RvError::AttributeReadOnly
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_means_different_things_from_different_functions() {
        let judged = |value, function| judge(&Error::Pkcs11(value, function));
        assert_eq!(judged(RvError::GeneralError, Function::Decrypt), Verdict::InputDoubtful);
        assert_eq!(judged(RvError::GeneralError, Function::Sign), Verdict::TokenDoubtful);
        assert_eq!(judged(RvError::DeviceError, Function::Verify), Verdict::InputDoubtful);
        assert_eq!(judged(RvError::DeviceError, Function::OpenSession), Verdict::TokenDoubtful);
        assert_eq!(judged(RvError::ArgumentsBad, Function::Decrypt), Verdict::InputRefused);
        assert_eq!(judged(RvError::ArgumentsBad, Function::Verify), Verdict::InputRefused);
        assert_eq!(judged(RvError::ArgumentsBad, Function::Encrypt), Verdict::Unsupported);
        assert_eq!(judged(RvError::DeviceRemoved, Function::Decrypt), Verdict::Unavailable);
        assert_eq!(judged(RvError::SessionHandleInvalid, Function::Decrypt), Verdict::SessionLost);
        assert_eq!(judged(RvError::UserNotLoggedIn, Function::SignInit), Verdict::LoginLost);
        assert_eq!(judged(RvError::KeyHandleInvalid, Function::SignInit), Verdict::HandleStale);
        assert_eq!(judged(RvError::KeySizeRange, Function::SignInit), Verdict::HandleStale);
        assert_eq!(judged(RvError::KeySizeRange, Function::GenerateKeyPair), Verdict::Unsupported);
        assert_eq!(judged(RvError::TemplateInconsistent, Function::GenerateKey), Verdict::TemplateDoubtful);
        assert_eq!(judged(RvError::TemplateInconsistent, Function::FindObjects), Verdict::Unsupported);
    }

    #[test]
    fn only_logins_refuse_pins() {
        assert!(refuses_pin(&Error::Pkcs11(RvError::PinIncorrect, Function::Login)));
        assert!(refuses_pin(&Error::Pkcs11(RvError::PinLocked, Function::Login)));
        assert!(!refuses_pin(&Error::Pkcs11(RvError::DeviceError, Function::Login)));
    }

    #[test]
    fn texts_name_function_and_value() {
        let error = Error::Pkcs11(RvError::DeviceRemoved, Function::Sign);
        assert_eq!(describe(&error), "C_Sign: DeviceRemoved");
    }
}
