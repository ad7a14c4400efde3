//! What a collection is given and what it gives back.

use crate::bindings::collector::exports::watchglass::plugin::collector as wit;
use crate::http::Body;
use crate::{Batch, Error};

/// What the host says about one collection.
pub type Context = wit::Context;

/// The target of a collection: an address and the parameters that discovery and relabelling left.
pub type Target = wit::Target;

impl Context {
    /// Gives the target's address, or the error to answer with where the collector was started without targets.
    pub fn address(&self) -> Result<&str, Error> {
        match &self.target {
            Some(t) => Ok(&t.address),
            None => Err(Error::BadConfig(
                "this plugin needs a target; hint: add `targets = [\"host:port\"]` to its [[collector]]".into(),
            )),
        }
    }

    /// Gives the target's parameter `name`, `__param_module` say.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.target.as_ref()?.params.iter().find(|p| p.0 == name).map(|p| p.1.as_str())
    }
}

/// The result of one collection: samples, what explains them, and a failure where the target is down.
#[derive(Debug, Default)]
pub struct Collection {
    payloads: Vec<wit::Payload>,
    evidence: Vec<wit::Evidence>,
    failure: Option<Error>,
}

impl From<Batch> for Collection {
    fn from(batch: Batch) -> Collection {
        Collection::default().with(batch)
    }
}

impl Collection {
    /// Makes an empty collection.
    pub fn new() -> Collection {
        Collection::default()
    }

    /// Adds a batch of samples.
    pub fn with(mut self, batch: Batch) -> Collection {
        self.payloads.extend(batch.into_payloads());
        self
    }

    /// Adds exposition bytes (text 0.0.4 / 1.0, OpenMetrics or protobuf, as `content_type` says); the host parses them.
    pub fn with_exposition(mut self, content_type: &str, bytes: Vec<u8>) -> Collection {
        let body = wit::ExpositionBody::Bytes(bytes);
        self.payloads.push(wit::Payload::Exposition(wit::Exposition { content_type: content_type.to_owned(), body }));
        self
    }

    /// Adds a response's body unread: it never leaves the host, which parses it.
    pub fn with_response(mut self, content_type: &str, body: Body) -> Collection {
        let body = wit::ExpositionBody::Response(body.into_raw());
        self.payloads.push(wit::Payload::Exposition(wit::Exposition { content_type: content_type.to_owned(), body }));
        self
    }

    /// Adds a short text that says why a sample is as it is (an HTTP error, an exit code): shown with the target and in its alerts,
    /// never a label. `about` are labels of the samples it explains; none: the target.
    pub fn evidence(mut self, about: &[(&str, &str)], text: impl Into<String>) -> Collection {
        let about = about.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        self.evidence.push(wit::Evidence { about, text: text.into() });
        self
    }

    /// Says that the target is down: `up` becomes 0, and the samples are kept all the same.
    pub fn down(mut self, failure: Error) -> Collection {
        self.failure = Some(failure);
        self
    }

    /// Gives the failure, for tests.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    pub(crate) fn into_wit(self) -> wit::Collection {
        wit::Collection { payloads: self.payloads, evidence: self.evidence, failure: self.failure }
    }
}
