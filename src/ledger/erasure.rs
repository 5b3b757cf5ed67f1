//! Erasing hidden values, together with the record that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::action::{DisclosureDigest, PersonId, PrincipalId, Pseudonym, RequestId, SaltSource};
use crate::approval::{Erased, Event, Hidden, LegalBasis, Whose};
use crate::audit::person_tag;
use crate::canonical::Json;
use crate::clock::Timestamp;
use crate::log::{
    Kind, KnownOr, OpenedMember, Role, Seq, Statement, StoredRecord, hidden_in, open_members,
};
use crate::store::{Chore, Query, Row, Tended};
use crate::values::{Erasing, Pending};

use super::open::salts;
use super::{Drafts, LedgerError, Shared};

/// How many digests one record names, so that it keeps within the usual limit of a statement.
const A_RECORD: usize = 256;
/// How many records are read in one go.
const PAGE: NonZeroU32 = match NonZeroU32::new(512) {
    Some(page) => page,
    None => NonZeroU32::MIN,
};
/// How often it is tried again because the log went on meanwhile.
const ROUNDS: usize = 8;
/// What stands in every record that files a request.
const FILES: &str = r#""kind":"requested""#;
/// Where such a record says whom its action's values are about.
const SUBJECTS: &str = "/bound/context/data_subjects";
/// A vote's salt says nothing about anybody, and without it nobody could show what the reviewer was shown.
const SHOWN_SALT: &str = "shown_salt";

/// What is to be erased; requests that it concerns must be over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Erase {
    /// Hidden members of one record, by their JSON pointers (RFC 6901) in its body: `/bound/parameters/to`.
    Values {
        /// The record.
        record: Seq,
        /// The members; each must be there.
        members: Vec<String>,
    },
    /// All hidden values of a request and of what was decided about it.
    Request(RequestId),
    /// Who a person is, wherever records say it, and what the person wrote at a desk. From then on the log calls the person
    /// otherwise, so that what comes later is not tied to what was.
    Person(PersonId),
    /// All that was hidden about somebody in requests whose actions say whom they are about
    /// ([`ActionBuilder::about`](crate::action::ActionBuilder::about)), and in what was decided about them; who decided stays known.
    Subject(PrincipalId),
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The records that say so.
    pub records: Vec<Seq>,
    /// How many values are gone.
    pub values: usize,
    /// Whether no byte of them is left in the store's files. If not, somebody reads an older state of it: erase nothing once more, with
    /// [`Operator::scrub`](crate::host::Operator::scrub).
    pub scrubbed: bool,
}

/// What was found to erase.
#[derive(Default)]
struct Found {
    values: Vec<(Seq, DisclosureDigest)>,
    /// All that the records hide that were looked at.
    hidden: BTreeMap<Seq, Vec<DisclosureDigest>>,
    requests: BTreeSet<RequestId>,
    /// Up to where the log was read, where all of it must have been.
    read: Option<u64>,
    renamed: Option<(Pseudonym, Row)>,
}

/// The requests about somebody, as far as the log was read.
#[derive(Default)]
struct About {
    requests: BTreeSet<RequestId>,
    read: u64,
}

impl Shared {
    /// Erases and records it, in one commit.
    pub(crate) async fn erase(
        self: &Arc<Self>,
        what: &Erase,
        basis: &LegalBasis,
        reason: &str,
    ) -> Result<Erasure, LedgerError> {
        let mut about = About::default();
        for _ in 0..ROUNDS {
            let turn = self.values.erasing()?;
            if let Some(turn) = &turn {
                self.settle(turn).await?;
            }
            let found = self.find_erasable(what, &mut about).await?;
            match self.write_erasure(found, turn, basis, reason).await {
                Err(LedgerError::Moved) => {}
                written => return written,
            }
        }
        Err(LedgerError::Illegal(
            "the log went on each time before the erasure was written: try again when less is going on".to_owned(),
        ))
    }

    /// Makes sure that nothing of what was erased is left in the store's files.
    pub(crate) async fn scrub(&self) -> Result<bool, LedgerError> {
        Ok(matches!(self.store.tend(Chore::Scrub).await?, Tended::Done))
    }

    /// Ends an erasure that was cut short: its keys are destroyed if its record is there, and stay if it is not.
    ///
    /// While somebody erases, that is his to do.
    pub(super) async fn finish_erasure(&self) -> Result<(), LedgerError> {
        match self.values.unfinished()? {
            Some(turn) => self.settle(&turn).await,
            None => Ok(()),
        }
    }

    async fn settle(&self, turn: &Erasing) -> Result<(), LedgerError> {
        let Some(Pending { since, digest }) = turn.pending()? else {
            return Ok(());
        };
        let digest = digest.to_string();
        let size = self.store.head().await?.map_or(0, |head| head.size);
        let mut next = since;
        while next < size {
            let page = self.store.read(Seq::new(next), PAGE).await?;
            let last = page.last().ok_or(LedgerError::Rollback)?;
            next = last.seq.next().get();
            for row in page.iter().filter(|row| row.seq.get() < size) {
                // Each is verified: a record that somebody spoils for a moment must not make the erasure one that never was.
                if says_erased(self.verify_news(row).await?.statement(), &digest) {
                    tracing::info!(seq = %row.seq, "an erasure that was cut short is finished");
                    return Ok(turn.finish()?);
                }
            }
        }
        Ok(turn.abandon()?)
    }

