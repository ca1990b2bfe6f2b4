//! Wrong passwords, counted for each client and forgotten after a minute. Of too many not each is
//! counted and logged; the right one is never among them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords that a client may try within a minute.
const MOST: u32 = 10;
/// From the first of them on.
const WHILE: Duration = Duration::from_secs(60);
/// Clients that are remembered; while there are more, new ones have too many at once.
const CLIENTS: usize = 10_000;

/// Since when, and how many.
type Counted = (Instant, u32);

#[derive(Default)]
pub struct Failures(Mutex<HashMap<IpAddr, Counted>>);

impl Failures {
    /// Whether a client is told to wait, and no more of its wrong passwords are counted.
    pub fn are_too_many(&self, client: IpAddr, now: Instant) -> bool {
        let mut counted = self.counted();
        match counted.get(&place_of(client)) {
            Some((since, failures)) if !is_over(*since, now) => *failures >= MOST,
            Some(_) => false,
            None => {
                if counted.len() >= CLIENTS {
                    counted.retain(|_, (since, _)| !is_over(*since, now));
                }
                counted.len() >= CLIENTS
            }
        }
    }

    /// Counts a wrong password.
    pub fn count(&self, client: IpAddr, now: Instant) {
        let mut counted = self.counted();
        let held = counted.entry(place_of(client)).or_insert((now, 0));
        if is_over(held.0, now) {
            *held = (now, 0);
        }
        held.1 += 1;
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<IpAddr, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= WHILE
}

/// Who counts as one: an IPv4 address, or the 64 bits that an IPv6 network has.
fn place_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn i12_ten_wrong_passwords_a_minute_are_the_most() {
        let (failures, now) = (Failures::default(), Instant::now());
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..MOST {
            assert!(!failures.are_too_many(one, now));
            failures.count(one, now);
        }
        assert!(failures.are_too_many(one, now));
        assert!(failures.are_too_many(address("::ffff:192.0.2.1"), now));
        assert!(!failures.are_too_many(other, now));
        let later = now + WHILE;
        assert!(!failures.are_too_many(one, later));
        failures.count(one, later);
        assert!(!failures.are_too_many(one, later), "it begins anew");
    }

    #[test]
    fn i12_a_network_of_one_client_counts_as_one() {
        let (failures, now) = (Failures::default(), Instant::now());
        for last in 0..MOST {
            failures.count(address(&format!("2001:db8::{last:x}")), now);
        }
        assert!(failures.are_too_many(address("2001:db8::ffff"), now));
        assert!(!failures.are_too_many(address("2001:db8:0:1::1"), now));
    }

    #[test]
    fn i11_clients_are_remembered_in_bounds() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..CLIENTS as u32 {
            failures.count(IpAddr::V4(number.into()), now);
        }
        let new = address("255.0.0.1");
        assert!(failures.are_too_many(new, now));
        assert!(!failures.are_too_many(new, now + WHILE));
        assert_eq!(failures.counted().len(), 0, "they are forgotten");
    }
}
