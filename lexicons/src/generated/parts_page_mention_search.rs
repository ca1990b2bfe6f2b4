//! parts.page.mention.search
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A player to be shown in a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Embed {
    /// In pixels.
    ///
    /// 16 to 3200.
    pub height: Option<i64>,
    /// What the frame loads.
    ///
    /// A `uri`.
    pub src: String,
    /// In pixels.
    ///
    /// 16 to 3200.
    pub width: Option<i64>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Embed {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            height: typed::optional(&mut fields, "height")?,
            src: typed::required(&mut fields, "src")?,
            width: typed::optional(&mut fields, "width")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "height", self.height);
        typed::put(&mut fields, "src", self.src);
        typed::put_optional(&mut fields, "width", self.width);
        Ipld::Map(fields)
    }
}
/// A short word beside the name.
#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    /// `text`
    pub text: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Label {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            text: typed::required(&mut fields, "text")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "text", self.text);
        Ipld::Map(fields)
    }
}
/// The output of `parts.page.mention.search`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `results`
    pub results: typed::List<Mention>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            results: typed::required(&mut fields, "results")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "results", self.results);
        Ipld::Map(fields)
    }
}
/// Something that can be mentioned.
#[derive(Clone, PartialEq, Debug)]
pub struct Mention {
    /// Whose it is, or how much there is of it.
    pub description: Option<String>,
    /// `embed`
    pub embed: Option<Embed>,
    /// Where a link to it leads.
    ///
    /// A `uri`.
    pub href: Option<String>,
    /// Where a picture of it is served.
    ///
    /// A `uri`.
    pub icon: Option<String>,
    /// What it is.
    pub labels: Option<typed::List<Label>>,
    /// What it is called.
    pub name: String,
    /// `subscope`
    pub subscope: Option<Subscope>,
    /// The address of its page.
    ///
    /// A `uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Mention {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            description: typed::optional(&mut fields, "description")?,
            embed: typed::optional(&mut fields, "embed")?,
            href: typed::optional(&mut fields, "href")?,
            icon: typed::optional(&mut fields, "icon")?,
            labels: typed::optional(&mut fields, "labels")?,
            name: typed::required(&mut fields, "name")?,
            subscope: typed::optional(&mut fields, "subscope")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "description", self.description);
        typed::put_optional(&mut fields, "embed", self.embed);
        typed::put_optional(&mut fields, "href", self.href);
        typed::put_optional(&mut fields, "icon", self.icon);
        typed::put_optional(&mut fields, "labels", self.labels);
        typed::put(&mut fields, "name", self.name);
        typed::put_optional(&mut fields, "subscope", self.subscope);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// Where more of the same is found.
#[derive(Clone, PartialEq, Debug)]
pub struct Subscope {
    /// What people call it.
    ///
    /// At most 100 bytes.
    pub label: String,
    /// The scope to ask with.
    ///
    /// Known values `tracks`, `artists`, `albums`, `playlists`, `tags`.
    pub scope: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Subscope {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            label: typed::required(&mut fields, "label")?,
            scope: typed::required(&mut fields, "scope")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "label", self.label);
        typed::put(&mut fields, "scope", self.scope);
        Ipld::Map(fields)
    }
}
