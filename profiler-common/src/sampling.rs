//! Which operations get their stack captured: Poisson sampling by bytes.
//!
//! An operation that commits `s` bytes is captured with the chance `1 - exp(-s/T)` that a Poisson
//! process of mean interval `T` bytes has a point among them. Weighting each captured operation
//! with the inverse of its chance (Horvitz and Thompson, 1952) keeps every sum of bytes unbiased.
//! No state is kept between operations, so no process can steer what is captured of another.
//!
//! First touches of pages are sampled by a hash of the page's number ([`page_hash`]): a page is in
//! or out each time that it is touched, so that user space knows every earlier touch of a page that
//! it is told of. The chance ([`touch_inclusion`]) is in proportion to the bytes that are touched.

/// An inclusion of 1: every such operation is captured.
pub const ALWAYS: u32 = u32::MAX;

/// Longest mean interval, in bytes (1 TiB): keeps the arithmetic below inside 64 bits.
pub const INTERVAL_MAX: u64 = 1 << 40;

/// Binary digits after the point of `bytes / interval`.
const DIGITS: u32 = 20;

/// `exp(-2^(k-20))` in units of 2^-31, for k = 0..=23.
const POWERS: [u64; 24] = [
    2_147_481_600,
    2_147_479_552,
    2_147_475_456,
    2_147_467_264,
    2_147_450_880,
    2_147_418_113,
    2_147_352_580,
    2_147_221_520,
    2_146_959_424,
    2_146_435_328,
    2_145_387_520,
    2_143_293_437,
    2_139_111_403,
    2_130_771_798,
    2_114_190_000,
    2_081_412_522,
    2_017_374_191,
    1_895_147_668,
    1_672_461_947,
    1_302_514_674,
    790_015_084,
    290_630_308,
    39_332_535,
    720_401,
];

/// `exp(-i * 64^j * 2^-20)` in units of 2^-31, for j = 0..=3 and i = 0..=63: looked up six digits
/// at a time, since a program that asked each digit would have 2^24 ways through it, and the
/// verifier walks them all.
static TABLES: [[u64; 64]; 4] = tables();

const fn tables() -> [[u64; 64]; 4] {
    let mut tables = [[1 << 31; 64]; 4];
    let mut place = 0;
    while place < 4 * 64 * 6 {
        let (table, entry, digit) = (place / (64 * 6), place / 6 % 64, place % 6);
        if entry >> digit & 1 == 1 {
            let product = tables[table][entry] * POWERS[table * 6 + digit];
            tables[table][entry] = (product + (1 << 30)) >> 31;
        }
        place += 1;
    }
    tables
}

/// The chance, in units of 2^-32, that an operation of `bytes` is captured at a mean interval of
/// `interval` bytes; `bytes / interval` is rounded down to a multiple of 2^-20, but never to 0,
/// since a chance of 0 could not be weighted. An interval of 0 captures everything.
#[inline(always)]
pub fn inclusion(bytes: u64, interval: u64) -> u32 {
    if bytes == 0 {
        return 0;
    }
    let interval = if interval > INTERVAL_MAX {
        INTERVAL_MAX
    } else {
        interval
    };
    // From 16 intervals on the chance is above 1 - 1.2e-7.
    if interval == 0 || bytes >= interval * 16 {
        return ALWAYS;
    }
    let steps = (bytes << DIGITS) / interval;
    let steps = if steps == 0 { 1 } else { steps };
    let mut missed: u64 = 1 << 32;
    for (place, table) in TABLES.iter().enumerate() {
        let entry = (steps >> (6 * place)) as usize & 63;
        missed = (missed * table[entry]) >> 31;
    }
    let chance = (1 << 32) - missed;
    if chance > u64::from(ALWAYS) {
        ALWAYS
    } else {
        chance as u32
    }
}

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Pages of a huge page.
pub const HUGE_PAGES: u64 = 512;
/// First touches are sampled at so many times the mean interval of captures: there are far more
/// bytes touched than calls that commit them.
pub const TOUCH_INTERVALS: u64 = 4;

