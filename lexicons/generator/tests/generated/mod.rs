//! The types of the lexicon documents, one module a document.
//! Written by lexicons/generator from the documents; not by hand.

/// `test.sample.branch`
pub mod test_sample_branch;
/// `test.sample.doIt`
pub mod test_sample_do_it;
/// `test.sample.thing`
pub mod test_sample_thing;
