//! Korean as it is typed: a syllable grows letter by letter.

use std::ops::RangeInclusive;

/// The first syllable, and the first letter of its kind that begins one.
const FIRST: u32 = 0xac00;
const FIRST_LEAD: u32 = 0x1100;
const LAST_LEAD: u32 = 0x1112;
const LAST: u32 = 0xd7a3;
/// Syllables with the same first letter, and with the same two first letters.
const OF_A_LEAD: u32 = 588;
const OF_A_VOWEL: u32 = 28;

/// What the last character of a query may become: a letter that begins syllables all of these, an
/// open syllable the same with a letter at its end. In the order of code points nothing else is
/// between them.
pub(crate) fn may_become(last: char) -> Option<RangeInclusive<char>> {
    let last = u32::from(last);
    let (first, count) = match last {
        FIRST_LEAD..=LAST_LEAD => (FIRST + (last - FIRST_LEAD) * OF_A_LEAD, OF_A_LEAD),
        FIRST..=LAST if (last - FIRST).is_multiple_of(OF_A_VOWEL) => (last, OF_A_VOWEL),
        _ => return None,
    };
    Some(char::from_u32(first)?..=char::from_u32(first + count - 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_open_syllables_may_go_on() {
        assert_eq!(may_become('\u{1112}'), Some('하'..='힣'));
        assert_eq!(may_become('\u{1100}'), Some('가'..='깋'));
        assert_eq!(may_become('라'), Some('라'..='랗'));
        for closed in ['랑', 'a', '日', '\u{1161}'] {
            assert_eq!(may_become(closed), None);
        }
    }
}
