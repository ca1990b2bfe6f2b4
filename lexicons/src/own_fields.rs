//! Fields that we add to the authority's records. Malformed, they are ignored: only the
//! authority's rules can make a record invalid.

/// Their names, by the NSID of the record's document. All are optional.
pub const OWN_FIELDS: &[(&str, &[&str])] = &[
    (
        "fm.plyr.track",
        &["tags", "genres", "isrc", "language", "cover"],
    ),
    ("fm.plyr.list", &["description", "cover"]),
];

/// Those of one document.
pub fn own_fields(nsid: &str) -> &'static [&'static str] {
    let of_document = OWN_FIELDS.iter().find(|(owner, _)| *owner == nsid);
    of_document.map_or(&[], |(_, names)| names)
}
