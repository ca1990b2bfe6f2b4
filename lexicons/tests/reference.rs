//! `docs/xrpc.md` is made from the lexicon documents. After a change of one:
//! `PLYR_WRITE_DOCS=1 cargo test -p plyr-lexicons --test reference`

#![allow(clippy::unwrap_used)] // in helpers of tests

use std::fmt::Write;

use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/xrpc.md");

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A schema in few words.
fn kind(schema: &Value) -> String {
    let of = match text(schema, "type") {
        "array" => format!("array of {}", kind(&schema["items"])),
        "ref" => format!("`{}`", text(schema, "ref")),
        "union" => {
            let refs = schema["refs"].as_array().unwrap().iter();
            let names: Vec<String> = refs
                .map(|name| format!("`{}`", name.as_str().unwrap()))
                .collect();
            names.join(" or ")
        }
        other => match schema["format"].as_str() {
            Some(format) => format!("{other} ({format})"),
            None => other.to_owned(),
        },
    };
    let bounds = [
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "maxGraphemes",
        "enum",
        "knownValues",
        "accept",
        "maxSize",
        "default",
    ];
    let known = bounds.iter().filter(|name| !schema[**name].is_null());
    let bounds: Vec<String> = known
        .map(|name| match &schema[*name] {
            Value::Array(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                format!("{name} {}", values.join(" "))
            }
            value => format!("{name} {value}"),
        })
        .collect();
    if bounds.is_empty() {
        of
    } else {
        format!("{of}; {}", bounds.join(", "))
    }
}

fn fields(out: &mut String, object: &Value) {
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let must = if required.iter().any(|one| one == name) {
            ", always"
        } else {
            ""
        };
        let about = text(schema, "description");
        let dash = if about.is_empty() { "" } else { ": " };
        writeln!(out, "* `{name}` ({}{must}){dash}{about}", kind(schema)).unwrap();
    }
}

fn reference() -> String {
    let mut out = String::from(
        "# XRPC reference\n\nMade from the documents in `lexicons/`. Methods are called with GET on \
         `/xrpc/<method>` (with POST\nwhere they have an input); errors are \
         `{\"error\", \"message\"}`. Lists take `limit` and `cursor`; no\ncursor in the answer \
         means the end.\n",
    );
    let documents: Vec<Value> = plyr_lexicons::document::SOURCES
        .iter()
        .map(|(_, text)| serde_json::from_str(text).unwrap())
        .collect();
    out.push_str("\n## Methods\n");
    for document in &documents {
        let main = &document["defs"]["main"];
        if !["query", "procedure"].contains(&text(main, "type")) {
            continue;
        }
        let (id, about) = (text(document, "id"), text(main, "description"));
        write!(out, "\n### {id}\n\n{about}\n").unwrap();
        if main["parameters"]["properties"]
            .as_object()
            .is_some_and(|all| !all.is_empty())
        {
            out.push_str("\nParameters:\n\n");
            fields(&mut out, &main["parameters"]);
        }
        if !main["input"].is_null() {
            out.push_str("\nInput:\n\n");
            fields(&mut out, &main["input"]["schema"]);
        }
        out.push_str("\nAnswer:\n\n");
        match &main["output"]["schema"] {
            Value::Null => {
                writeln!(out, "Bytes: `{}`.", text(&main["output"], "encoding")).unwrap();
            }
            schema => fields(&mut out, schema),
        }
        let errors = main["errors"].as_array().cloned().unwrap_or_default();
        if !errors.is_empty() {
            out.push_str("\nErrors:\n\n");
        }
        for error in errors {
            writeln!(
                out,
                "* `{}`: {}",
                text(&error, "name"),
                text(&error, "description")
            )
            .unwrap();
        }
    }
    for (title, wanted) in [("Views", "object"), ("Records", "record")] {
        write!(out, "\n## {title}\n").unwrap();
        for document in &documents {
            for (name, definition) in document["defs"].as_object().unwrap() {
                if text(definition, "type") != wanted {
                    continue;
                }
                let id = text(document, "id");
                let full = if name == "main" {
                    id.to_owned()
                } else {
                    format!("{id}#{name}")
                };
                write!(out, "\n### {full}\n\n").unwrap();
                let about = text(definition, "description");
                if !about.is_empty() {
                    write!(out, "{about}\n\n").unwrap();
                }
                let object = if wanted == "record" {
                    &definition["record"]
                } else {
                    definition
                };
                fields(&mut out, object);
            }
        }
    }
    out
}

#[test]
fn the_reference_is_fresh() {
    let made = reference();
    if std::env::var_os("PLYR_WRITE_DOCS").is_some() {
        std::fs::write(PATH, &made).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        kept == made,
        "docs/xrpc.md is stale: see the head of this file"
    );
}
