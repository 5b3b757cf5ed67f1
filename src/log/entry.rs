use super::{keys::Role, kind::Kind};
use crate::action::{ActionDigest, Disclosure, RequestId};

/// What is to be recorded, prepared before its place in the log is known.
///
/// Everything here is settled outside of the log's lock; inside only number, predecessor, tree head and
/// time are added ([`write_statement`](super::write_statement)).
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// The request it belongs to.
    pub request: Option<RequestRef>,
    /// The canonical bytes (RFC 8785) of the body, which is an object. They are not read again.
    pub body: Vec<u8>,
    /// The hidden members, whose digests stand in the body.
    pub disclosures: Vec<Disclosure>,
    /// A key of which role signs.
    pub role: Role,
    /// Whether the gate guards anything.
    pub enforced: Enforcement,
    /// What a reader must understand besides this format; ascending, each once.
    pub crit: Vec<String>,
}

/// A request as its records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRef {
    /// Its id.
    pub id: RequestId,
    /// The digest of its action.
    pub digest: ActionDigest,
}

/// Whether a record is about something that was guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// It was.
    Enforced,
    /// It was a test: the log's origin starts with `testing/`.
    Testing,
}

impl Enforcement {
    /// What the member `enforced` says.
    pub(super) const fn from_bool(enforced: bool) -> Self {
        if enforced {
            Self::Enforced
        } else {
            Self::Testing
        }
    }
}
