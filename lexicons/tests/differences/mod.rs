//! Where our verdicts differ from the official validators', and why.

/// A kind of difference that is meant.
pub struct Difference {
    /// `lexicon`, `lex` or `lenient`.
    pub validator: &'static str,
    /// Our verdict.
    pub ours: &'static str,
    /// Part of what they say; empty when they object to nothing.
    pub theirs: &'static str,
    /// Part of our first reason; empty when we object to nothing.
    pub reason: &'static str,
    /// Why ours is right here.
    pub why: &'static str,
}

/// All of them; each occurs.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Expected blob value type",
        reason: "",
        why: "the oldest blobs, a size of -1, a CID that isn't raw, a type without a slash: \
              `@atproto/lexicon` takes them, and but for the last so does a `@atproto/lex` that \
              isn't strict",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Invalid blob object",
        reason: "",
        why: "the same, where the blob stands somewhere no document speaks of",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Expected \"audio/*\"",
        reason: "",
        why: "`accept` is a note, never a refusal",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "blob too big",
        reason: "",
        why: "`maxSize` is a note, never a refusal",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Expected \"fm.plyr.",
        reason: "",
        why: "an object that needs no $type may carry another; `@atproto/lexicon` doesn't look",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Expected \"com.atproto.",
        reason: "",
        why: "an object that needs no $type may carry another; `@atproto/lexicon` doesn't look",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Invalid datetime",
        reason: "",
        why: "a leap second is a time (RFC 3339)",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Invalid non-integer number",
        reason: "",
        why: "large integers are kept where no document speaks of them: DAG-CBOR holds 64 bits",
    },
    Difference {
        validator: "lex",
        ours: "invalid",
        theirs: "",
        reason: "is no datetime",
        why: "a day that doesn't exist is no time (RFC 3339)",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Invalid CID string",
        reason: "",
        why: "base58 is a multibase that the vectors call valid",
    },
    Difference {
        validator: "lex",
        ours: "invalid",
        theirs: "",
        reason: "is no cid",
        why: "the vectors call CIDs of version 0 invalid",
    },
    Difference {
        validator: "lexicon",
        ours: "invalid",
        theirs: "",
        reason: "is no cid",
        why: "the vectors call CIDs of version 0 invalid",
    },
    Difference {
        validator: "lex",
        ours: "valid",
        theirs: "Invalid uri",
        reason: "",
        why: "a scheme may hold `+`, `-` and `.` (RFC 3986)",
    },
    Difference {
        validator: "lexicon",
        ours: "valid",
        theirs: "must be a uri",
        reason: "",
        why: "a scheme may hold `+`, `-` and `.` (RFC 3986)",
    },
    Difference {
        validator: "lexicon",
        ours: "valid",
        theirs: "To parse non base32",
        reason: "",
        why: "it fails on whatever looks like the oldest blob, also where no document speaks of it",
    },
    Difference {
        validator: "lexicon",
        ours: "no data",
        theirs: "",
        reason: "",
        why: "it doesn't look at what the data model forbids; `@atproto/lex` does",
    },
    Difference {
        validator: "lexicon",
        ours: "valid",
        theirs: "must be an object which includes",
        reason: "",
        why: "it turns blobs into objects of its own before it looks for their $type",
    },
    Difference {
        validator: "lexicon",
        ours: "invalid",
        theirs: "",
        reason: "is no datetime",
        why: "it takes ISO 8601; the specification asks for RFC 3339 with a zone",
    },
    Difference {
        validator: "lexicon",
        ours: "invalid",
        theirs: "",
        reason: "type: is no blob",
        why: "it takes any size; `@atproto/lex` doesn't",
    },
    Difference {
        validator: "lexicon",
        ours: "invalid",
        theirs: "",
        reason: "at most 53 bits",
        why: "it takes any integer; `@atproto/lex` doesn't",
    },
    Difference {
        validator: "lenient",
        ours: "valid",
        theirs: "Expected \"fm.plyr.",
        reason: "",
        why: "an object that needs no $type may carry another; `@atproto/lexicon` doesn't look",
    },
    Difference {
        validator: "lenient",
        ours: "valid",
        theirs: "Expected \"com.atproto.",
        reason: "",
        why: "an object that needs no $type may carry another; `@atproto/lexicon` doesn't look",
    },
    Difference {
        validator: "lenient",
        ours: "valid",
        theirs: "Expected blob value type",
        reason: "",
        why: "a type without a slash: `@atproto/lexicon` takes it",
    },
    Difference {
        validator: "lenient",
        ours: "valid",
        theirs: "Invalid CID string",
        reason: "",
        why: "base58 is a multibase that the vectors call valid",
    },
    Difference {
        validator: "lenient",
        ours: "valid",
        theirs: "Invalid uri",
        reason: "",
        why: "a scheme may hold `+`, `-` and `.` (RFC 3986)",
    },
    Difference {
        validator: "lenient",
        ours: "no data",
        theirs: "",
        reason: "",
        why: "it doesn't look at all that the data model forbids; the strict one does",
    },
    Difference {
        validator: "lenient",
        ours: "invalid",
        theirs: "",
        reason: "is no datetime",
        why: "it takes ISO 8601; the specification asks for RFC 3339 with a zone",
    },
    Difference {
        validator: "lenient",
        ours: "invalid",
        theirs: "",
        reason: "is no at-uri",
        why: "it takes a slash at the end; the strict one doesn't",
    },
    Difference {
        validator: "lenient",
        ours: "invalid",
        theirs: "",
        reason: "is no cid",
        why: "the vectors call CIDs of version 0 invalid",
    },
];