    async fn write_erasure(
        self: &Arc<Self>,
        found: Found,
        turn: Option<Erasing>,
        basis: &LegalBasis,
        reason: &str,
    ) -> Result<Erasure, LedgerError> {
        let Found {
            values,
            hidden,
            requests,
            read,
            renamed,
        } = found;
        for request in requests {
            let folded = self.request(request).await?;
            let over = folded.is_some_and(|one| one.state.status(Timestamp::EPOCH).is_over());
            if !over {
                return Err(LedgerError::Illegal(format!(
                    "request {request} is not over: close it first, since its values are still needed"
                )));
            }
        }
        if values.is_empty() {
            return Err(LedgerError::Illegal(
                "there is nothing left to erase".to_owned(),
            ));
        }
        let whose = renamed
            .as_ref()
            .map_or(Whose::Values, |(person, _)| Whose::Person(*person));
        let mut digests: Vec<DisclosureDigest> = values.iter().map(|(_, digest)| *digest).collect();
        digests.sort_by_cached_key(ToString::to_string);
        let mut drafts: Option<Drafts> = None;
        for part in digests.chunks(A_RECORD) {
            let event = Event::Erased(Box::new(Erased {
                basis: basis.clone(),
                whose,
                digests: part.to_vec(),
                reason: Hidden::Known(reason.to_owned()),
            }));
            match &mut drafts {
                None => drafts = Some(Drafts::log(self, Role::Operator, event)?),
                Some(drafts) => drafts.push(Role::Operator, event)?,
            }
        }
        let mut drafts = drafts.ok_or(LedgerError::Panicked)?;
        let many = values.len();
        if let (Some(turn), Some(digest)) = (&turn, digests.first()) {
            let mut gone: BTreeMap<Seq, Vec<DisclosureDigest>> = BTreeMap::new();
            for (seq, digest) in &values {
                gone.entry(*seq).or_default().push(*digest);
            }
            let of = |seq: &Seq| hidden.get(seq).map_or(&[][..], Vec::as_slice);
            let since = self.known_size();
            turn.prepare(
                gone.iter()
                    .map(|(seq, gone)| (*seq, gone.as_slice(), of(seq))),
                Pending {
                    since,
                    digest: *digest,
                },
            )?;
        }
        let gone = values
            .into_iter()
            .map(|(seq, digest)| Row::Erased { seq, digest });
        drafts.rows(gone.chain(renamed.map(|(_, row)| row)));
        if let Some(size) = read {
            drafts.at_size(size);
        }
        // The keys go when the record is there, whether or not anybody still waits.
        let finish = move |_| turn.map_or(Ok(()), |turn| turn.finish());
        let written = match drafts.append_then(finish).await {
            Ok((written, finished)) => {
                finished?;
                written
            }
            Err(error) => {
                self.finish_erasure().await?;
                return Err(error);
            }
        };
        Ok(Erasure {
            records: written.all().map(Seq::new).collect(),
            values: many,
            scrubbed: self.scrub().await?,
        })
    }

    async fn find_erasable(&self, what: &Erase, about: &mut About) -> Result<Found, LedgerError> {
        match what {
            Erase::Values { record, members } => self.find_values(*record, members).await,
            Erase::Request(request) => {
                let mut found = Found::default();
                for row in self.store.find(Query::Request(*request)).await?.records()? {
                    self.look(&mut found, &row, &|_, _| true).await?;
                }
                Ok(found)
            }
            Erase::Person(person) => self.find_person(person).await,
            Erase::Subject(subject) => self.find_subject(subject, about).await,
        }
    }

    async fn find_values(&self, seq: Seq, members: &[String]) -> Result<Found, LedgerError> {
        let rows = self.store.read(seq, NonZeroU32::MIN).await?;
        let row = rows.into_iter().find(|row| row.seq == seq);
        let row = row.ok_or_else(|| LedgerError::Illegal(format!("there is no record {seq}")))?;
        let mut found = Found::default();
        let named = |member: &OpenedMember, _: &Statement| members.contains(&member.pointer());
        self.look(&mut found, &row, &named).await?;
        if found.values.len() == members.iter().collect::<BTreeSet<_>>().len() {
            Ok(found)
        } else {
            Err(LedgerError::Illegal(format!(
                "record {seq} has not all of these hidden members, or they were erased already"
            )))
        }
    }

