//! What policy answers.

use std::sync::Arc;

use crate::canonical::{Digest, Object};

use super::names::RuleId;
use super::requirement::Requirement;

/// What may become of an action.
///
/// There is no conversion to `bool` on purpose: three of the four values are not a permission.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Allow,
    /// It may not.
    Deny,
    /// It may run once people have approved it.
    RequireApproval(Requirement),
    /// The evaluator has nothing to say; if nobody has, that is a denial.
    NotApplicable,
}

/// A verdict and how it came about.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The answer.
    pub verdict: Verdict,
    /// The rules that gave it, ascending; empty where the default did.
    pub decided_by: Vec<RuleId>,
    /// What else the host must do; a gate that does not know an obligation refuses.
    pub obligations: Vec<Obligation>,
    /// The policy that answered.
    pub revision: PolicyRevision,
    /// The rules' own words, for people and never for a model.
    pub reason: Option<String>,
}

/// Something that must happen along with an allowed action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// What must be done, in the words of the engine.
    pub name: String,
    /// With which values.
    pub with: Object,
}

impl Obligation {
    /// The name of [`Obligation::witnessed`].
    pub const WITNESSED: &str = "witnessed";

    /// That the effect starts only once a quorum of the log's witnesses has cosigned a tree that holds the decision
    /// ([`Witnessing::BeforeStart`](super::Witnessing::BeforeStart)): the one obligation that the gate knows. It has no values.
    #[must_use]
    pub fn witnessed() -> Self {
        Self {
            name: Self::WITNESSED.to_owned(),
            with: Object::new(),
        }
    }
}

/// Which policy, exactly.
///
/// The digest covers the policy's text and the engine's name and version. It is unsalted: the text is the operator's own
/// and hides nobody's data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyRevision {
    digest: Digest,
    engine: Arc<str>,
}

impl PolicyRevision {
    /// The revision of `text` as read by `engine` (its name and version, such as `countersign-rules/1`).
    pub fn of(engine: &str, text: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(engine.len() + 1 + text.len());
        bytes.extend_from_slice(engine.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(text);
        Self {
            digest: Digest::of("countersign/policy/v1", &bytes),
            engine: Arc::from(engine),
        }
    }

    /// The revision that a record names.
    pub fn from_parts(digest: Digest, engine: &str) -> Self {
        Self {
            digest,
            engine: Arc::from(engine),
        }
    }

    /// The digest that names the policy in records.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The engine's name and version.
    pub fn engine(&self) -> &str {
        &self.engine
    }
}
