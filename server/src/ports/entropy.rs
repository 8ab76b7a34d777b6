//! Randomness.

use rand_core::{TryCryptoRng, TryRng};

/// Gives unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`EntropyError`] when the source gave nothing; `bytes` must not be used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness failed.
#[derive(Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct EntropyError;

/// Lends an [`Entropy`] to code that takes a generator of `rand_core`; a failure of the source stays an error.
pub struct EntropyRng<'a>(pub &'a dyn Entropy);

impl TryRng for EntropyRng<'_> {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(bytes)
    }
}

/// [`Entropy`] promises unpredictable bytes.
impl TryCryptoRng for EntropyRng<'_> {}

#[cfg(test)]
mod tests {
    use kunji_shared::secret::DataKey;

    use super::*;

    /// Gives the same byte for ever, or fails.
    struct Fixed(Option<u8>);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0.ok_or(EntropyError)?);
            Ok(())
        }
    }

    #[test]
    fn bytes_are_those_of_the_source() {
        let source = Fixed(Some(7));
        assert_eq!(DataKey::generate(&mut EntropyRng(&source)).unwrap().expose(), &[7; 32]);
        assert_eq!(EntropyRng(&source).try_next_u32().unwrap(), 0x0707_0707);
        assert_eq!(EntropyRng(&source).try_next_u64().unwrap(), 0x0707_0707_0707_0707);
    }

    #[test]
    fn failure_of_the_source_is_an_error() {
        assert!(DataKey::generate(&mut EntropyRng(&Fixed(None))).is_err());
    }
}
