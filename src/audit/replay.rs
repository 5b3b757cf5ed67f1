//! The meaning of a log: every record against the life of its request, in one pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::action::{ActionDigest, Bound, DisclosureDigest, InstanceId, RequestId};
use crate::approval::{
    At, Basis, Decision, Event, Illegal, MeaningRule, Reassessed, Recorded, RequestState,
    Requested, Started, Status, Voted,
};
use crate::canonical::{Admission, Object, admit};
use crate::clock::Timestamp;
use crate::log::{KeyId, Kind, Rule, Seq};
use crate::policy::PolicyRevision;

use super::ended::{Ended, Mark, ShortDigest};
use super::listed::Listed;
use super::report::{Excused, NotJudged, Problem, Requests};

/// The fold over all records so far.
///
/// It holds the state of requests that are open, 32 bytes for each that is not, and the policies that processes adopted.
#[derive(Debug, Default)]
pub(super) struct Replay {
    open: BTreeMap<RequestId, Open>,
    ended: Ended,
    /// With the record that said so first.
    adopted: HashMap<(InstanceId, PolicyRevision), At>,
    clocks: BTreeSet<At>,
    /// The keys that somebody else may have had, and since when.
    compromised: HashMap<KeyId, Timestamp>,
    requests: Requests,
    findings: Findings,
    watch: Watch,
}

/// A request whose life goes on.
#[derive(Clone, Debug)]
struct Open {
    /// Its fold, which is given a stand-in for the bound form: as a tree that is most of what a request takes.
    state: RequestState,
    action: ActionDigest,
    /// The action digest of the stand-in.
    stand_in: ActionDigest,
    /// The bound form, where somebody observes; as bytes it takes a fifth.
    form: Option<Box<[u8]>>,
    view: View,
    /// The hidden members of its records.
    hidden: Vec<DisclosureDigest>,
    /// The keys that its votes are signed with.
    signers: Vec<(At, KeyId)>,
    /// Its records.
    records: Vec<At>,
}

impl Open {
    /// A request from its first record, which is legal.
    fn begin(recorded: &Recorded, watch: Watch) -> Result<Self, Illegal> {
        // Judged as it is, before anything is left out of it.
        let whole = RequestState::begin(recorded)?;
        let mut reduced = recorded.clone();
        let mut form = None;
        if let Event::Requested(requested) = &mut reduced.event {
            let requested = Arc::make_mut(requested);
            form = match watch {
                Watch::Observed => Some(requested.bound.form().to_canonical().into_boxed_slice()),
                Watch::Unobserved => None,
            };
            let stand_in = Object::new().with("request", whole.request().to_string());
            requested.bound = Bound::of_form(stand_in.into(), Vec::new());
            requested.because = None;
            requested.reason = None;
            reduced.action = Some(requested.bound.digest());
        }
        let state = RequestState::begin(&reduced)?;
        Ok(Self {
            action: whole.digest(),
            stand_in: state.digest(),
            state,
            form,
            view: View::Clear,
            hidden: Vec::new(),
            signers: Vec::new(),
            records: vec![recorded.seq],
        })
    }

    fn hides_any(&self, erased: &[DisclosureDigest]) -> bool {
        self.hidden.iter().any(|digest| erased.contains(digest))
    }

    fn apply(&mut self, recorded: &mut Recorded) -> Result<(), Illegal> {
        if recorded.action == Some(self.action) {
            recorded.action = Some(self.stand_in);
        } else {
            // Whatever it names, the fold must not take it for the stand-in.
            recorded.action = None;
        }
        self.state.apply(recorded)?;
        self.records.push(recorded.seq);
        Ok(())
    }

    /// Whether it is a start that counts a vote which a thief may have cast, by what was known then.
    fn counts_doubted(&self, recorded: &Recorded, compromised: &HashMap<KeyId, Timestamp>) -> bool {
        let Event::Started(started) = &recorded.event else {
            return false;
        };
        let Basis::RequireApproval { counted, .. } = &started.basis else {
            return false;
        };
        let doubted = |vote: &At| {
            let signer = self.signers.iter().find(|(seq, _)| seq == vote);
            let since = signer.and_then(|(_, key)| compromised.get(key));
            let cast = self.state.votes().iter().find(|one| one.seq == *vote);
            since
                .zip(cast)
                .is_some_and(|(since, cast)| *since <= cast.ts)
        };
        counted.iter().any(|one| doubted(&one.vote))
    }