    async fn find_subject(
        &self,
        subject: &PrincipalId,
        about: &mut About,
    ) -> Result<Found, LedgerError> {
        let subject = subject.to_json();
        let named = |member: &OpenedMember, _: &Statement| {
            let subjects = member.value().as_array();
            member.pointer() == SUBJECTS && subjects.is_some_and(|all| all.contains(&subject))
        };
        let head = self.store.head().await?.ok_or(LedgerError::Rollback)?;
        while about.read < head.size {
            let page = self.store.read(Seq::new(about.read), PAGE).await?;
            let last = page.last().ok_or(LedgerError::Rollback)?;
            about.read = last.seq.next().get().min(head.size);
            for row in page.iter().filter(|row| row.seq.get() < head.size) {
                if std::str::from_utf8(&row.statement).is_ok_and(|it| it.contains(FILES)) {
                    let mut filed = Found::default();
                    self.look(&mut filed, row, &named).await?;
                    if !filed.values.is_empty() {
                        about.requests.extend(filed.requests);
                    }
                }
            }
        }
        let mut found = Found {
            read: Some(head.size),
            ..Found::default()
        };
        let theirs = |member: &OpenedMember, statement: &Statement| !says_who(member, statement);
        for request in &about.requests {
            for row in self.store.find(Query::Request(*request)).await?.records()? {
                self.look(&mut found, &row, &theirs).await?;
            }
        }
        Ok(found)
    }

    async fn find_person(&self, person: &PersonId) -> Result<Found, LedgerError> {
        let tag = person_tag(&self.secret, person);
        let known = self.store.find(Query::Pseudonym(tag)).await?.pseudonym()?;
        let pseudonym =
            known.ok_or_else(|| LedgerError::Illegal("no record names this person".to_owned()))?;
        let fresh = salts().salt().map_err(|_| LedgerError::NoEntropy)?;
        let fresh = Pseudonym::from_bytes(*fresh.as_bytes());
        let text = pseudonym.to_string();
        let mut found = Found {
            renamed: Some((
                pseudonym,
                Row::Renamed {
                    tag,
                    pseudonym: fresh,
                },
            )),
            ..Found::default()
        };
        let theirs = |member: &OpenedMember, statement: &Statement| is_of(member, statement, &text);
        let head = self.store.head().await?.ok_or(LedgerError::Rollback)?;
        let mut next = 0;
        while next < head.size {
            let page = self.store.read(Seq::new(next), PAGE).await?;
            let Some(last) = page.last() else {
                return Err(LedgerError::Rollback);
            };
            next = last.seq.next().get();
            for row in page.iter().filter(|row| row.seq.get() < head.size) {
                let names = std::str::from_utf8(&row.statement).is_ok_and(|it| it.contains(&text));
                if names {
                    self.look(&mut found, row, &theirs).await?;
                }
            }
        }
        found.read = Some(head.size);
        Ok(found)
    }

    /// Takes the hidden members of a record that are still there and that `wanted` asks for.
    async fn look(
        &self,
        found: &mut Found,
        row: &StoredRecord,
        wanted: &(dyn Fn(&OpenedMember, &Statement) -> bool + Sync),
    ) -> Result<(), LedgerError> {
        let record = self.verify_news(row).await?;
        let beside = self.store.find(Query::Disclosures(vec![row.seq])).await?;
        let beside = beside.disclosures()?;
        let beside = self.opened(beside)?;
        let statement = record.statement();
        // By what is signed: a row that somebody hides for a moment does not lose its key.
        found.hidden.insert(row.seq, hidden_in(&statement.body));
        let members = open_members(statement, &beside).map_err(|error| LedgerError::Tampered {
            seq: row.seq.get(),
            why: error.to_string(),
        })?;
        found.requests.extend(statement.request);
        let members = members
            .into_iter()
            .filter(|(_, member)| wanted(member, statement))
            .map(|(digest, _)| (row.seq, digest));
        found.values.extend(members);
        Ok(())
    }
}

fn says_erased(statement: &Statement, digest: &str) -> bool {
    let digests = statement.body.get("digests").and_then(Json::as_array);
    statement.kind == KnownOr::Known(Kind::Erased)
        && digests.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(digest)))
}

/// Whether a hidden member says who stands behind a pseudonym.
fn says_who(member: &OpenedMember, statement: &Statement) -> bool {
    let body = Json::from(statement.body.clone());
    let object = at(&body, member.object()).and_then(Json::as_object);
    member.name() == "id" && object.is_some_and(|object| object.contains("person"))
}

/// Whether a hidden member says who the person is, or is what the person wrote.
fn is_of(member: &OpenedMember, statement: &Statement, person: &str) -> bool {
    let Some(object) = at(&Json::from(statement.body.clone()), member.object()).cloned() else {
        return false;
    };
    let named = object
        .as_object()
        .and_then(|object| object.get("person")?.as_str());
    named == Some(person) && member.name() != SHOWN_SALT
}

/// What a JSON pointer points to.
fn at<'j>(json: &'j Json, pointer: &str) -> Option<&'j Json> {
    let mut here = json;
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        here = match here {
            Json::Object(object) => object.get(&name)?,
            Json::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(here)
}
