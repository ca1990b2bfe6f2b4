//! Ranges by a table, and against a naive model.

use proptest::prelude::*;
use warp::http::HeaderValue;

use super::*;

const ETAG: &str = "\"bafkrei\"";
const SIZE: u64 = 10_000;

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn of(range: &str, size: u64) -> Asked {
    asked(&headers(&[(RANGE, range)]), ETAG, size)
}

#[allow(clippy::single_range_in_vec_init)] // a list of one range is meant
#[test]
fn ranges_are_read_as_they_are_written() {
    let largest = "99999999999999999999999999";
    for (range, parts) in [
        ("bytes=0-0", vec![0..1]),
        ("bytes=0-", vec![0..SIZE]),
        ("bytes=0-9999", vec![0..SIZE]),
        ("bytes=0-10000", vec![0..SIZE]),
        (&format!("bytes=5-{largest}"), vec![5..SIZE]),
        ("bytes=9999-", vec![9_999..SIZE]),
        ("bytes=-1", vec![9_999..SIZE]),
        ("bytes=-10000", vec![0..SIZE]),
        (&format!("bytes=-{largest}"), vec![0..SIZE]),
        ("BYTES=1-2", vec![1..3]),
        ("bytes=1-2,", vec![1..3]),
        ("bytes=1-2,, ,5-6", vec![1..3, 5..7]),
        ("bytes= 5-6 , 1-2", vec![5..7, 1..3]),
        ("bytes=1-2,3-4", vec![1..3, 3..5]),
        ("bytes=1-2,10000-", vec![1..3]),
        ("bytes=-0,1-2", vec![1..3]),
    ] {
        assert_eq!(of(range, SIZE), Asked::Parts(parts), "{range}");
    }
    for range in [
        "bytes=10000-",
        "bytes=10000-10001,-0",
        "bytes=-0",
        &format!("bytes={largest}-"),
    ] {
        assert_eq!(of(range, SIZE), Asked::Beyond, "{range}");
    }
    for range in [
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=2-1",
        "bytes=1-2,2-1",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=1--2",
        "bytes=0x1-2",
        "bytes=٣-4",
        "items=0-1",
        "bytes: 0-1",
    ] {
        let asked = match HeaderValue::from_str(range) {
            Ok(_) => of(range, SIZE),
            Err(_) => parts(range, SIZE),
        };
        assert_eq!(asked, Asked::Whole, "{range}");
    }
}

#[test]
fn what_would_cost_more_than_the_whole_is_the_whole() {
    let many = |count: u64| {
        let parts: Vec<String> = (0..count)
            .map(|part| format!("{0}-{0}", part * 10))
            .collect();
        format!("bytes={}", parts.join(","))
    };
    assert!(matches!(of(&many(16), SIZE), Asked::Parts(parts) if parts.len() == 16));
    assert_eq!(of(&many(17), SIZE), Asked::Whole);
    assert_eq!(of(&many(16), 3_000), Asked::Whole);
    assert_eq!(of("bytes=0-5,5-6", SIZE), Asked::Whole);
    assert_eq!(of("bytes=100-,0-9,-1", SIZE), Asked::Whole);
    assert_eq!(of("bytes=0-0,-1", 2), Asked::Whole);
    assert_eq!(of("bytes=0-", 0), Asked::Whole);
}

#[allow(clippy::single_range_in_vec_init)]
#[test]
fn conditions_come_first() {
    let range = (RANGE, "bytes=1-2");
    let part = Asked::Parts(vec![1..3]);
    let weak = format!("W/{ETAG}");
    let list = format!("\"a,b\", {ETAG}");
    for (lines, expected) in [
        (vec![(IF_NONE_MATCH, ETAG), range.clone()], Asked::Unchanged),
        (vec![(IF_NONE_MATCH, weak.as_str())], Asked::Unchanged),
        (vec![(IF_NONE_MATCH, list.as_str())], Asked::Unchanged),
        (vec![(IF_NONE_MATCH, "*")], Asked::Unchanged),
        (
            vec![(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, ETAG)],
            Asked::Unchanged,
        ),
        (vec![(IF_NONE_MATCH, "\"x\""), range.clone()], part.clone()),
        (vec![(IF_NONE_MATCH, "bafkrei")], Asked::Whole),
        (vec![(IF_MATCH, ETAG), range.clone()], part.clone()),
        (vec![(IF_MATCH, "*"), range.clone()], part.clone()),
        (vec![(IF_MATCH, "\"x\""), range.clone()], Asked::Changed),
        // Only a strong comparison will do for these two.
        (vec![(IF_MATCH, weak.as_str())], Asked::Changed),
        (vec![(IF_RANGE, weak.as_str()), range.clone()], Asked::Whole),
        (vec![(IF_RANGE, ETAG), range.clone()], part.clone()),
        (vec![(IF_RANGE, "\"x\""), range.clone()], Asked::Whole),
        (
            vec![(IF_RANGE, "Tue, 15 Nov 1994 08:12:31 GMT"), range.clone()],
            Asked::Whole,
        ),
        (
            vec![(IF_RANGE, "\"x\""), (RANGE, "bytes=10000-")],
            Asked::Whole,
        ),
        (vec![range.clone(), (RANGE, "bytes=5-6")], Asked::Whole),
    ] {
        assert_eq!(asked(&headers(&lines), ETAG, SIZE), expected, "{lines:?}");
    }
}

/// One range of a header, as a test makes them.
#[derive(Clone, Debug)]
enum Spec {
    Between(u64, u64),
    From(u64),
    Last(u64),
}

impl Spec {
    fn text(&self) -> String {
        match self {
            Spec::Between(first, last) => format!("{first}-{last}"),
            Spec::From(first) => format!("{first}-"),
            Spec::Last(length) => format!("-{length}"),
        }
    }

    /// The places it names, byte by byte.
    fn places(&self, size: u64) -> Vec<u64> {
        let is_in = |place: &u64| match *self {
            Spec::Between(first, last) => (first..=last).contains(place),
            Spec::From(first) => *place >= first,
            Spec::Last(length) => size - place <= length,
        };
        (0..size).filter(is_in).collect()
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    prop_oneof![
        (0_u64..900, 0_u64..900).prop_map(|(first, last)| Spec::Between(first, last)),
        (0_u64..900).prop_map(Spec::From),
        (0_u64..900).prop_map(Spec::Last),
    ]
}

proptest! {
    #[test]
    fn parts_hold_the_very_bytes_that_were_named(
        specs in proptest::collection::vec(spec(), 1..6),
        size in 1_u64..800,
    ) {
        let texts: Vec<String> = specs.iter().map(Spec::text).collect();
        let is_backward = |spec: &Spec| matches!(spec, Spec::Between(first, last) if last < first);
        let named: Vec<Vec<u64>> = specs
            .iter()
            .map(|spec| spec.places(size))
            .filter(|places| !places.is_empty())
            .collect();
        let answer = of(&format!("bytes={}", texts.join(",")), size);
        if specs.iter().any(is_backward) {
            prop_assert_eq!(answer, Asked::Whole);
            return Ok(());
        }
        match answer {
            Asked::Beyond => prop_assert!(named.is_empty()),
            Asked::Parts(parts) => {
                let got: Vec<Vec<u64>> = parts.into_iter().map(Iterator::collect).collect();
                prop_assert_eq!(got, named);
            }
            // One range is never worth the whole.
            Asked::Whole => prop_assert!(named.len() > 1),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
