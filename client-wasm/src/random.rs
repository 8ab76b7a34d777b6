//! Randomness that was drawn before.

use rand_core::{TryCryptoRng, TryRng};

/// Hands out the bytes that the host drew, in their order.
pub(crate) struct Given<'a>(pub(crate) &'a [u8]);

/// There are no more.
#[derive(Debug)]
pub(crate) struct UsedUp;

impl core::fmt::Display for UsedUp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("too few random bytes were given")
    }
}

impl core::error::Error for UsedUp {}

impl TryRng for Given<'_> {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), UsedUp> {
        let (drawn, rest) = self.0.split_at_checked(buffer.len()).ok_or(UsedUp)?;
        buffer.copy_from_slice(drawn);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}
