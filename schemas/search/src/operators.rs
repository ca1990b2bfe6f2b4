//! The operators of the query language (`artist:`, `min:` …) and how their operands are read.

use plyr_lexicons::sort_at::parse_datetime;

use crate::query::QueryError;
use crate::reading::{Operand, quoted, until_space_or_quote};

/// What stands before a colon and means something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Artist,
    Album,
    Tag,
    Min,
    Max,
    After,
    Before,
}

const NAMES: [(&str, Operator); 7] = [
    ("artist", Operator::Artist),
    ("album", Operator::Album),
    ("tag", Operator::Tag),
    ("min", Operator::Min),
    ("max", Operator::Max),
    ("after", Operator::After),
    ("before", Operator::Before),
];

impl Operator {
    /// Whether a text is an operator and its colon, and nothing more.
    pub(crate) fn is_all_of(text: &[char]) -> bool {
        let [name @ .., ':'] = text else {
            return false;
        };
        NAMES.iter().any(|(known, _)| is_name(name, known))
    }

    /// An operator at the beginning of a text, with its operand, and the rest. A name without an
    /// operand right behind its colon is a word like any other.
    pub(crate) fn read(text: &[char]) -> Option<(Operator, Operand, &[char])> {
        let colon = text.iter().take(8).position(|char| *char == ':')?;
        let name = text.get(..colon)?;
        let (_, operator) = NAMES.iter().find(|(known, _)| is_name(name, known))?;
        let rest = text.get(colon + 1..)?;
        let (text, is_quoted, rest) = match quoted(rest) {
            Some((text, rest)) => (text, true, rest),
            None => {
                let (text, rest) = until_space_or_quote(rest);
                (text, false, rest)
            }
        };
        let operand = Operand { text, is_quoted };
        (!operand.text.trim().is_empty()).then_some((*operator, operand, rest))
    }
}

fn is_name(name: &[char], known: &str) -> bool {
    let lower = name.iter().map(char::to_ascii_lowercase);
    lower.eq(known.chars())
}

/// The name of an operator that sets a bound, and of the one that sets the bound on the other side:
/// `-min:90` may be meant as `max:90`.
pub(crate) fn bound_instead(operator: Operator) -> Option<(&'static str, &'static str)> {
    match operator {
        Operator::Min => Some(("min", "max")),
        Operator::Max => Some(("max", "min")),
        Operator::After => Some(("after", "before")),
        Operator::Before => Some(("before", "after")),
        Operator::Artist | Operator::Album | Operator::Tag => None,
    }
}

/// A duration as seconds (`90`) or as a clock shows it (`1:30`, `1:02:03`), in seconds.
pub(crate) fn duration(operator: &'static str, operand: &str) -> Result<u64, QueryError> {
    let wrong = || QueryError::Operand {
        operator,
        operand: operand.chars().take(80).collect(),
        expected: "seconds (90) or minutes and seconds (1:30)",
    };
    let parts: Vec<&str> = operand.trim().split(':').collect();
    if parts.len() > 3 {
        return Err(wrong());
    }
    let mut seconds: u64 = 0;
    for (place, part) in parts.iter().enumerate() {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = part.parse().ok().filter(|_| is_number);
        let number = number.filter(|number| place == 0 || *number < 60);
        let sum = number.and_then(|number| seconds.checked_mul(60)?.checked_add(number));
        seconds = sum.ok_or_else(wrong)?;
    }
    Ok(seconds)
}

/// The first moment of a year (`2024`), a month (`2024-05`) or a day (`2024-05-01`), in UTC; or a
/// moment as records write it. Microseconds since 1970.
pub(crate) fn date(operator: &'static str, operand: &str) -> Result<i64, QueryError> {
    let operand = operand.trim();
    let whole = match operand.len() {
        4 => format!("{operand}-01-01T00:00:00Z"),
        7 => format!("{operand}-01T00:00:00Z"),
        10 => format!("{operand}T00:00:00Z"),
        _ => operand.to_owned(),
    };
    parse_datetime(&whole).ok_or_else(|| QueryError::Operand {
        operator,
        operand: operand.chars().take(80).collect(),
        expected: "a year, a month or a day (2024, 2024-05 or 2024-05-01)",
    })
}
