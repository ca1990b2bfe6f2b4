//! Whether a host carries a collection: judged by the last events of it that others carried.

use std::collections::VecDeque;

/// A window of so many times the events that make a host blind.
const WIDTH: usize = 4;
/// Events in a row that must come for it to see again.
const SEES_AGAIN: usize = 3;

/// One event that others carried.
#[derive(Clone, Copy, Debug)]
struct Judged {
    key: u64,
    repo: u64,
    told_at: i64,
    is_carried: bool,
}

/// What came of one host's last events of one collection.
#[derive(Debug, Default)]
pub struct Window {
    recent: VecDeque<Judged>,
    is_blind: bool,
}

/// What an event changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turned {
    /// It carries next to nothing any more. Since when, in microseconds since 1970.
    Blind(i64),
    /// It carries the collection again.
    Seeing,
}

impl Window {
    /// Whether the host counts as blind.
    pub fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// Judges an event; `least` events that are missing in a row, of two repos at least, make a
    /// host blind, or nine of ten missing in a window four times as wide.
    pub fn judge(
        &mut self,
        key: u64,
        repo: u64,
        told_at: i64,
        is_carried: bool,
        least: usize,
    ) -> Option<Turned> {
        if let Some(before) = self.recent.iter_mut().find(|judged| judged.key == key) {
            // It came late.
            before.is_carried |= is_carried;
        } else {
            self.recent.push_back(Judged {
                key,
                repo,
                told_at,
                is_carried,
            });
        }
        while self.recent.len() > least * WIDTH {
            self.recent.pop_front();
        }
        let turned = if self.is_blind {
            let needed = SEES_AGAIN.min(least);
            let newest = self.recent.iter().rev().take(needed);
            let carried = newest.filter(|judged| judged.is_carried).count();
            (carried == needed).then_some(Turned::Seeing)
        } else {
            self.blind_since(least).map(Turned::Blind)
        };
        match turned {
            Some(Turned::Blind(_)) => self.is_blind = true,
            Some(Turned::Seeing) => {
                self.is_blind = false;
                self.recent.clear();
            }
            None => {}
        }
        turned
    }

    /// An event that never was says nothing about who didn't carry it.
    pub fn forget(&mut self, key: u64) {
        self.recent.retain(|judged| judged.key != key);
    }

    fn blind_since(&self, least: usize) -> Option<i64> {
        let missing: Vec<&Judged> = self.recent.iter().filter(|one| !one.is_carried).collect();
        let since = missing.first()?.told_at;
        let in_a_row = || self.recent.iter().rev().take_while(|one| !one.is_carried);
        let repos = in_a_row().take(least).map(|judged| judged.repo);
        let mut repos: Vec<u64> = repos.collect();
        let is_row = repos.len() >= least;
        repos.sort_unstable();
        repos.dedup();
        let is_full = self.recent.len() >= least * WIDTH;
        let nearly_all = is_full && missing.len() * 10 >= self.recent.len() * 9;
        ((is_row && repos.len() > 1) || nearly_all).then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(window: &mut Window, events: &[(u64, bool)]) -> Vec<Turned> {
        let mut turned = Vec::new();
        for (repo, is_carried) in events {
            let key = window.recent.back().map_or(0, |judged| judged.key + 1);
            turned.extend(window.judge(key, *repo, key as i64, *is_carried, 5));
        }
        turned
    }

    #[test]
    fn a_host_that_misses_a_row_of_several_repos_is_blind_until_it_carries_again() {
        let mut window = Window::default();
        let before = [
            (1, true),
            (1, false),
            (2, true),
            (1, false),
            (2, false),
            (1, false),
        ];
        assert_eq!(judge(&mut window, &before), []);
        assert_eq!(judge(&mut window, &[(2, false)]), []);
        assert_eq!(judge(&mut window, &[(2, false)]), [Turned::Blind(1)]);
        assert!(window.is_blind());
        assert_eq!(judge(&mut window, &[(1, true), (1, false), (1, true)]), []);
        assert_eq!(judge(&mut window, &[(1, true)]), []);
        assert_eq!(judge(&mut window, &[(2, true)]), [Turned::Seeing]);
        assert!(!window.is_blind());
    }

    #[test]
    fn one_repo_s_gap_blinds_nobody_but_a_long_one_does() {
        let mut window = Window::default();
        assert_eq!(judge(&mut window, &[(1, false); 19]), []);
        assert_eq!(judge(&mut window, &[(1, false)]), [Turned::Blind(0)]);
        let mut window = Window::default();
        let half = [(1, true), (1, false), (2, false), (3, false), (4, false)];
        assert_eq!(judge(&mut window, &half.repeat(8)), []);
    }

    #[test]
    fn what_comes_late_or_never_was_counts_for_the_host() {
        let mut window = Window::default();
        assert_eq!(
            judge(
                &mut window,
                &[(1, false), (2, false), (1, false), (2, false)]
            ),
            []
        );
        assert_eq!(window.judge(1, 2, 1, true, 5), None);
        assert_eq!(judge(&mut window, &[(2, false)]), []);
        let mut window = Window::default();
        assert_eq!(
            judge(
                &mut window,
                &[(1, false), (2, false), (1, false), (2, false)]
            ),
            []
        );
        window.forget(2);
        assert_eq!(judge(&mut window, &[(2, false)]), []);
    }
}
