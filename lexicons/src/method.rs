//! The methods that the documents describe, as the server's table and the tests need them.

use std::sync::LazyLock;

use ipld_core::ipld::Ipld;
use serde_json::{Map, Value};

use crate::document::{Document, MethodBody, MethodRules, ObjectRules, Schema, catalog};
use crate::validate::{ParameterError, Walk, parse_parameters};
use crate::verdict::Reason;

/// How a method is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MethodKind {
    /// GET.
    Query,
    /// POST.
    Procedure,
    /// WebSocket.
    Subscription,
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its NSID.
    pub nsid: &'static str,
    /// How it is called.
    pub kind: MethodKind,
    document: &'static Document,
    rules: &'static MethodRules,
}

static NO_PARAMETERS: LazyLock<ObjectRules> = LazyLock::new(ObjectRules::default);

static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let described = catalog().documents().filter_map(|document| {
        let (kind, rules) = match document.defs.get("main")? {
            Schema::Query(rules) => (MethodKind::Query, rules),
            Schema::Procedure(rules) => (MethodKind::Procedure, rules),
            Schema::Subscription(rules) => (MethodKind::Subscription, rules),
            _ => return None,
        };
        Some(Method {
            nsid: &document.id,
            kind,
            document,
            rules,
        })
    });
    described.collect()
});

/// Every method, by NSID.
pub fn methods() -> &'static [Method] {
    &METHODS
}

/// One method.
pub fn method(nsid: &str) -> Option<&'static Method> {
    let place = METHODS
        .binary_search_by(|method| method.nsid.cmp(nsid))
        .ok()?;
    METHODS.get(place)
}

impl Method {
    /// The parameters of a query string, typed and with defaults.
    pub fn parse_parameters(&self, query: &str) -> Result<Map<String, Value>, ParameterError> {
        let rules = match self.rules.parameters.as_deref() {
            Some(Schema::Params(rules)) => rules,
            _ => &NO_PARAMETERS,
        };
        parse_parameters(self.document, rules, query)
    }

    /// What an answer breaks of the method's document; empty when nothing.
    pub fn check_output(&self, answer: &Ipld) -> Vec<Reason> {
        self.check(self.rules.output.as_deref(), answer)
    }

    /// What kind of body it takes (`application/json`); none where it takes none.
    pub fn input_encoding(&self) -> Option<&'static str> {
        self.rules.input.as_ref().map(|body| body.encoding.as_str())
    }

    /// What a body breaks of the method's document; empty when nothing.
    pub fn check_input(&self, input: &Ipld) -> Vec<Reason> {
        self.check(self.rules.input.as_deref(), input)
    }

    fn check(&self, body: Option<&MethodBody>, value: &Ipld) -> Vec<Reason> {
        let Some(schema) = body.and_then(|body| body.schema.as_ref()) else {
            return Vec::new();
        };
        let mut walk = Walk::new(catalog(), 16);
        walk.value(self.document, schema, value);
        walk.judgement().reasons
    }

    /// Names of the errors it declares.
    pub fn error_names(&self) -> impl Iterator<Item = &'static str> {
        self.rules.errors.iter().map(|error| error.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_typed_bounded_and_filled_in() {
        let latest = method("fm.plyr.feed.getLatest").unwrap();
        assert_eq!(latest.parse_parameters("").unwrap()["limit"], 50);
        assert_eq!(
            latest.parse_parameters("limit=7&other=x").unwrap()["limit"],
            7
        );
        for wrong in [
            "-1",
            "0",
            "101",
            "abc",
            "",
            "+5",
            "%205",
            "1e1",
            "7&limit=7",
        ] {
            let refused = latest
                .parse_parameters(&format!("limit={wrong}"))
                .unwrap_err();
            assert_eq!(refused.parameter, "limit", "{wrong}");
        }
    }

    #[test]
    fn arrays_repeat_and_required_ones_must_be_there() {
        let tracks = method("fm.plyr.feed.getTracks").unwrap();
        let query = "uris=at%3A%2F%2Falice.test%2Ffm.plyr.track%2Fa&uris=at://bob.test";
        assert_eq!(
            tracks.parse_parameters(query).unwrap()["uris"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert_eq!(tracks.parse_parameters("").unwrap_err().parameter, "uris");
        assert_eq!(
            tracks.parse_parameters("uris=nope").unwrap_err().parameter,
            "uris"
        );
        assert_eq!(
            tracks.parse_parameters("uris=%ff").unwrap_err().parameter,
            "uris"
        );
        let many = "uris=at://alice.test&".repeat(101);
        assert_eq!(
            tracks.parse_parameters(&many).unwrap_err().parameter,
            "uris"
        );
    }

    #[test]
    fn bodies_are_held_against_the_document() {
        let update = method("com.atproto.admin.updateSubjectStatus").unwrap();
        assert_eq!(update.kind, MethodKind::Procedure);
        assert_eq!(update.input_encoding(), Some("application/json"));
        let broken = |text: &str| {
            let input = crate::data::from_json(text.as_bytes()).unwrap();
            !update.check_input(&input).is_empty()
        };
        let account = r#""subject":{"$type":"com.atproto.admin.defs#repoRef","did":"did:plc:abc"}"#;
        assert!(!broken(&format!("{{{account}}}")));
        assert!(!broken(&format!(
            r#"{{{account},"takedown":{{"applied":true}}}}"#
        )));
        assert!(broken(&format!(r#"{{{account},"takedown":{{}}}}"#)));
        assert!(broken(
            r#"{"subject":{"$type":"com.atproto.admin.defs#repoRef"}}"#
        ));
        assert!(broken("{}") && broken("[]"));
    }

    #[test]
    fn answers_are_held_against_the_document() {
        let stats = method("fm.plyr.stats.getStats").unwrap();
        let answer = crate::data::from_json(br#"{"trackCount":"1"}"#).unwrap();
        assert!(!stats.check_output(&answer).is_empty());
    }
}
