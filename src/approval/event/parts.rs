use std::fmt;

use crate::clock::Timestamp;
use crate::policy::{PolicyRevision, RuleId};

/// The number of a record in its log, opaque here: it orders records and names votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At(pub u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which policy decided, and by which of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The policy's text and engine.
    pub revision: PolicyRevision,
    /// The rules that decided, in the order in which the evaluator named them; empty where the default did.
    pub rules: Vec<RuleId>,
}

/// How a person was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The method, such as `oidc` or `asserted-demo`.
    pub method: String,
    /// The adapter through which the person came, such as `terminal`.
    pub adapter: String,
    /// When.
    pub at: Timestamp,
    /// How strongly, in the method's own words.
    pub assurance: Option<String>,
}
