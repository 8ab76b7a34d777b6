//! The PIN, read when it is needed, and never tried twice once the token has refused it.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::super::{OpenError, PinSource};

/// Gives the PIN to whoever logs in.
pub(super) struct Pins {
    source: PinSource,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    last: Option<Arc<SecretString>>,
    /// What the token said to the last one.
    refusal: Option<String>,
}

impl Pins {
    pub(super) fn new(source: PinSource) -> Self {
        Self { source, given: Mutex::default() }
    }

    /// The PIN as it is now.
    ///
    /// # Errors
    /// [`OpenError::PinRefused`] for one that the token has refused: it takes a few of those, then it locks itself.
    /// [`OpenError::Unavailable`] when it cannot be read.
    pub(super) fn next(&self) -> Result<Arc<SecretString>, OpenError> {
        let pin = self.source.read().map_err(OpenError::Unavailable)?;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let same = given.last.as_ref().is_some_and(|last| equal(last, &pin));
        if same && let Some(answer) = &given.refusal {
            return Err(OpenError::PinRefused(answer.clone()));
        }
        let pin = Arc::new(pin);
        *given = Given { last: Some(Arc::clone(&pin)), refusal: None };
        Ok(pin)
    }

    /// Notes that the token has refused the one that was given last.
    pub(super) fn refused(&self, answer: &str) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.refusal = Some(answer.to_owned());
    }
}

fn equal(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_is_not_given_again_and_another_is() {
        let now = Arc::new(Mutex::new("1234".to_owned()));
        let source = Arc::clone(&now);
        let pins = Pins::new(PinSource::new(move || Ok(SecretString::from(source.lock().unwrap().clone()))));
        pins.next().unwrap();
        pins.next().unwrap();
        pins.refused("C_Login: PinIncorrect");
        for _ in 0..3 {
            assert!(
                matches!(pins.next(), Err(OpenError::PinRefused(answer)) if answer == "C_Login: PinIncorrect")
            );
        }
        *now.lock().unwrap() = "5678".to_owned();
        assert_eq!(pins.next().unwrap().expose_secret(), "5678");
        pins.next().unwrap();
    }
}
