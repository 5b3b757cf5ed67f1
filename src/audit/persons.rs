//! Who stands behind a pseudonym, by the records that say so and by the store's rows.

use std::collections::BTreeMap;

use crate::action::{PersonId, Pseudonym};
use crate::approval::{At, Event, Hidden, Recorded};
use crate::store::{StoreSecret, Tag};

/// The tag of a person in a store, so that a row names nobody to whoever lacks the store's secret ([`StoreSecret::tag`]).
#[must_use]
pub fn person_tag(secret: &StoreSecret, person: &PersonId) -> Tag {
    let id = person.as_principal();
    let mut bytes = (id.issuer().len() as u64).to_be_bytes().to_vec();
    bytes.extend_from_slice(id.issuer().as_bytes());
    bytes.extend_from_slice(id.subject().as_bytes());
    secret.tag("countersign/person/v1", &bytes)
}

/// The persons that records name both ways: by the pseudonym, and by the directory's id that lies beside the record.
#[derive(Debug)]
pub(super) struct Persons {
    secret: StoreSecret,
    told: BTreeMap<(Tag, Pseudonym), At>,
}

impl Persons {
    pub(super) const fn new(secret: StoreSecret) -> Self {
        Self {
            secret,
            told: BTreeMap::new(),
        }
    }

    /// Takes note of whom a record names.
    pub(super) fn expect(&mut self, recorded: &Recorded) {
        if let Some((pseudonym, Hidden::Known(id))) = reviewer(&recorded.event) {
            let tag = person_tag(&self.secret, id);
            self.told.entry((tag, pseudonym)).or_insert(recorded.seq);
        }
    }

    /// What the rows must say, each with the first record that says it.
    pub(super) fn told(&self) -> impl Iterator<Item = (Tag, Pseudonym, At)> {
        self.told
            .iter()
            .map(|((tag, pseudonym), seq)| (*tag, *pseudonym, *seq))
    }
}

/// Who did it at a desk.
pub(super) fn reviewer(event: &Event) -> Option<(Pseudonym, &Hidden<PersonId>)> {
    match event {
        Event::Voted(voted) => Some((voted.person, &voted.id)),
        Event::Cancelled(cancelled) => Some((cancelled.person, &cancelled.id)),
        Event::Revoked(revoked) => Some((revoked.person, &revoked.id)),
        Event::Reconciled(reconciled) => Some((reconciled.person, &reconciled.id)),
        // A chain names its humans as the host did; whom the directory took them for is not said.
        Event::Requested(_)
        | Event::Started(_)
        | Event::Finished(_)
        | Event::PolicyAdopted(_)
        | Event::Reassessed(_)
        | Event::LeaseRenewed(_)
        | Event::Lost(_)
        | Event::Withdrawn(_)
        | Event::Superseded(_)
        | Event::Expired(_)
        | Event::Clock(_)
        | Event::ClockAcknowledged(_)
        | Event::Erased(_)
        | Event::Recovered(_) => None,
    }
}
