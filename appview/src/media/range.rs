//! Which bytes are asked for: ranges and conditions of RFC 9110 (sections 13 and 14), of a whole
//! whose size and strong ETag are known.

use std::ops::Range;

use warp::http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use warp::http::{HeaderMap, HeaderName};

/// Ranges that one answer holds; who asks for more gets the whole.
const MOST_PARTS: usize = 16;
/// What a part costs besides its bytes, about: parts that together cost more than the whole are
/// answered with it.
const COST_OF_PART: u64 = 200;

/// What a request is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// All of it (200).
    Whole,
    /// These ranges (206), in the order asked; at least one, none empty, none overlapping.
    Parts(Vec<Range<u64>>),
    /// The caller has it already (304).
    Unchanged,
    /// The caller wants another one than there is (412).
    Changed,
    /// Ranges of which none is there (416).
    Beyond,
}

/// What the headers of a GET or HEAD ask for. `etag` is quoted and strong.
pub fn asked(headers: &HeaderMap, etag: &str, size: u64) -> Asked {
    if let Some(wanted) = joined(headers, IF_MATCH)
        && !names(&wanted, etag, is_same)
    {
        return Asked::Changed;
    }
    if let Some(known) = joined(headers, IF_NONE_MATCH)
        && names(&known, etag, is_same_or_weak)
    {
        return Asked::Unchanged;
    }
    // A date is no validator here: nothing is ever served with one.
    let is_of_this_one = match headers.get(IF_RANGE) {
        Some(wanted) => wanted.to_str().is_ok_and(|wanted| is_same(wanted, etag)),
        None => true,
    };
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next().map(|range| range.to_str()), ranges.next()) {
        (Some(Ok(range)), None) if is_of_this_one => parts(range, size),
        _ => Asked::Whole,
    }
}

/// Whether another store of the same bytes answers a GET alike: the whole, or one range, without
/// conditions on what they are. Others know another ETag, and send no `multipart/byteranges`.
pub fn is_alike_elsewhere(headers: &HeaderMap, what: &Asked) -> bool {
    let is_conditional = [IF_RANGE, IF_MATCH, IF_UNMODIFIED_SINCE]
        .iter()
        .any(|name| headers.contains_key(name));
    if is_conditional {
        return false;
    }
    match what {
        Asked::Whole => !headers.contains_key(RANGE),
        // Of several, others may be beyond the end.
        Asked::Parts(parts) => {
            let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
            parts.len() == 1 && range.is_some_and(|range| !range.contains(','))
        }
        Asked::Unchanged | Asked::Changed | Asked::Beyond => false,
    }
}

fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Whether a list of ETags names one. Ours have no commas, so those of others may be torn apart.
fn names(list: &str, etag: &str, is_it: fn(&str, &str) -> bool) -> bool {
    list.trim() == "*" || list.split(',').any(|one| is_it(one, etag))
}

fn is_same(one: &str, etag: &str) -> bool {
    one.trim() == etag
}

fn is_same_or_weak(one: &str, etag: &str) -> bool {
    let one = one.trim();
    one.strip_prefix("W/").unwrap_or(one) == etag
}

/// What a `Range` header asks for. One that can't be read, or of another unit, asks for nothing
/// special.
fn parts(header: &str, size: u64) -> Asked {
    let Some((unit, set)) = header.split_once('=') else {
        return Asked::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || size == 0 {
        return Asked::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut count = 0;
    for one in set.split(',').map(str::trim) {
        // A list may have empty places (section 5.6.1).
        if one.is_empty() {
            continue;
        }
        count += 1;
        match part(one, size) {
            Some(Part::There(range)) => parts.push(range),
            Some(Part::Beyond) => {}
            None => return Asked::Whole,
        }
    }
    if count == 0 || count > MOST_PARTS {
        return Asked::Whole;
    }
    if parts.is_empty() {
        return Asked::Beyond;
    }
    if parts.len() > 1 && (overlap(&parts) || cost(&parts) >= size) {
        return Asked::Whole;
    }
    Asked::Parts(parts)
}

enum Part {
    There(Range<u64>),
    Beyond,
}

/// One range of a set; none if it can't be read.
fn part(text: &str, size: u64) -> Option<Part> {
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some(match length {
            0 => Part::Beyond,
            length => Part::There(size - length..size),
        });
    }
    let first = number(first)?;
    let last = match last {
        "" => u64::MAX,
        last => number(last)?,
    };
    if last < first {
        return None;
    }
    Some(match first < size {
        true => Part::There(first..last.saturating_add(1).min(size)),
        false => Part::Beyond,
    })
}

/// A number of digits alone; what is larger than any file is the largest there is.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn overlap(parts: &[Range<u64>]) -> bool {
    let mut sorted: Vec<&Range<u64>> = parts.iter().collect();
    sorted.sort_by_key(|part| part.start);
    sorted
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if next.start < one.end))
}

fn cost(parts: &[Range<u64>]) -> u64 {
    let cost = |part: &Range<u64>| (part.end - part.start).saturating_add(COST_OF_PART);
    parts.iter().map(cost).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
