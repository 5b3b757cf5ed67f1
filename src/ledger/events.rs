//! Events on their way into one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::RequestId;
use crate::approval::{At, Event, Recorded, RequestState, Whose};
use crate::journal::{self, Scope, Writer};
use crate::log::{Entry, RequestRef, Role};
use crate::store::{ChannelKey, Row, ScopeKey, Tag};

use super::open::salts;
use super::sequencer::{Admission, Appended, LastWords, Moment, Plan, Written};
use super::sketch::{Sketch, Subject};
use super::{Folded, LedgerError, Shared};

/// What a statement has around its body, at most, in bytes.
const ENVELOPE: usize = 1024;

/// Events of one request, or of the log itself, prepared outside the lock and judged again inside it.
#[derive(Clone)]
pub(crate) struct Drafts {
    shared: Arc<Shared>,
    request: Option<RequestRef>,
    before: Option<RequestState>,
    /// The numbers of the records that `before` was folded from.
    records: Vec<u64>,
    /// Up to which record of the log those are all of the request's, if that was looked at.
    complete: Option<u64>,
    drafts: Vec<Draft>,
    expected: BTreeMap<ScopeKey, u64>,
    moves: Vec<ScopeKey>,
    rows: Vec<Row>,
    channels: Vec<ChannelKey>,
    /// What the request is about, once that is known.
    subject: Option<Subject>,
    admission: Admission,
    /// How long the log must be when they are written.
    at_size: Option<u64>,
}

#[derive(Clone)]
struct Draft {
    event: Event,
    entry: Entry,
    sketch: Sketch,
}

impl Drafts {
    /// For a request that begins with these events.
    pub(crate) fn begin(shared: &Arc<Shared>, request: RequestRef) -> Self {
        let mut drafts = Self::empty(shared);
        drafts.request = Some(request);
        drafts
    }

    /// For a request that goes on; its records must still be those that were folded.
    pub(crate) fn resume(shared: &Arc<Shared>, folded: Folded) -> Self {
        let Folded {
            state,
            scope,
            version,
            records,
        } = folded;
        let mut drafts = Self::empty(shared);
        drafts.request = Some(RequestRef {
            id: state.request(),
            digest: state.digest(),
        });
        drafts.subject = Some(shared.subject(state.bound().clone()));
        drafts.before = Some(state);
        drafts.records = records;
        drafts.expected.insert(scope, version);
        drafts
    }

    /// For an event of the log itself.
    pub(crate) fn log(shared: &Arc<Shared>, role: Role, event: Event) -> Result<Self, LedgerError> {
        let mut drafts = Self::empty(shared);
        drafts.push(role, event)?;
        Ok(drafts)
    }

    /// The state that the drafted events would begin, for judging before they are written.
    pub(crate) fn provisional(&self) -> Result<RequestState, LedgerError> {
        let mut state = None;
        for (seq, draft) in (1..).zip(&self.drafts) {
            let Draft {
                event,
                entry,
                sketch: _,
            } = draft;
            let Some(request) = entry.request else {
                continue;
            };
            let recorded = Recorded {
                seq: At(seq),
                ts: self.shared.now(),
                request: Some(request.id),
                action: Some(request.digest),
                event: event.clone(),
            };
            state = Some(
                RequestState::begin(&recorded)
                    .map_err(|illegal| LedgerError::Illegal(illegal.to_string()))?,
            );
        }
        state.ok_or_else(|| LedgerError::Illegal("no request was drafted".to_owned()))
    }