    fn bound(&self) -> Option<Bound> {
        let form = admit(self.form.as_deref()?, &Admission::default()).ok()?;
        Some(Bound::of_form(form, Vec::new()))
    }
}

/// Whether whoever replays wants to see the bound forms of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Watch {
    #[default]
    Unobserved,
    Observed,
}

/// Sees a legal record, and what its request is bound to if it asks.
pub(super) type Observer<'o> = &'o mut dyn FnMut(&Recorded, &dyn Fn() -> Option<Bound>);

/// How much of a request's life this reader can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum View {
    Clear,
    /// From the first record on that may have changed the rules for it in a way that this reader does not know.
    Clouded,
}

/// What a replay found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub problems: Listed<Problem>,
    /// What would be a problem if the request had no record that this reader cannot judge.
    pub doubts: Listed<Problem>,
    pub exceptions: Listed<Excused>,
    pub not_judged: Listed<NotJudged>,
    /// The starts that say which tree witnesses knew: their numbers, the sizes, and when.
    pub witnessed: Vec<(At, u64, Timestamp)>,
}

/// What a replay adds up to.
#[derive(Debug)]
pub(super) struct Replayed {
    pub requests: Requests,
    pub findings: Findings,
    pub unresolved: Vec<RequestId>,
    pub open: BTreeMap<RequestId, RequestState>,
    pub ended: Ended,
}

/// A record whose body is not judged.
#[derive(Debug)]
pub(super) struct Unread<'a> {
    pub seq: At,
    pub kind: &'a str,
    /// The kind, where the reader knows it and the record's version and extensions.
    pub reserved: Option<Kind>,
    pub request: Option<RequestId>,
    pub action: Option<ActionDigest>,
}

