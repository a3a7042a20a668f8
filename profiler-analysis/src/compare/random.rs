//! Random numbers that are the same in every run.

/// Xorshift64* (Vigna 2016).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..8).for_each(|_| _ = random.next());
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `count`, which is not 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // Lists are far shorter than 2^32: the bias is below 1 in a billion.
        ((self.next() >> 32) % count as u64) as usize
    }

    /// Standard normal, by the sum of twelve uniforms.
    #[cfg(test)]
    pub(super) fn normal(&mut self) -> f64 {
        let unit = |random: &mut Self| (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..12).map(|_| unit(self)).sum::<f64>() - 6.0
    }
}
