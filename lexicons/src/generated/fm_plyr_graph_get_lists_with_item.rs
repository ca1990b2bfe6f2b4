//! fm.plyr.graph.getListsWithItem
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.graph.getListsWithItem`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// `lists`
    pub lists: typed::List<super::fm_plyr_graph_defs::ListView>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            lists: typed::required(&mut fields, "lists")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "lists", self.lists);
        Ipld::Map(fields)
    }
}