    fn empty(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            request: None,
            before: None,
            records: Vec::new(),
            complete: None,
            drafts: Vec::new(),
            expected: BTreeMap::new(),
            moves: Vec::new(),
            rows: Vec::new(),
            channels: Vec::new(),
            subject: None,
            admission: Admission::Ordinary,
            at_size: None,
        }
    }

    /// Has them written also while the library closes.
    pub(crate) fn as_last_words(&mut self, _right: &LastWords) {
        self.admission = Admission::LastWords;
    }

    /// Says up to which record of the log the folded records are all of the request's; a start needs that.
    pub(crate) fn complete_up_to(&mut self, size: u64) {
        self.complete = Some(size);
    }

    /// Demands that nothing is written to the log before them from this size on.
    pub(crate) fn at_size(&mut self, size: u64) {
        self.at_size = Some(size);
    }

    /// Adds an event, encoded and salted here and now.
    pub(crate) fn push(&mut self, role: Role, event: Event) -> Result<(), LedgerError> {
        if !self.shared.can_sign(role) {
            return Err(LedgerError::NoSuchRole(role));
        }
        let of_request = self.request.filter(|_| !event.is_of_the_log());
        let writer = match role {
            Role::Desk => Writer::desk(self.shared.enforcement),
            Role::Gate | Role::Operator | Role::Checkpoint => Writer::gate(self.shared.enforcement),
        };
        let entry = journal::encode(&event, of_request, writer, &mut salts())
            .map_err(|error| LedgerError::TooLarge(error.to_string()))?;
        let (bytes, limit) = (entry.body.len() + ENVELOPE, self.shared.limits.statement);
        if bytes > limit {
            return Err(LedgerError::TooLarge(format!(
                "its record would take {bytes} bytes and the limit is {limit}: use fewer or shorter names, labels and datasets"
            )));
        }
        if let Event::Requested(requested) = &event {
            self.subject = Some(self.shared.subject(requested.bound.clone()));
        }
        let subject = self.subject.as_ref();
        let subject = subject.filter(|_| entry.request.is_some());
        let sketch = self.shared.sketch(&event, subject);
        self.drafts.push(Draft {
            event,
            entry,
            sketch,
        });
        Ok(())
    }

    /// Demands that a scope has not moved since it was read.
    pub(crate) fn expect(&mut self, scope: ScopeKey, version: u64) {
        self.expected.insert(scope, version);
    }

    /// Moves a scope that no event moves by itself.
    pub(crate) fn moving(&mut self, scope: ScopeKey) {
        self.moves.push(scope);
    }

    /// Adds rows of projections that no event implies.
    ///
    /// A row that names a person is written by one process alone: whoever is second hears that something moved, and reads the name.
    pub(crate) fn rows(&mut self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            if let Row::Pseudonym { tag, .. } = &row {
                let scope = person_scope(tag);
                if self.expected.insert(scope.clone(), 0).is_some() {
                    continue;
                }
                self.moves.push(scope);
            }
            self.rows.push(row);
        }
    }

    /// Names the channels that have been told of the request and shall hear how it goes on.
    pub(crate) fn telling(&mut self, channels: Vec<ChannelKey>) {
        self.channels = channels;
    }

    pub(crate) fn scopes(&self) -> BTreeSet<ScopeKey> {
        self.expected.keys().chain(&self.moves).cloned().collect()
    }

    /// Runs inside the lock: the scopes must be those that were folded, and the events legal at this very time.
    pub(crate) fn place(self, moment: &Moment<'_>) -> Result<(Plan, Option<Folded>), LedgerError> {
        let Self {
            shared,
            request,
            before,
            mut records,
            complete,
            drafts,
            expected,
            moves,
            mut rows,
            channels,
            subject: _,
            admission: _,
            at_size,
        } = self;
        if at_size.is_some_and(|size| moment.seq.get() != size) {
            return Err(LedgerError::Moved);
        }
        // Who is called otherwise now is not called by the old name again.
        let bodies = || drafts.iter().map(|draft| draft.entry.body.as_slice());
        if at_size.is_none() && shared.names_retired(moment.retired(), bodies) {
            return Err(LedgerError::Moved);
        }
        let retired = drafts.iter().find_map(|draft| match &draft.event {
            Event::Erased(erased) => match erased.whose {
                Whose::Person(person) => Some(person),
                Whose::Values => None,
            },
            _ => None,
        });
        if expected
            .iter()
            .any(|(scope, version)| moment.version(scope) != *version)
        {
            return Err(LedgerError::Moved);
        }
        let starts = drafts
            .iter()
            .any(|draft| matches!(draft.event, Event::Started(_)));
        // Whatever the count of its records says, which is under no signature: nothing was written to the request since all of
        // its records were folded.
        if let (Some(before), true) = (&before, starts) {
            let request = before.request();
            let untouched = complete.is_some_and(|complete| {
                shared.seen.untouched(&request, complete, moment.size)
                    && shared.seen.hidden(&request, &records).is_none()
            });
            if !untouched || moment.concerns(&request) {
                return Err(LedgerError::Moved);
            }
        }
        let mut state = before;
        let mut entries = Vec::with_capacity(drafts.len());
        let mut moved = moves;
        for (seq, draft) in (moment.seq.get()..).zip(drafts) {
            let Draft {
                event,
                entry,
                sketch,
            } = draft;
            // A record of the log itself, such as a policy that is adopted on the way, moves no request.
            let of_request = state.as_ref().filter(|_| entry.request.is_some());
            let scopes = journal::scopes(&event, of_request.map(RequestState::bound));
            moved.extend(scopes.into_iter().map(|scope| ScopeKey::new(scope.key())));
            let recorded = Recorded {
                seq: At(seq),
                ts: moment.ts,
                request: entry.request.as_ref().map(|one| one.id),
                action: entry.request.as_ref().map(|one| one.digest),
                event,
            };
            if recorded.request.is_some() {
                match &mut state {
                    Some(state) => state.apply(&recorded),
                    None => RequestState::begin(&recorded).map(|begun| state = Some(begun)),
                }
                .map_err(|illegal| LedgerError::Illegal(illegal.to_string()))?;
                records.push(seq);
            }
            let state = state.as_ref();
            rows.extend(shared.project(&recorded, sketch, state, &channels)?);
            entries.push(entry);
        }
        let after = match (state, &request) {
            (Some(state), Some(request)) => {
                let scope = ScopeKey::new(Scope::Request(request.id).key());
                let steps = moved.iter().filter(|one| **one == scope).count() as u64;
                Some(Folded {
                    state,
                    version: moment.version(&scope) + steps,
                    scope,
                    records,
                })
            }
            _ => None,
        };
        let plan = Plan {
            entries,
            moved,
            rows,
            touched: request.map(|one| one.id).into_iter().collect(),
            keys: None,
            retired,
        };
        Ok((plan, after))
    }

    /// Writes the drafts.
    pub(crate) async fn append(self) -> Result<(Written, Option<Folded>), LedgerError> {
        self.append_then(|after| after).await
    }

    /// Writes the drafts, and runs `finish` once they are durable, whether or not the caller still waits.
    pub(crate) async fn append_then<S: Send + 'static>(
        self,
        finish: impl FnOnce(Option<Folded>) -> S + Send + 'static,
    ) -> Result<(Written, S), LedgerError> {
        let shared = Arc::clone(&self.shared);
        let rows = self.rows.clone();
        let (admission, scopes) = (self.admission, self.scopes());
        match shared
            .append(admission, scopes, move |moment| self.place(moment), finish)
            .await
        {
            Appended::Committed(written, after) => {
                shared.named(&rows);
                Ok((written, after))
            }
            Appended::Aborted(error) | Appended::Failed(error) => {
                shared.unname();
                Err(error)
            }
        }
    }
}

pub(super) fn person_scope(tag: &Tag) -> ScopeKey {
    let mut name = b"person\0".to_vec();
    name.extend_from_slice(tag.as_bytes());
    ScopeKey::new(name)
}

impl Shared {
    /// Reads a request, asks `choose` for its next event, and writes it; starts over when the request moved meanwhile.
    ///
    /// `Ok(false)` if there is no such request or nothing to write.
    pub(crate) async fn write_if(
        self: &Arc<Self>,
        request: RequestId,
        role: Role,
        mut choose: impl FnMut(&RequestState) -> Option<Event> + Send,
    ) -> Result<bool, LedgerError> {
        loop {
            let Some(folded) = self.request(request).await? else {
                return Ok(false);
            };
            let Some(event) = choose(&folded.state) else {
                return Ok(false);
            };
            let channels = self.channels_of(&folded.state).await?;
            let mut drafts = Drafts::resume(self, folded);
            drafts.push(role, event)?;
            drafts.telling(channels);
            match drafts.append().await {
                Ok(_) => return Ok(true),
                Err(LedgerError::Moved) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
