//! The operating system's generator.

use getrandom::{SysRng, rand_core::TryRng};

use crate::ports::entropy::{Entropy, EntropyError};

/// [`Entropy`] of the operating system (`getrandom(2)` on Linux, which waits until the kernel's generator has
/// been seeded).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        SysRng.try_fill_bytes(bytes).map_err(|_| EntropyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_drawn_anew() {
        let mut draws = [[0; 64]; 2];
        for draw in &mut draws {
            SystemEntropy.fill(draw).unwrap();
        }
        assert_ne!(draws[0], draws[1]);
        assert_ne!(draws[0][32..], [0; 32]);
    }
}