/// The chance, in units of 2^-32, that the first touch of `bytes` (at most 1 GiB) is sampled while
/// captures have a mean interval of `interval` bytes. It falls as the interval rises: what passes at
/// a longer one passes at a shorter one too.
#[inline(always)]
pub fn touch_inclusion(bytes: u64, interval: u64) -> u32 {
    let interval = if interval > INTERVAL_MAX {
        INTERVAL_MAX
    } else {
        interval
    };
    let interval = interval * TOUCH_INTERVALS;
    if bytes >= interval {
        return ALWAYS;
    }
    let chance = (bytes << 32) / interval;
    if chance == 0 { 1 } else { chance as u32 }
}

/// Pages that a fault stands for of which it is not known how many it maps: the first page of what
/// may be a huge page for all of it, since whoever fills memory in order touches that one first.
#[inline(always)]
pub fn pages_of_fault(address: u64) -> u64 {
    if (address / PAGE) & (HUGE_PAGES - 1) == 0 {
        HUGE_PAGES
    } else {
        1
    }
}

/// Evenly spread over 32 bits; a touch is sampled if it is less than the inclusion (or that is
/// [`ALWAYS`]). The constants are odd and random (the first is 2^64 divided by the golden ratio).
#[inline(always)]
pub fn page_hash(address: u64, seed: u64) -> u32 {
    let mixed = ((address / PAGE) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 32) as u32
}

/// The weight of a captured operation: the inverse of its chance.
pub fn weight(inclusion: u32) -> f64 {
    match inclusion {
        ALWAYS => 1.0,
        0 => 0.0,
        chance => 4_294_967_296.0 / f64::from(chance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_exponential() {
        for interval in [4096, 65_536, 1 << 20, 1 << 30] {
            for bytes in [4096_u64, 8192, 135_168, 1 << 20, 3 << 20, 1 << 31] {
                let exact = -(-(bytes as f64) / interval as f64).exp_m1();
                let ours = 1.0 / weight(inclusion(bytes, interval));
                assert!(
                    (ours - exact).abs() <= exact * 0.3 && (ours - exact).abs() < 2e-6,
                    "{bytes} bytes at {interval}: {ours} for {exact}"
                );
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(inclusion(0, 65_536), 0);
        assert_eq!(inclusion(1, 0), ALWAYS);
        assert!(inclusion(1, INTERVAL_MAX) > 0);
        assert!(inclusion(1, u64::MAX) > 0);
        assert_eq!(inclusion(u64::MAX, 65_536), ALWAYS);
        assert_eq!(weight(ALWAYS), 1.0);
    }

    #[test]
    fn touches_are_sampled_in_proportion_to_their_bytes() {
        assert_eq!(touch_inclusion(PAGE, 65_536), 1 << 26);
        assert_eq!(touch_inclusion(16 * PAGE, 65_536), 1 << 30);
        assert_eq!(touch_inclusion(HUGE_PAGES * PAGE, 65_536), ALWAYS);
        assert!(touch_inclusion(PAGE, u64::MAX) > 0);
        assert_eq!(touch_inclusion(PAGE, 0), ALWAYS);
    }

    #[test]
    fn neighbouring_pages_are_sampled_evenly_whatever_the_seed() {
        let inclusion = touch_inclusion(PAGE, 65_536);
        for seed in [0, 1, 0x9E37_79B9, u64::MAX, 0x0123_4567_89AB_CDEF] {
            for start in [0x7f00_0000_0000, 0x5555_5555_4000] {
                let addresses = (0..65_536).map(|page| start + page * PAGE);
                let sampled = addresses.filter(|&at| page_hash(at, seed) < inclusion);
                let sampled = sampled.count() as i64;
                // 1,024 are expected, with a standard deviation of 32.
                assert!((sampled - 1024).abs() < 160, "{sampled} at seed {seed}");
            }
        }
    }

    #[test]
    fn weighted_sums_are_unbiased() {
        // A linear congruential generator stands for the kernel's random numbers.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        for bytes in [4096_u64, 65_536, 200_000] {
            let chance = inclusion(bytes, 65_536);
            let mut sum = 0.0;
            for _ in 0..400_000 {
                if random() <= chance {
                    sum += bytes as f64 * weight(chance);
                }
            }
            let truth = bytes as f64 * 400_000.0;
            assert!((sum / truth - 1.0).abs() < 0.03, "{bytes}: {}", sum / truth);
        }
    }
}
