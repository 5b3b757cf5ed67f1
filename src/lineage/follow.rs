//! What is asked of the graph, and which edges each question follows.

use super::edge::Relation;
use super::node::{Node, NodeKind};

/// A question about one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What a dataset, or what an execution wrote, may have come from.
    Upstream(Node),
    /// What a dataset, or what an execution read, may have gone into.
    Downstream(Node),
    /// Who authorised the making of a dataset, an execution, or a request: people, policies, and for whom it was asked.
    Authorisation(Node),
    /// Both: everything upstream, and who authorised each step.
    Provenance(Node),
}

/// From which end edges are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Edges that leave the node.
    From,
    /// Edges that end at it.
    To,
}

type Follow = &'static [(Direction, &'static [Relation])];

use Direction::{From, To};
use Relation::{
    Authorised, HadPlan, Used, WasAssociatedWith, WasAttributedTo, WasDerivedFrom, WasGeneratedBy,
    WasInformedBy,
};

impl Question {
    /// The node that it is about.
    #[must_use]
    pub const fn about(&self) -> &Node {
        match self {
            Self::Upstream(node)
            | Self::Downstream(node)
            | Self::Authorisation(node)
            | Self::Provenance(node) => node,
        }
    }

    /// The edges that it follows at a node. Each edge is followed from one end only, so none comes up twice.
    pub(super) const fn follows(&self, kind: NodeKind) -> Follow {
        match (self, kind) {
            (Self::Upstream(_), NodeKind::Dataset) => &[(From, &[WasGeneratedBy, WasDerivedFrom])],
            (Self::Upstream(_), NodeKind::Execution) => &[(From, &[Used])],
            (Self::Downstream(_), NodeKind::Dataset) => &[(To, &[Used, WasDerivedFrom])],
            (Self::Downstream(_), NodeKind::Execution) => &[(To, &[WasGeneratedBy])],
            (Self::Upstream(_) | Self::Downstream(_), _) => &[],

            (Self::Authorisation(_), NodeKind::Dataset) => &[(From, &[WasGeneratedBy])],
            (Self::Provenance(_), NodeKind::Dataset) => {
                &[(From, &[WasGeneratedBy, WasDerivedFrom])]
            }
            (Self::Authorisation(_), NodeKind::Execution) => {
                &[(From, &[WasInformedBy, WasAssociatedWith])]
            }
            (Self::Provenance(_), NodeKind::Execution) => {
                &[(From, &[Used, WasInformedBy, WasAssociatedWith])]
            }
            (Self::Authorisation(_) | Self::Provenance(_), NodeKind::Request) => {
                &[(From, &[WasAttributedTo, HadPlan]), (To, &[Authorised])]
            }
            (Self::Authorisation(_) | Self::Provenance(_), NodeKind::Vote) => {
                &[(From, &[WasAttributedTo])]
            }
            // Whom an agent acts for differs from request to request; each request says so itself.
            (
                Self::Authorisation(_) | Self::Provenance(_),
                NodeKind::Agent | NodeKind::Person | NodeKind::Policy,
            ) => &[],
        }
    }
}
