//! Persons as the log knows them: random pseudonyms, one for each human and log.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::action::{ActorChain, PersonId, Principal, PrincipalKind, Pseudonym, SaltSource};
use crate::approval::{As, Interests};
use crate::audit::person_tag;
use crate::identity::{self, Directory, Freshness, InterestsFound, Part, Party};
use crate::store::{Query, Row, Tag};

use super::events::person_scope;
use super::{LedgerError, Shared, lock};

/// Pseudonyms that this process has looked up or made.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Mutex<HashMap<PersonId, Named>>,
    /// Pseudonyms of persons who were erased since this process opened the log.
    retired: Mutex<BTreeSet<Pseudonym>>,
}

/// A person's pseudonym, with the row that makes it last if no commit has carried that yet.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) pseudonym: Pseudonym,
    /// The same in every process, also before the first record that names the person.
    pub(crate) tag: Tag,
    stored: Stored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Yes,
    NotYet,
}

impl Named {
    /// The row to write with the first record that names the person.
    pub(crate) fn row(&self) -> Option<Row> {
        (self.stored == Stored::NotYet).then_some(Row::Pseudonym {
            tag: self.tag,
            pseudonym: self.pseudonym,
        })
    }
}

/// Who has an interest in an action, as the log will name them.
#[derive(Debug, Clone)]
pub(crate) struct Interested {
    pub(crate) interests: Interests,
    /// One for each human of the chain, in order.
    pub(crate) hops: Vec<Pseudonym>,
    pub(crate) rows: Vec<Row>,
}

impl Shared {
    /// [`StoreSecret::tag`](crate::store::StoreSecret::tag) under the store's secret, which stays here.
    pub(crate) fn tag(&self, domain: &str, bytes: &[u8]) -> Tag {
        self.secret.tag(domain, bytes)
    }

    /// The pseudonym of a person, made if there is none yet.
    pub(crate) async fn name(&self, person: &PersonId) -> Result<Named, LedgerError> {
        let retired = |named: &Named| lock(&self.names.retired).contains(&named.pseudonym);
        let known = lock(&self.names.known).get(person).cloned();
        if let Some(named) = known.filter(|named| !retired(named)) {
            return Ok(named);
        }
        let tag = person_tag(&self.secret, person);
        let scope = person_scope(&tag);
        let named_before = self.versions([scope.clone()]).await?;
        let found = self.store.find(Query::Pseudonym(tag)).await?.pseudonym()?;
        if found.is_none() && named_before.get(&scope).is_some_and(|version| *version > 0) {
            return Err(LedgerError::NameGone);
        }
        let named = match found {
            Some(pseudonym) => Named {
                pseudonym,
                tag,
                stored: Stored::Yes,
            },
            None => Named {
                pseudonym: Pseudonym::from_bytes(
                    *super::open::salts()
                        .salt()
                        .map_err(|_| LedgerError::NoEntropy)?
                        .as_bytes(),
                ),
                tag,
                stored: Stored::NotYet,
            },
        };
        // Two callers of one process agree on whoever came first.
        let mut known = lock(&self.names.known);
        let entry = known.entry(person.clone()).or_insert_with(|| named.clone());
        if retired(entry) {
            *entry = named;
        }
        Ok(entry.clone())
    }

    /// Takes note that these pseudonyms stand for nobody any more.
    pub(super) fn retire(&self, pseudonyms: &[Pseudonym]) {
        if !pseudonyms.is_empty() {
            lock(&self.names.retired).extend(pseudonyms);
        }
    }

    /// Whether one of the bodies names somebody by a pseudonym that is retired.
    pub(super) fn names_retired<'b, B: Iterator<Item = &'b [u8]>>(
        &self,
        more: &[Pseudonym],
        bodies: impl FnOnce() -> B,
    ) -> bool {
        let retired = lock(&self.names.retired);
        if retired.is_empty() && more.is_empty() {
            return false;
        }
        let texts: Vec<String> = retired
            .iter()
            .chain(more)
            .map(ToString::to_string)
            .collect();
        let named = |body: &[u8]| {
            let body = String::from_utf8_lossy(body);
            texts.iter().any(|text| body.contains(text.as_str()))
        };
        bodies().any(named)
    }

    /// After a commit that carried rows: the persons need no row any more.
    pub(crate) fn named(&self, rows: &[Row]) {
        let stored: BTreeSet<Tag> = rows
            .iter()
            .filter_map(|row| match row {
                Row::Pseudonym { tag, .. } => Some(*tag),
                _ => None,
            })
            .collect();
        if stored.is_empty() {
            return;
        }
        for named in lock(&self.names.known).values_mut() {
            if stored.contains(&named.tag) {
                named.stored = Stored::Yes;
            }
        }
    }

    /// Forgets what no commit has made last, after one that failed: another process may have named the person.
    pub(crate) fn unname(&self) {
        lock(&self.names.known).retain(|_, named| named.stored == Stored::Yes);
    }

    /// Asks the directory who has an interest in what this chain does.
    ///
    /// `Err(LedgerError::Directory)` if it does not answer; whom it does not know is recorded as unknown.
    pub(crate) async fn interested(
        &self,
        chain: &ActorChain,
        directory: &dyn Directory,
    ) -> Result<Interested, LedgerError> {
        let found = self
            .bounded(identity::interests(chain, directory, Freshness::Any))
            .await
            .map_err(|_| LedgerError::Directory)?
            .map_err(|_| LedgerError::Directory)?;
        self.pseudonymous(chain, &found).await
    }

    /// What can be said of a chain without a directory: its humans are who they are, controllers are unknown.
    pub(crate) async fn interested_unasked(
        &self,
        chain: &ActorChain,
    ) -> Result<Interested, LedgerError> {
        self.pseudonymous(chain, &InterestsFound::default()).await
    }

    async fn pseudonymous(
        &self,
        chain: &ActorChain,
        found: &InterestsFound,
    ) -> Result<Interested, LedgerError> {
        let mut rows = Vec::new();
        let mut hops = Vec::new();
        let mut interests = Interests::default();
        for (index, hop) in chain.hops().enumerate() {
            match hop.kind() {
                PrincipalKind::Agent | PrincipalKind::Service => {}
                PrincipalKind::Human => {
                    let person = found.hops().get(index).cloned().flatten();
                    // A human whom the directory does not know is still the same human in every record.
                    let person = person.unwrap_or_else(|| unlinked(hop));
                    let named = self.name(&person).await?;
                    rows.extend(named.row());
                    let tie = if index == 0 {
                        As::Requester
                    } else {
                        As::Delegator
                    };
                    interests = interests.with(tie, named.pseudonym);
                    hops.push(named.pseudonym);
                }
            }
        }
        for interest in found
            .iter()
            .filter(|interest| interest.part == Part::Controller)
        {
            match &interest.party {
                Party::Person(person) => {
                    let named = self.name(person).await?;
                    rows.extend(named.row());
                    interests = interests.with(As::Controller, named.pseudonym);
                }
                Party::Unknown => interests = interests.with_unknown_controllers(),
            }
        }
        if found.hops().is_empty() && chain.hops().any(is_automated) {
            interests = interests.with_unknown_controllers();
        }
        rows.dedup();
        Ok(Interested {
            interests,
            hops,
            rows,
        })
    }
}

fn unlinked(hop: &Principal) -> PersonId {
    PersonId::new(hop.id().clone())
}

fn is_automated(hop: &Principal) -> bool {
    match hop.kind() {
        PrincipalKind::Agent | PrincipalKind::Service => true,
        PrincipalKind::Human => false,
    }
}
