//! Every part of the language becomes a type that compiles, reads and writes back the same; and
//! what can't become one is an error that names the place. `fresh.rs` keeps the sample's types.

#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

use ipld_core::cid::Cid;
use ipld_core::ipld::Ipld;

#[rustfmt::skip]
#[allow(dead_code)]
mod generated;
#[allow(dead_code)]
#[path = "../../src/typed.rs"]
mod typed;

/// What `typed.rs` takes from the room it lives in.
mod data {
    /// Reads a CID.
    pub fn cid_of_text(text: &str) -> Option<super::Cid> {
        text.parse().ok()
    }
}

use generated::test_sample_branch as branch;
use generated::test_sample_do_it as do_it;
use generated::test_sample_thing as thing;
use typed::{Fields, List, Nullable, Typed};

fn map(fields: &[(&str, Ipld)]) -> Ipld {
    let owned = fields.iter().cloned();
    Ipld::Map(
        owned
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.to_owned())
}

fn part(name: &str) -> Ipld {
    map(&[("name", text(name)), ("$unknown", Ipld::Bool(true))])
}

fn typed_part(name: &str) -> Ipld {
    typed::with_type(part(name), "test.sample.thing#part")
}

fn sample() -> Fields {
    let link = Cid::default();
    let blob = map(&[
        ("$type", text("blob")),
        ("ref", Ipld::Link(link)),
        ("mimeType", text("image/png")),
        ("size", Ipld::Integer(7)),
    ]);
    let record = map(&[
        ("$type", text("test.sample.branch")),
        ("count", Ipld::Integer(1)),
    ]);
    let leaf = map(&[
        ("$type", text("test.sample.branch#leaf")),
        ("back", part("b")),
    ]);
    let stranger = map(&[("$type", text("test.elsewhere")), ("x", Ipld::Null)]);
    let deep = Ipld::List(vec![Ipld::List(vec![Ipld::Integer(1)]), Ipld::List(vec![])]);
    let fields = map(&[
        ("$type", text("test.sample.thing")),
        ("type", text("a")),
        ("self", Ipld::Bool(true)),
        ("fn", Ipld::Integer(3)),
        ("maybe", Ipld::Null),
        ("perhaps", Ipld::Null),
        ("mood", text("en")),
        ("tags", Ipld::List(vec![text("x")])),
        ("kind", text("test.sample.thing#good")),
        ("bytes", Ipld::Bytes(vec![1, 2])),
        ("link", Ipld::Link(link)),
        ("picture", blob),
        ("anything", map(&[("$type", text("x"))])),
        ("inner", map(&[("deep", deep)])),
        ("one", record),
        ("many", Ipld::List(vec![typed_part("p"), leaf, stranger])),
        ("ours", Ipld::Integer(4)),
        ("future", Ipld::List(vec![])),
    ]);
    typed::fields_of(fields).unwrap()
}

