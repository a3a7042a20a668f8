//! How often each address has guessed wrong.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::address::network;

/// Wrong tokens from one address within `WINDOW`, after which it has to wait.
pub(super) const FAILURES_MAX: u32 = 10;
pub(super) const WINDOW: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 4096;

/// Failures by address. Above the bound on addresses the oldest is forgotten: whoever owns
/// thousands of addresses gains ten guesses for each.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

impl Failures {
    /// How long an address still has to wait.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = table.get(&network(address))?;
        let left = WINDOW.checked_sub(now.duration_since(window.began))?;
        (window.failures >= FAILURES_MAX).then_some(left)
    }

    /// Notes a failure. True: another address was forgotten for it.
    pub(super) fn note(&self, address: IpAddr, now: Instant) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        let mut forgotten = false;
        if table.len() >= ADDRESSES_MAX && !table.contains_key(&address) {
            table.retain(|_, window| now.duration_since(window.began) < WINDOW);
            forgotten = table.len() >= ADDRESSES_MAX && forget_oldest(&mut table);
        }
        let window = table.entry(address).or_insert(Window {
            began: now,
            failures: 0,
        });
        if now.duration_since(window.began) >= WINDOW {
            (window.began, window.failures) = (now, 0);
        }
        window.failures = window.failures.saturating_add(1);
        forgotten
    }
}

fn forget_oldest(table: &mut HashMap<IpAddr, Window>) -> bool {
    let oldest = table.iter().min_by_key(|(_, window)| window.began);
    match oldest.map(|(address, _)| *address) {
        Some(address) => table.remove(&address).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_minute_close_an_address_until_the_minute_is_over() {
        let failures = Failures::default();
        let (start, address) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.wait(address, start), None);
            failures.note(address, start);
        }
        let later = start + Duration::from_secs(50);
        assert_eq!(failures.wait(address, later), Some(Duration::from_secs(10)));
        assert_eq!(failures.wait("10.0.0.2".parse().unwrap(), later), None);
        let over = start + Duration::from_secs(61);
        assert_eq!(failures.wait(address, over), None);
        failures.note(address, over);
        assert_eq!(failures.wait(address, over), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let failures = Failures::default();
        let now = Instant::now();
        for last in 0..FAILURES_MAX {
            failures.note(format!("2001:db8::{last}").parse().unwrap(), now);
        }
        assert!(
            failures
                .wait("2001:db8::ffff".parse().unwrap(), now)
                .is_some()
        );
        assert!(
            failures
                .wait("2001:db8:0:1::".parse().unwrap(), now)
                .is_none()
        );
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let failures = Failures::default();
        let start = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..10_000 {
            let now = start + Duration::from_micros(number.into());
            assert_eq!(
                failures.note(address(number), now),
                number >= ADDRESSES_MAX as u32
            );
        }
        let table = failures.0.lock().unwrap();
        assert_eq!(table.len(), ADDRESSES_MAX);
        assert!(table.contains_key(&address(9_999)) && !table.contains_key(&address(0)));
    }
}
