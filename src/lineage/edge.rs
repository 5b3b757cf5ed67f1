//! How nodes relate.

use crate::approval::At;
use crate::clock::Timestamp;

use super::node::Node;

/// A relation of W3C PROV (PROV-DM), read from the first node to the second, or our own where PROV has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// `prov:used`: an execution read a dataset.
    Used,
    /// `prov:wasGeneratedBy`: a dataset was written by an execution.
    WasGeneratedBy,
    /// `prov:wasDerivedFrom`: a dataset was made from another, as the effect said.
    WasDerivedFrom,
    /// `prov:wasAssociatedWith`: an execution was carried out by an agent, a service or a person.
    WasAssociatedWith,
    /// `prov:actedOnBehalfOf`: one principal of an actor chain acted for the next.
    ActedOnBehalfOf,
    /// `prov:wasInformedBy`: an execution ran what a request asked for.
    WasInformedBy,
    /// `prov:wasAttributedTo`: a vote is a person's; a request is everybody's in its actor chain.
    WasAttributedTo,
    /// Our own: a vote was counted when the request was started.
    Authorised,
    /// `prov:hadPlan`: a request was decided by a policy.
    HadPlan,
}

impl Relation {
    const ALL: [Self; 9] = [
        Self::Used,
        Self::WasGeneratedBy,
        Self::WasDerivedFrom,
        Self::WasAssociatedWith,
        Self::ActedOnBehalfOf,
        Self::WasInformedBy,
        Self::WasAttributedTo,
        Self::Authorised,
        Self::HadPlan,
    ];

    /// The term, in PROV's own spelling.
    #[must_use]
    pub const fn term(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::WasGeneratedBy => "wasGeneratedBy",
            Self::WasDerivedFrom => "wasDerivedFrom",
            Self::WasAssociatedWith => "wasAssociatedWith",
            Self::ActedOnBehalfOf => "actedOnBehalfOf",
            Self::WasInformedBy => "wasInformedBy",
            Self::WasAttributedTo => "wasAttributedTo",
            Self::Authorised => "authorised",
            Self::HadPlan => "hadPlan",
        }
    }

    /// The stable number of this relation for stores.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Used => 1,
            Self::WasGeneratedBy => 2,
            Self::WasDerivedFrom => 3,
            Self::WasAssociatedWith => 4,
            Self::ActedOnBehalfOf => 5,
            Self::WasInformedBy => 6,
            Self::WasAttributedTo => 7,
            Self::Authorised => 8,
            Self::HadPlan => 9,
        }
    }

    /// The relation with that number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|relation| relation.code() == code)
    }
}

/// Two nodes, how they relate, and the record that says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The subject of the relation.
    pub from: Node,
    /// How they relate.
    pub relation: Relation,
    /// Its object.
    pub to: Node,
    /// The record that says so.
    pub seq: At,
    /// Its time.
    pub ts: Timestamp,
}
