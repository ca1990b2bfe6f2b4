//! One document's definitions as Rust types with their reading and writing.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use crate::{GeneratorError, module_name, type_name};

/// The types of a document while they are collected.
pub(crate) struct Document<'a> {
    nsid: &'a str,
    items: Vec<TokenStream>,
}

/// A field's type, and what it is called in the language.
type Kind = TokenStream;

impl<'a> Document<'a> {
    pub(crate) fn new(nsid: &'a str) -> Self {
        let items = Vec::new();
        Document { nsid, items }
    }

    /// Everything that was collected, or nothing when the document defines no type.
    pub(crate) fn finish(self) -> Option<TokenStream> {
        if self.items.is_empty() {
            return None;
        }
        let items = self.items;
        Some(quote! {
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
                let nsid = self.nsid;
                self.object(&own_name, &schema["record"], about(schema), Some(nsid))
            }
            "object" => self.object(&own_name, schema, about(schema), None),
            "query" | "procedure" => {
                for (part, key) in [("Input", "input"), ("Output", "output")] {
                    let body = &schema[key]["schema"];
                    let doc = format!("The {key} of `{}`.", self.nsid);
                    match body["type"].as_str() {
                        Some("object") => self.object(part, body, &doc, None)?,
                        // A method that answers another document's object has no type of its own.
                        Some("ref") | None => {}
                        Some(other) => return Err(self.unsupported(part, other)),
                    }
                }
                Ok(())
            }
            "token" => Ok(()),
            other => Err(self.unsupported(name, other)),
        }
    }

    fn unsupported(&self, place: &str, what: &str) -> GeneratorError {
        GeneratorError::Unsupported {
            place: format!("{}#{place}", self.nsid),
            what: what.to_owned(),
        }
    }

    fn object(
        &mut self,
        own_name: &str,
        schema: &Value,
        doc: &str,
        record: Option<&str>,
    ) -> Result<(), GeneratorError> {
        if schema["nullable"]
            .as_array()
            .is_some_and(|names| !names.is_empty())
        {
            return Err(self.unsupported(own_name, "nullable"));
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let (mut declared, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let field = identifier(name);
            let inner = format!("{own_name}{}", name.to_upper_camel_case());
            let kind = self.kind(&inner, property)?;
            let doc = doc_of(about(property), name);
            let must = required.iter().any(|one| one == name);
            let (kind, take, put) = match must {
                true => (kind, quote!(typed::required), quote!(typed::put)),
                false => {
                    let kind = quote!(Option<#kind>);
                    (kind, quote!(typed::optional), quote!(typed::put_optional))
                }
            };
            declared.push(quote! { #[doc = #doc] pub #field: #kind, });
            read.push(quote! { #field: #take(&mut fields, #name)?, });
            written.push(quote! { #put(&mut fields, #name, self.#field); });
        }
        let own = format_ident!("{own_name}");
        let doc = doc_of(doc, own_name);
        let (open, close) = match record {
            Some(nsid) => (
                quote!(typed::fields_of_type(value, #nsid)?),
                quote!(typed::with_type(Ipld::Map(fields), #nsid)),
            ),
            None => (quote!(typed::fields_of(value)?), quote!(Ipld::Map(fields))),
        };
        self.items.push(quote! {
            #[doc = #doc]
            #[derive(Clone, PartialEq, Debug)]
            pub struct #own {
                #(#declared)*
                /// Fields the document doesn't know, kept as they are.
                pub other: typed::Fields,
            }

            impl Typed for #own {
                fn read(value: Ipld) -> Result<Self, typed::Misfit> {
                    let mut fields = #open;
                    Ok(Self { #(#read)* other: fields })
                }

                fn write(self) -> Ipld {
                    let mut fields = self.other;
                    #(#written)*
                    #close
                }
            }
        });
        Ok(())
    }

    fn kind(&mut self, inner: &str, schema: &Value) -> Result<Kind, GeneratorError> {
        Ok(match schema["type"].as_str().unwrap_or_default() {
            "string" => quote!(String),
            "integer" => quote!(i64),
            "boolean" => quote!(bool),
            "unknown" => quote!(Ipld),
            "bytes" => quote!(Vec<u8>),
            "cid-link" => quote!(Cid),
            "blob" => quote!(typed::Blob),
            "ref" => self.path(schema["ref"].as_str().unwrap_or_default()),
            "array" => {
                let item = self.kind(&format!("{inner}Item"), &schema["items"])?;
                quote!(typed::List<#item>)
            }
            "object" => {
                self.object(inner, schema, about(schema), None)?;
                let own = format_ident!("{inner}");
                quote!(#own)
            }
            "union" => {
                self.union(inner, schema)?;
                let own = format_ident!("{inner}");
                quote!(#own)
            }
            other => return Err(self.unsupported(inner, other)),
        })
    }

    /// The type that a reference names, boxed by nobody: no document refers to itself.
    fn path(&self, reference: &str) -> TokenStream {
        let (nsid, name) = reference.split_once('#').unwrap_or((reference, "main"));
        if nsid.is_empty() {
            let own = format_ident!("{}", type_name(self.nsid, name));
            return quote!(#own);
        }
        let module = format_ident!("{}", module_name(nsid));
        let own = format_ident!("{}", type_name(nsid, name));
        quote!(super::#module::#own)
    }

    /// A union: one variant a member, and one for members the document doesn't know.
    fn union(&mut self, own_name: &str, schema: &Value) -> Result<(), GeneratorError> {
        let refs = schema["refs"].as_array().cloned().unwrap_or_default();
        let (mut declared, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for reference in refs.iter().filter_map(Value::as_str) {
            let (nsid, name) = reference.split_once('#').unwrap_or((reference, "main"));
            let nsid = if nsid.is_empty() { self.nsid } else { nsid };
            let variant = format_ident!("{}", type_name(nsid, name));
            let kind = self.path(reference);
            let full = match name {
                "main" => nsid.to_owned(),
                _ => format!("{nsid}#{name}"),
            };
            let doc = format!(" `{full}`");
            declared.push(quote! { #[doc = #doc] #variant(#kind), });
            read.push(quote! {
                Some(#full) => {
                    let fields = typed::fields_of_type(value, #full)?;
                    Typed::read(Ipld::Map(fields)).map(Self::#variant)
                }
            });
            written
                .push(quote! { Self::#variant(known) => typed::with_type(known.write(), #full), });
        }
        let own = format_ident!("{own_name}");
        let doc = doc_of(about(schema), own_name);
        self.items.push(quote! {
            #[doc = #doc]
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

fn about(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A docstring: the description, or the name where there is none.
fn doc_of(description: &str, name: &str) -> String {
    match description {
        "" => format!(" `{name}`"),
        text => format!(" {text}"),
    }
}

/// A field's name in Rust.
fn identifier(name: &str) -> Ident {
    let snake = name.to_snake_case();
    match syn::parse_str::<Ident>(&snake) {
        Ok(plain) => plain,
        Err(_) => Ident::new_raw(&snake, Span::call_site()),
    }
}
