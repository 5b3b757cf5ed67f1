//! What edges connect.

use thiserror::Error;

use crate::action::{
    DatasetKind, DatasetRef, DisclosureDigest, ExecutionId, PrincipalId, Pseudonym, RequestId,
};
use crate::approval::At;
use crate::canonical::{Admission, Digest, Json, admit, write_string};
use crate::policy::PolicyRevision;

/// Something that lineage speaks of, within one log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// A request (a PROV entity).
    Request(RequestId),
    /// One run of an effect (a PROV activity).
    Execution(ExecutionId),
    /// A vote, by its record (a PROV entity).
    Vote(At),
    /// A human, as the log names them (a PROV agent).
    Person(Pseudonym),
    /// An agent or a service (a PROV agent).
    Agent(PrincipalId),
    /// A dataset (a PROV entity).
    Dataset(DatasetRef),
    /// A policy (a PROV plan).
    Policy(PolicyRevision),
    /// A dataset whose name is not at hand (a PROV entity).
    Unnamed(Unnamed),
}

/// A dataset without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unnamed {
    /// The name was erased from the record; each such mention is a dataset of its own.
    Erased(DisclosureDigest),
    /// A store keeps only a key of the name.
    Key([u8; 16]),
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// A request.
    Request,
    /// One run of an effect.
    Execution,
    /// A vote.
    Vote,
    /// A human.
    Person,
    /// An agent or a service.
    Agent,
    /// A dataset, named or not.
    Dataset,
    /// A policy.
    Policy,
}

impl NodeKind {
    const ALL: [(Self, u8); 7] = [
        (Self::Request, 1),
        (Self::Execution, 2),
        (Self::Vote, 3),
        (Self::Person, 4),
        (Self::Agent, 5),
        (Self::Dataset, 6),
        (Self::Policy, 7),
    ];

    /// The stable number of this kind for stores.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Execution => 2,
            Self::Vote => 3,
            Self::Person => 4,
            Self::Agent => 5,
            Self::Dataset => 6,
            Self::Policy => 7,
        }
    }

    /// The kind with that number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, known)| *known == code).map(|(kind, _)| kind)
    }
}

/// A text is the name of no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is not the text of a node")]
pub struct NotANode;

impl Node {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> NodeKind {
        match self {
            Self::Request(_) => NodeKind::Request,
            Self::Execution(_) => NodeKind::Execution,
            Self::Vote(_) => NodeKind::Vote,
            Self::Person(_) => NodeKind::Person,
            Self::Agent(_) => NodeKind::Agent,
            Self::Dataset(_) | Self::Unnamed(_) => NodeKind::Dataset,
            Self::Policy(_) => NodeKind::Policy,
        }
    }

    /// The one text of this node, a canonical JSON array: what a store derives its key from, and keeps where it may.
    ///
    /// A store must not keep the text of a dataset that [`sensitive_datasets`](super::sensitive_datasets) names, and must derive its
    /// key under a secret, so that erasing the name leaves nothing to guess it by.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Vec::with_capacity(96);
        let mut part = |part: &str| {
            text.push(if text.is_empty() { b'[' } else { b',' });
            write_string(&mut text, part);
        };
        match self {
            Self::Request(id) => {
                part("request");
                part(&id.to_string());
            }
            Self::Execution(id) => {
                part("execution");
                part(&id.to_string());
            }
            Self::Vote(at) => {
                part("vote");
                part(&at.to_string());
            }
            Self::Person(pseudonym) => {
                part("person");
                part(&pseudonym.to_string());
            }
            Self::Agent(id) => {
                part("agent");
                part(id.issuer());
                part(id.subject());
            }
            Self::Dataset(dataset) => {
                part("dataset");
                part(dataset.kind().as_str());
                part(dataset.namespace());
                part(dataset.name());
            }
            Self::Policy(revision) => {
                part("policy");
                part(revision.engine());
                part(&revision.digest().to_hex());
            }
            Self::Unnamed(Unnamed::Erased(digest)) => {
                part("erased");
                part(&digest.to_string());
            }
            Self::Unnamed(Unnamed::Key(key)) => {
                part("key");
                part(&u128::from_be_bytes(*key).to_string());
            }
        }
        text.push(b']');
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The node that [`Node::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// [`NotANode`] for any other text.
    pub fn parse_text(text: &str) -> Result<Self, NotANode> {
        let json = admit(text.as_bytes(), &Admission::default()).map_err(|_| NotANode)?;
        let parts = json.as_array().ok_or(NotANode)?;
        let parts: Option<Vec<&str>> = parts.iter().map(Json::as_str).collect();
        let node = Self::of_parts(&parts.ok_or(NotANode)?).ok_or(NotANode)?;
        if node.to_text() == text {
            Ok(node)
        } else {
            Err(NotANode)
        }
    }

    fn of_parts(parts: &[&str]) -> Option<Self> {
        Some(match *parts {
            ["request", id] => Self::Request(RequestId::parse(id).ok()?),
            ["execution", id] => Self::Execution(ExecutionId::parse(id).ok()?),
            ["vote", at] => Self::Vote(At(at.parse().ok()?)),
            ["person", pseudonym] => Self::Person(Pseudonym::parse(pseudonym).ok()?),
            ["agent", issuer, subject] => Self::Agent(PrincipalId::new(issuer, subject).ok()?),
            ["dataset", kind, namespace, name] => {
                Self::Dataset(DatasetRef::new(DatasetKind::parse(kind)?, namespace, name))
            }
            ["policy", engine, digest] => Self::Policy(PolicyRevision::from_parts(
                Digest::parse_hex(digest).ok()?,
                engine,
            )),
            ["erased", digest] => {
                Self::Unnamed(Unnamed::Erased(DisclosureDigest::parse(digest).ok()?))
            }
            ["key", key] => Self::Unnamed(Unnamed::Key(key.parse::<u128>().ok()?.to_be_bytes())),
            _ => return None,
        })
    }
}