#[test]
fn every_part_reads_and_writes_back_the_same() {
    let value = Ipld::Map(sample());
    let read = thing::Thing::read(value.clone()).unwrap();
    assert_eq!(
        (&read.r#type[..], read.self_, read.r#fn),
        ("a", true, Some(3))
    );
    assert_eq!(
        (&read.maybe, &read.perhaps),
        (&Nullable(None), &Some(Nullable(None)))
    );
    let branch = branch::Branch {
        count: Some(1),
        other: Fields::from([("$type".to_owned(), text("test.sample.branch"))]),
    };
    assert_eq!(read.one, Some(thing::ThingOne::Branch(branch)));
    let many = &read.many.as_ref().unwrap().0;
    assert!(matches!(many[0], thing::ThingManyItem::Part(_)));
    assert!(matches!(many[1], thing::ThingManyItem::Leaf(_)));
    assert!(matches!(many[2], thing::ThingManyItem::Other(_)));
    assert_eq!(read.ours, Some(4));
    assert_eq!(read.write(), value);
}

#[test]
fn null_stands_where_it_may_and_only_there() {
    let mut fields = sample();
    fields.insert("maybe".to_owned(), text("now"));
    fields.insert("perhaps".to_owned(), part("p"));
    let value = Ipld::Map(fields.clone());
    let read = thing::Thing::read(value.clone()).unwrap();
    assert_eq!(read.maybe, Nullable(Some("now".to_owned())));
    assert_eq!(read.write(), value);
    fields.insert("mood".to_owned(), Ipld::Null);
    let misfit = thing::Thing::read(Ipld::Map(fields.clone())).unwrap_err();
    assert_eq!(misfit.to_string(), "mood: expected a text");
    fields.remove("mood");
    let misfit = thing::Thing::read(Ipld::Map(fields)).unwrap_err();
    assert_eq!(misfit.to_string(), "mood: expected a value");
}

#[test]
fn a_malformed_field_of_our_own_is_kept_and_no_misfit() {
    let mut fields = sample();
    fields.insert("ours".to_owned(), text("four"));
    let value = Ipld::Map(fields);
    let read = thing::Thing::read(value.clone()).unwrap();
    assert_eq!(read.ours, None);
    assert_eq!(read.write(), value);
}

#[test]
fn methods_have_what_they_take_and_answer() {
    let input = do_it::Input {
        what: thing::Part {
            name: "n".to_owned(),
            parts: Some(List(vec![])),
            other: Fields::new(),
        },
        other: Fields::new(),
    };
    assert_eq!(do_it::Input::read(input.clone().write()), Ok(input));
    let output = do_it::Output::read(map(&[("x", Ipld::Null)])).unwrap();
    assert_eq!(output.write(), map(&[("x", Ipld::Null)]));
}

/// The error of a document with these definitions.
fn refused(definitions: &str) -> String {
    let document = format!(r#"{{"id":"a.b.c","defs":{definitions}}}"#);
    let made = plyr_lexgen::generate([("c.json", document.as_str())], &[]);
    made.unwrap_err().to_string()
}

#[test]
fn what_cannot_become_a_type_is_an_error_that_names_the_place() {
    let object = |properties: &str| {
        format!(r#"{{"main":{{"type":"object","properties":{{{properties}}}}}}}"#)
    };
    let part = r#"{"type":"object","properties":{}}"#;
    for (definitions, expected) in [
        (
            object(r#""x":{"type":"float"}"#),
            "a.b.c#CX: float is not generated yet",
        ),
        (
            r#"{"main":{"type":"subscription"}}"#.to_owned(),
            "a.b.c#main: subscription",
        ),
        (
            object(r##""x":{"type":"ref","ref":"#y"}"##),
            "a.b.c#CX: #y leads to nothing",
        ),
        (
            object(r#""x":{"type":"ref","ref":"d.e.f"}"#),
            "a.b.c#CX: d.e.f leads to nothing",
        ),
        (
            object(r##""x":{"type":"union","refs":["#y"]}"##),
            "a.b.c#CX: #y leads to nothing",
        ),
        (
            r##"{"main":{"type":"object","properties":{"x":{"type":"union","refs":["#y"]}}},
                "y":{"type":"string"}}"##
                .to_owned(),
            "a.b.c#CX: #y leads to no object",
        ),
        (
            r#"{"main":{"type":"object","properties":{"x":{"type":"ref","ref":"a.b.c#q"}}},
                "q":{"type":"query"}}"#
                .to_owned(),
            "a.b.c#CX: a.b.c#q leads to something that has no values",
        ),
        (
            format!(r#"{{"main":{part},"c":{part}}}"#),
            "a.b.c#C: `C (a type)` is already the name of a.b.c#C",
        ),
        (
            format!(r#"{{"string":{part}}}"#),
            "`String (a type)` is already the name of the",
        ),
        (
            format!(r#"{{"2x":{part}}}"#),
            "a.b.c#2x: `2x` makes no name in Rust",
        ),
        (
            object(r#""aB":{"type":"integer"},"a_b":{"type":"integer"}"#),
            "a.b.c#C.a_b: `a_b (a field)` is already the name of a.b.c#C.aB",
        ),
        (
            object(r#""other":{"type":"integer"}"#),
            "`other (a field)` is already",
        ),
        (
            object(r#""9":{"type":"integer"}"#),
            "a.b.c#C.9: `9` makes no name in Rust",
        ),
        (
            object(r#""x":{"type":"ref","ref":"a.b.c"}"#),
            "a.b.c#C holds itself (a.b.c#C → a.b.c#C)",
        ),
        (
            r##"{"p":{"type":"object","properties":{"q":{"type":"union","refs":["#r"]}}},
                "r":{"type":"object","properties":{"p":{"type":"ref","ref":"#p"}}}}"##
                .to_owned(),
            "holds itself (a.b.c#P → a.b.c#PQ → a.b.c#R → a.b.c#P)",
        ),
    ] {
        let said = refused(&definitions);
        assert!(said.contains(expected), "{definitions}: {said}");
    }
}

#[test]
fn documents_that_clash_or_are_none_are_errors_that_name_the_path() {
    let document = |id: &str| {
        format!(r#"{{"id":"{id}","defs":{{"x":{{"type":"object","properties":{{}}}}}}}}"#)
    };
    let (one, other) = (document("a.b.getIt"), document("a.b.get.it"));
    let made = plyr_lexgen::generate([("1", one.as_str()), ("2", other.as_str())], &[]);
    let said = made.unwrap_err().to_string();
    assert!(
        said.contains("`a_b_get_it (a module)` is already the name of"),
        "{said}"
    );
    let made = plyr_lexgen::generate([("1", one.as_str()), ("2", one.as_str())], &[]);
    let said = made.unwrap_err().to_string();
    assert!(
        said.contains("2: no lexicon document: a.b.getIt has another"),
        "{said}"
    );
    for none in ["{}", "[", r#"{"id":"a.b.c"}"#] {
        let said = plyr_lexgen::generate([("c.json", none)], &[])
            .unwrap_err()
            .to_string();
        assert!(said.contains("c.json: no lexicon document"), "{said}");
    }
}