impl Replay {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            ..Self::default()
        }
    }

    /// Goes on where these requests are over.
    pub(super) fn resume(&mut self, ended: Vec<Mark>) {
        self.ended = Ended::of_sorted(ended);
    }

    /// The records so far that bear on those to come.
    pub(super) fn bearing(&self) -> impl Iterator<Item = u64> + '_ {
        let open = self.open.values().flat_map(|open| &open.records);
        let adopted = self.adopted.values();
        open.chain(adopted).chain(&self.clocks).map(|seq| seq.0)
    }

    /// Moves on by one record, and shows it to `observe` if it was legal.
    pub(super) fn event(&mut self, recorded: Recorded, observe: Observer<'_>) {
        self.check_decision(&recorded);
        let seq = recorded.seq;
        match &recorded.event {
            Event::PolicyAdopted(adopted) => {
                let adopted = (adopted.instance, adopted.revision.clone());
                self.adopted.entry(adopted).or_insert(seq);
                observe(&recorded, &|| None);
            }
            Event::Clock(_) => {
                self.clocks.insert(seq);
                observe(&recorded, &|| None);
            }
            Event::Erased(erased) => {
                let views = self
                    .open
                    .values()
                    .filter(|open| open.hides_any(&erased.digests))
                    .map(|open| open.view);
                if let Some(view) = views.min() {
                    let why = "it erases a value of a request that is not over";
                    let problem = Problem::new(seq, Rule::M10, why.to_owned());
                    self.found(seq, problem, view);
                }
                observe(&recorded, &|| None);
            }
            Event::Recovered(_) => observe(&recorded, &|| None),
            Event::ClockAcknowledged(acknowledged) => {
                if !self.clocks.contains(&acknowledged.clock) {
                    let why = "`clock` names a record that is none of a clock";
                    self.problem(seq, Rule::M1, why);
                }
                observe(&recorded, &|| None);
            }
            Event::Requested(_)
            | Event::Voted(_)
            | Event::Reassessed(_)
            | Event::Started(_)
            | Event::LeaseRenewed(_)
            | Event::Finished(_)
            | Event::Lost(_)
            | Event::Withdrawn(_)
            | Event::Superseded(_)
            | Event::Cancelled(_)
            | Event::Revoked(_)
            | Event::Expired(_)
            | Event::Reconciled(_) => self.of_request(recorded, observe),
        }
    }

    /// Takes note that somebody else may have had a key.
    pub(super) fn compromised(&mut self, key: KeyId, since: Timestamp) {
        self.compromised.insert(key, since);
    }

    /// Takes note of who signed a vote, as long as the request is not over.
    pub(super) fn signed(&mut self, request: RequestId, vote: At, key: KeyId) {
        if let Some(open) = self.open.get_mut(&request) {
            open.signers.push((vote, key));
        }
    }

    /// Takes note of what a record of a request hides, as long as the request is not over.
    pub(super) fn hides(
        &mut self,
        request: RequestId,
        digests: impl FnOnce() -> Vec<DisclosureDigest>,
    ) {
        if let Some(open) = self.open.get_mut(&request) {
            open.hidden.append(&mut digests());
        }
    }

    fn of_request(&mut self, mut recorded: Recorded, observe: Observer<'_>) {
        let seq = recorded.seq;
        let Some(request) = recorded.request else {
            return self.problem(seq, Rule::M3, "it belongs to no request");
        };
        let Some(open) = self.open.get_mut(&request) else {
            return self.begin(request, &recorded, observe);
        };
        // Asked last of all rules, and before anything moves on.
        if open.counts_doubted(&recorded, &self.compromised)
            && open.clone().apply(&mut recorded.clone()).is_ok()
        {
            let why = "it counts a vote by a key that was known to have been compromised then";
            return self.problem(seq, Rule::M12, why);
        }
        if let Err(illegal) = open.apply(&mut recorded) {
            let view = open.view;
            return self.illegal(seq, &illegal, view);
        }
        observe(&recorded, &|| open.bound());
        if let Event::Voted(voted) = &recorded.event {
            note_exception(&mut self.findings, seq, voted);
        }
        if let Event::Started(started) = &recorded.event
            && let Some(size) = started.witnessed
        {
            self.findings.witnessed.push((seq, size, recorded.ts));
        }
        self.settle(request);
    }

    fn begin(&mut self, request: RequestId, recorded: &Recorded, observe: Observer<'_>) {
        let seq = recorded.seq;
        if let Some(Mark { first, action, .. }) = self.ended.find(&request) {
            if recorded.action.as_ref().map(ShortDigest::of) != Some(action) {
                let why = "its subject is not the action of its request";
                return self.problem(seq, Rule::M2, why);
            }
            let why = format!("the life of the request that record {first} filed was over");
            return self.problem(seq, Rule::M3, why);
        }
        match Open::begin(recorded, self.watch) {
            Ok(open) => {
                observe(recorded, &|| open.bound());
                self.open.insert(request, open);
                self.settle(request);
            }
            Err(illegal) => self.illegal(seq, &illegal, View::Clear),
        }
    }

    /// Lets go of a request whose life is over.
    fn settle(&mut self, request: RequestId) {
        let Some(open) = self.open.get(&request) else {
            return;
        };
        let status = by_records(&open.state);
        if !status.is_over() {
            return;
        }
        let mark = Mark {
            request,
            first: open.state.first(),
            action: ShortDigest::of(&open.action),
        };
        self.requests.count(&status);
        self.open.remove(&request);
        self.ended.insert(mark);
    }

    /// M8: a policy is adopted by a process before it decides there.
    fn check_decision(&mut self, recorded: &Recorded) {
        let (decision, instance) = match &recorded.event {
            Event::Requested(requested) => {
                let Requested {
                    decision, instance, ..
                } = &**requested;
                (decision, instance)
            }
            Event::Reassessed(reassessed) => {
                let Reassessed {
                    decision, instance, ..
                } = &**reassessed;
                (decision, instance)
            }
            Event::Started(started) => {
                let Started {
                    decision, instance, ..
                } = &**started;
                (decision, instance)
            }
            _ => return,
        };
        let Decision { revision, rules: _ } = decision;
        if !self.adopted.contains_key(&(*instance, revision.clone())) {
            let why = "the process that decided had not adopted the policy that it names";
            self.problem(recorded.seq, Rule::M8, why);
        }
    }

    /// A record whose body this reader does not judge.
    pub(super) fn unread(&mut self, unread: &Unread<'_>) {
        let Unread {
            seq,
            kind,
            reserved,
            request,
            action,
        } = *unread;
        let Some(request) = request else {
            return self.not_judged(seq, kind);
        };
        let filed = match self.open.get_mut(&request) {
            Some(open) => {
                if reserved.is_none_or(may_loosen) {
                    open.view = View::Clouded;
                }
                Some(ShortDigest::of(&open.action))
            }
            None => self.ended.find(&request).map(|mark| mark.action),
        };
        if reserved.is_some() && (filed.is_none() || filed != action.as_ref().map(ShortDigest::of))
        {
            self.problem(
                seq,
                Rule::M2,
                "its subject is not the action of a request that was filed",
            );
        }
        self.not_judged(seq, kind);
    }

    fn not_judged(&mut self, seq: At, kind: &str) {
        let finding = NotJudged {
            seq: Seq::new(seq.0),
            kind: kind.to_owned(),
        };
        self.findings.not_judged.add(seq.0, finding);
    }

    fn illegal(&mut self, seq: At, illegal: &Illegal, view: View) {
        let problem = Problem::new(seq, rule(illegal.rule), illegal.why.to_string());
        self.found(seq, problem, view);
    }

    fn found(&mut self, seq: At, problem: Problem, view: View) {
        match view {
            View::Clear => self.findings.problems.add(seq.0, problem),
            View::Clouded => self.findings.doubts.add(seq.0, problem),
        }
    }

    /// A record breaks a rule.
    pub(super) fn problem(&mut self, seq: At, rule: Rule, why: impl Into<String>) {
        self.findings
            .problems
            .add(seq.0, Problem::new(seq, rule, why.into()));
    }

    /// How many requests are held with all that is known of them.
    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.open.len()
    }

    /// Ends the replay of a log whose last record is of `until`.
    pub(super) fn finish(self, until: Timestamp) -> Replayed {
        let Self {
            open,
            ended,
            adopted: _,
            clocks: _,
            compromised: _,
            mut requests,
            findings,
            watch: _,
        } = self;
        let open: BTreeMap<RequestId, RequestState> = open
            .into_iter()
            .map(|(request, open)| (request, open.state))
            .collect();
        let mut unresolved = Vec::new();
        for (request, state) in &open {
            let status = state.status(until);
            requests.count(&status);
            if matches!(status, Status::Unresolved { .. }) {
                unresolved.push(*request);
            }
        }
        Replayed {
            requests,
            findings,
            unresolved,
            open,
            ended,
        }
    }
}

fn note_exception(findings: &mut Findings, seq: At, voted: &Voted) {
    if voted.exception.is_some() {
        let excused = Excused {
            seq: Seq::new(seq.0),
            person: voted.person,
        };
        findings.exceptions.add(seq.0, excused);
    }
}

/// What a request is as far as records say, whatever the clock.
pub(super) fn by_records(state: &RequestState) -> Status {
    state.status(Timestamp::EPOCH)
}

/// Whether a later edition may let a record of this kind allow what this edition forbids.
const fn may_loosen(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Granted | Kind::GrantRevoked | Kind::Edited | Kind::Responded | Kind::BreakGlass
    )
}

/// The rule in the words of the log.
pub(super) const fn rule(rule: MeaningRule) -> Rule {
    match rule {
        MeaningRule::M2 => Rule::M2,
        MeaningRule::M3 => Rule::M3,
        MeaningRule::M4 => Rule::M4,
        MeaningRule::M5 => Rule::M5,
        MeaningRule::M6 => Rule::M6,
        MeaningRule::M7 => Rule::M7,
        MeaningRule::M11 => Rule::M11,
    }
}
