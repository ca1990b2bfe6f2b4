//! One document's definitions as Rust types with their reading and writing.

use heck::ToUpperCamelCase;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use crate::GeneratorError;
use crate::catalog::{Catalog, Held, Target};
use crate::describe::{about, docs};
use crate::names::{Claims, camel_identifier, field_identifier, module_name, type_name};

/// Names that the generated code uses unqualified.
const RESERVED_TYPES: &[&str] = &[
    "Cid", "Ipld", "Option", "Result", "Self", "String", "Typed", "Vec",
];

/// The types of a document while they are collected.
pub(crate) struct Module<'a> {
    catalog: &'a Catalog,
    nsid: &'a str,
    own_fields: &'a [&'a str],
    types: Claims,
    items: Vec<TokenStream>,
    held: Held,
}

/// The type whose fields are being collected.
struct Owner<'b> {
    /// Its name in Rust.
    name: &'b str,
    /// Whether an array lies between it and the field at hand.
    behind_array: bool,
}

/// How an object says which type it is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It needn't.
    Object,
    /// By its `$type`, which is kept: in another namespace it is another one.
    Record,
}

impl<'a> Module<'a> {
    pub(crate) fn new(catalog: &'a Catalog, nsid: &'a str, own_fields: &'a [&'a str]) -> Self {
        Module {
            catalog,
            nsid,
            own_fields,
            types: Claims::with("a type", RESERVED_TYPES),
            items: Vec::new(),
            held: Held::new(),
        }
    }

    /// Which types were seen to hold which.
    pub(crate) fn take_held(&mut self) -> Held {
        std::mem::take(&mut self.held)
    }

    /// Everything that was collected, or nothing when the document defines no type.
    pub(crate) fn finish(self) -> Option<TokenStream> {
        if self.items.is_empty() {
            return None;
        }
        let items = self.items;
        Some(quote! {
            #[allow(unused_imports)]
            use crate::typed::{self, Typed};
            #[allow(unused_imports)]
            use crate::{Cid, Ipld};
            #(#items)*
        })
    }

    /// Adds the types of a definition. Parameters of methods have none: they are read and checked
    /// by the validator.
    pub(crate) fn definition(&mut self, name: &str, schema: &Value) -> Result<(), GeneratorError> {
        let own_name = type_name(self.nsid, name);
        match schema["type"].as_str().unwrap_or_default() {
            "record" => {
                let object = &schema["record"];
                self.object(&own_name, object, about(schema), Kind::Record)
            }
            "object" => self.object(&own_name, schema, about(schema), Kind::Object),
            "query" | "procedure" => {
                for (part, key) in [("Input", "input"), ("Output", "output")] {
                    let body = &schema[key]["schema"];
                    let doc = format!("The {key} of `{}`.", self.nsid);
                    match body["type"].as_str() {
                        Some("object") => self.object(part, body, &doc, Kind::Object)?,
                        // A method that answers another document's object has no type of its own.
                        Some("ref") | None => {}
                        Some(other) => return Err(self.unsupported(part, other)),
                    }
                }
                Ok(())
            }
            // Tokens are names; nothing holds one.
            "token" => Ok(()),
            "string" | "integer" | "boolean" | "bytes" | "cid-link" | "blob" | "array" => {
                self.alias(&own_name, schema)
            }
            other => Err(self.unsupported(name, other)),
        }
    }

    fn place(&self, part: &str) -> String {
        format!("{}#{part}", self.nsid)
    }

    fn unsupported(&self, part: &str, what: &str) -> GeneratorError {
        GeneratorError::Unsupported {
            place: self.place(part),
            what: what.to_owned(),
        }
    }

    fn claim_type(&mut self, name: &str) -> Result<Ident, GeneratorError> {
        let place = self.place(name);
        self.types.claim(name, &place)?;
        camel_identifier(name, &place)
    }

    fn alias(&mut self, own_name: &str, schema: &Value) -> Result<(), GeneratorError> {
        let own = self.claim_type(own_name)?;
        let owner = Owner {
            name: own_name,
            behind_array: false,
        };
        let value = self.value(&owner, &format!("{own_name}Value"), schema)?;
        let docs = docs(about(schema), own_name, schema);
        self.items.push(quote! { #docs pub type #own = #value; });
        Ok(())
    }

    fn object(
        &mut self,
        own_name: &str,
        schema: &Value,
        doc: &str,
        kind: Kind,
    ) -> Result<(), GeneratorError> {
        let own = self.claim_type(own_name)?;
        let owner = Owner {
            name: own_name,
            behind_array: false,
        };
        let mut names = Claims::with("a field", &["other"]);
        let (mut declared, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let place = self.place(&format!("{own_name}.{name}"));
            let field = field_identifier(name, &place)?;
            names.claim(&field.to_string(), &place)?;
            let inner = format!("{own_name}{}", name.to_upper_camel_case());
            let mut value = self.value(&owner, &inner, property)?;
            if lists(&schema["nullable"], name) {
                value = quote!(typed::Nullable<#value>);
            }
            let own_field = kind == Kind::Record && self.own_fields.contains(&name.as_str());
            let (value, take, put) = match (lists(&schema["required"], name), own_field) {
                (true, true) => {
                    return Err(self.unsupported(&place, "a required field of our own"));
                }
                (true, false) => (value, quote!(typed::required), quote!(typed::put)),
                (false, true) => (
                    quote!(Option<#value>),
                    quote!(typed::own),
                    quote!(typed::put_optional),
                ),
                (false, false) => (
                    quote!(Option<#value>),
                    quote!(typed::optional),
                    quote!(typed::put_optional),
                ),
            };
            // A field of our own that is malformed yields none instead of a misfit.
            let end = if own_field { quote!() } else { quote!(?) };
            let docs = docs(about(property), name, property);
            declared.push(quote! { #docs pub #field: #value, });
            read.push(quote! { #field: #take(&mut fields, #name)#end, });
            written.push(quote! { #put(&mut fields, #name, self.#field); });
        }
        let docs = docs(doc, own_name, &Value::Null);
        let nsid = self.nsid;
        let (open, close) = match kind {
            Kind::Record => (
                quote!(typed::fields_of_record(value)?),
                quote!(typed::record(fields, #nsid)),
            ),
            Kind::Object => (quote!(typed::fields_of(value)?), quote!(Ipld::Map(fields))),
        };
        let change = (!written.is_empty()).then(|| quote!(mut));
        let take = (!read.is_empty()).then(|| quote!(mut));
        self.items.push(quote! {
            #docs
            #[derive(Clone, PartialEq, Debug)]
            pub struct #own {
                #(#declared)*
                /// Fields the document doesn't know, kept as they are.
                pub other: typed::Fields,
            }

            impl Typed for #own {
                fn read(value: Ipld) -> Result<Self, typed::Misfit> {
                    let #take fields = #open;
                    Ok(Self { #(#read)* other: fields })
                }

                fn write(self) -> Ipld {
                    let #change fields = self.other;
                    #(#written)*
                    #close
                }
            }
        });
        Ok(())
    }

    /// The type of a field or an item.
    fn value(
        &mut self,
        owner: &Owner<'_>,
        inner: &str,
        schema: &Value,
    ) -> Result<TokenStream, GeneratorError> {
        Ok(match schema["type"].as_str().unwrap_or_default() {
            "string" => quote!(String),
            "integer" => quote!(i64),
            "boolean" => quote!(bool),
            "unknown" => quote!(Ipld),
            "bytes" => quote!(Vec<u8>),
            "cid-link" => quote!(Cid),
            "blob" => quote!(typed::Blob),
            "ref" => self.reference(owner, inner, schema)?,
            "array" => {
                let items = Owner {
                    name: owner.name,
                    behind_array: true,
                };
                let item = self.value(&items, &format!("{inner}Item"), &schema["items"])?;
                quote!(typed::List<#item>)
            }
            "object" => {
                self.object(inner, schema, about(schema), Kind::Object)?;
                self.hold(owner, self.place(inner));
                let own = format_ident!("{inner}");
                quote!(#own)
            }
            "union" => {
                self.union(inner, schema)?;
                self.hold(owner, self.place(inner));
                let own = format_ident!("{inner}");
                quote!(#own)
            }
            other => return Err(self.unsupported(inner, other)),
        })
    }

    fn hold(&mut self, owner: &Owner<'_>, held: String) {
        if !owner.behind_array {
            let place = self.place(owner.name);
            self.held.entry(place).or_default().insert(held);
        }
    }

    fn reference(
        &mut self,
        owner: &Owner<'_>,
        inner: &str,
        schema: &Value,
    ) -> Result<TokenStream, GeneratorError> {
        let reference = schema["ref"].as_str().unwrap_or_default();
        let place = self.place(inner);
        let target = self.catalog.target(self.nsid, reference, &place)?;
        match target.schema["type"].as_str().unwrap_or_default() {
            "token" => return Ok(quote!(String)),
            "query" | "procedure" | "subscription" | "permission-set" => {
                return Err(GeneratorError::Reference {
                    place,
                    reference: reference.to_owned(),
                    found: "something that has no values",
                });
            }
            _ => {}
        }
        self.hold(
            owner,
            format!("{}#{}", target.nsid, type_name(target.nsid, target.name)),
        );
        Ok(self.path(&target))
    }

    /// The type of a definition, seen from this document.
    fn path(&self, target: &Target<'_>) -> TokenStream {
        let own = format_ident!("{}", type_name(target.nsid, target.name));
        if target.nsid == self.nsid {
            return quote!(#own);
        }
        let module = format_ident!("{}", module_name(target.nsid));
        quote!(super::#module::#own)
    }

    /// A union: one variant a member, and one for members the document doesn't know. Closed unions
    /// have it as well; that such a member is refused is the validator's affair.
    fn union(&mut self, own_name: &str, schema: &Value) -> Result<(), GeneratorError> {
        let own = self.claim_type(own_name)?;
        let place = self.place(own_name);
        let mut variants = Claims::with("a variant", &["Other"]);
        let (mut declared, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for reference in schema["refs"].as_array().into_iter().flatten() {
            let reference = reference.as_str().unwrap_or_default();
            let target = self.catalog.target(self.nsid, reference, &place)?;
            let name = type_name(target.nsid, target.name);
            variants.claim(&name, &format!("{place}: {reference}"))?;
            let variant = camel_identifier(&name, &place)?;
            let (full, value) = (target.full_name(), self.path(&target));
            self.hold(
                &Owner {
                    name: own_name,
                    behind_array: false,
                },
                format!("{}#{name}", target.nsid),
            );
            // A record minds its $type itself.
            let (taken, given) = match target.schema["type"].as_str().unwrap_or_default() {
                "record" => (quote!(value), quote!(known.write())),
                "object" => (
                    quote!(typed::without_type(value)),
                    quote!(typed::with_type(known.write(), #full)),
                ),
                _ => {
                    return Err(GeneratorError::Reference {
                        place,
                        reference: reference.to_owned(),
                        found: "no object, as members of unions have to be",
                    });
                }
            };
            let doc = format!(" `{full}`");
            declared.push(quote! { #[doc = #doc] #variant(#value), });
            read.push(quote! { Some(#full) => Typed::read(#taken).map(Self::#variant), });
            written.push(quote! { Self::#variant(known) => #given, });
        }
        let docs = docs(about(schema), own_name, &Value::Null);
        self.items.push(quote! {
            #docs
            #[derive(Clone, PartialEq, Debug)]
            pub enum #own {
                #(#declared)*
                /// A member the document doesn't know, kept as it is.
                Other(Ipld),
            }

            impl Typed for #own {
                fn read(value: Ipld) -> Result<Self, typed::Misfit> {
                    match typed::type_of(&value) {
                        #(#read)*
                        _ => Ok(Self::Other(value)),
                    }
                }

                fn write(self) -> Ipld {
                    match self {
                        #(#written)*
                        Self::Other(value) => value,
                    }
                }
            }
        });
        Ok(())
    }
}

/// Whether a list of names holds one.
fn lists(names: &Value, name: &str) -> bool {
    names
        .as_array()
        .is_some_and(|names| names.iter().any(|one| one == name))
}
