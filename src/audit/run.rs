//! The audit itself.

use std::collections::BTreeSet;
use std::fmt;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;

use crate::action::{ActionDigest, Disclosure, DisclosureDigest, unbind};
use crate::approval::{At, Event, Recorded};
use crate::clock::Timestamp;
use crate::journal::{DecodeError, Decoded, decode};
use crate::log::{
    Broken, Depth, KeyChange, Kind, KnownOr, LogReader, Revocation, Rule, Statement, Terms,
    TrustedKeys, Unjudged, Verdict, VerifiedRecord, Window, WitnessPolicy, hidden_in,
    verify_structure,
};
use crate::store::{Found, Query, Store, StoreSecret};

use super::bookmark::Bookmark;
use super::edges::EdgeSums;
use super::persons::Persons;
use super::projections::{self, Expected, ProjectionReport};
use super::replay::{Findings, Replay, Replayed, Unread, Watch};
use super::report::{AuditReport, Problem, WitnessReport, is_intact};

/// An audit of one log: structure and meaning, and if wanted the projections of its store.
///
/// ```no_run
/// # use countersign::{audit::Audit, log::{LogReader, TrustedKeys}, store::Store};
/// # fn example(reader: &mut (dyn LogReader + Send), store: &dyn Store, keys: TrustedKeys, note: Vec<u8>) {
/// let report = Audit::of(reader).trusting(keys).anchored_by(note).comparing(store).run();
/// println!("{report}");
/// # }
/// ```
pub struct Audit<'a> {
    reader: &'a mut (dyn LogReader + Send),
    trusted: Option<TrustedKeys>,
    anchors: Vec<Vec<u8>>,
    witnesses: Option<WitnessPolicy>,
    window: Window,
    store: Option<&'a dyn Store>,
    since: Option<Bookmark>,
    bookmarking: bool,
    progress: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Audit<'a> {
    /// An audit of what `reader` reads, which must be one snapshot.
    #[must_use]
    pub fn of(reader: &'a mut (dyn LogReader + Send)) -> Self {
        Self {
            reader,
            trusted: None,
            anchors: Vec::new(),
            witnesses: None,
            window: Window::ALWAYS,
            store: None,
            since: None,
            bookmarking: false,
            progress: Box::new(|_| {}),
        }
    }

    /// The keys that the auditor brings from outside (S10). Without them the verdict is at best *cannot verify*.
    #[must_use]
    pub fn trusting(mut self, keys: TrustedKeys) -> Self {
        self.trusted = Some(keys);
        self
    }

    /// A checkpoint, as a signed note, that was kept outside. The head file beside the store is none.
    #[must_use]
    pub fn anchored_by(mut self, checkpoint: impl Into<Vec<u8>>) -> Self {
        self.anchors.push(checkpoint.into());
        self
    }

    /// The witnesses whom the auditor believes, and when their cosignatures must have been made to count. A checkpoint beside the log that a
    /// quorum of them cosigned is then as good as one that was kept outside.
    #[must_use]
    pub fn witnessed_by(mut self, policy: WitnessPolicy, window: Window) -> Self {
        self.witnesses = Some(policy);
        self.window = window;
        self
    }

    /// The store whose projections are to be compared with the log. It must hold the same log.
    #[must_use]
    pub fn comparing(mut self, store: &'a dyn Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Goes on from a bookmark that an earlier audit of the log left, which found everything up to there to be intact.
    ///
    /// The tree that is stored must lead to the bookmark's checkpoint. Of the records before it only those are read again that bear on the
    /// rest, and each is proven to stand in that tree. What else lies before is not looked at: bytes, signatures and disclosures that were changed
    /// or lost there since are for an audit of the whole log to find, and the verdict names the record from which on it speaks
    /// ([`Verdict::IntactSince`]). Projections are not compared, and requests that were over before are not counted.
    #[must_use]
    pub fn since(mut self, bookmark: Bookmark) -> Self {
        self.since = Some(bookmark);
        self
    }

    /// Has the report of an intact log hold a [`Bookmark`] for a later audit.
    #[must_use]
    pub const fn bookmarking(mut self) -> Self {
        self.bookmarking = true;
        self
    }

    /// Hears now and then how many records were read.
    #[must_use]
    pub fn progress(mut self, hear: impl FnMut(u64) + 'a) -> Self {
        self.progress = Box::new(hear);
        self
    }

    /// Audits.
    ///
    /// It blocks until the whole log was read; an asynchronous host calls it on a thread of its own. It never stops at the first
    /// record that is wrong, and writes nothing.
    #[must_use]
    pub fn run(self) -> AuditReport {
        let Self {
            reader,
            trusted,
            anchors,
            witnesses,
            window,
            store,
            since,
            bookmarking,
            mut progress,
        } = self;
        // One that is no checkpoint is refused by the walk.
        let before = since.as_ref().and_then(|since| since.size().ok());
        let (foothold, replayed, ended) = match since {
            Some(Bookmark {
                mut foothold,
                replayed,
                ended,
            }) => {
                foothold.records.extend(&replayed);
                (Some(foothold), replayed, ended)
            }
            None => (None, BTreeSet::new(), Vec::new()),
        };
        let whole = store.filter(|_| foothold.is_none());
        let secret = match whole.map(|store| apart(|| block_on(secret_of(store)))) {
            None if store.is_some() => Err(ProjectionReport::NotCompared {
                why: "only a part of the log was read".to_owned(),
            }),
            None => Err(ProjectionReport::NotAsked),
            Some(Ok(secret)) => Ok(secret),
            Some(Err(why)) => Err(ProjectionReport::NotCompared { why }),
        };
        let (followed, without) = match secret {
            Ok(secret) => (Some(Followed::new(secret)), ProjectionReport::NotAsked),
            Err(report) => (None, report),
        };
        let watch = match &followed {
            Some(_) => Watch::Observed,
            None => Watch::Unobserved,
        };
        let mut pass = Pass {
            replay: Replay::new(watch),
            followed,
        };
        pass.replay.resume(ended);
        let terms = Terms {
            keys: trusted.as_ref(),
            anchors: &anchors,
            witnesses: witnesses.as_ref(),
            window,
            depth: Depth::Signatures,
            since: foothold.as_ref(),
            leave_foothold: bookmarking,
        };
        let mut structure =
            verify_structure(reader, &terms, &mut progress, &mut |record, disclosures| {
                // Of those before, some were read for their keys alone.
                let seq = record.seq().get();
                if before.is_none_or(|before| seq >= before) || replayed.contains(&seq) {
                    pass.visit(record, disclosures);
                }
            });
        let Pass { replay, followed } = pass;
        let bearing = match &structure.foothold {
            Some(_) => replay.bearing().collect(),
            None => BTreeSet::new(),
        };
        let replayed = replay.finish(structure.last_ts.unwrap_or(Timestamp::EPOCH));
        let Replayed {
            requests,
            findings,
            unresolved,
            open,
            ended,
        } = replayed;
        let ended = ended.into_sorted();
        let projections = match (whole, followed) {
            (Some(store), Some(Followed { edges, persons })) => {
                let expected = Expected {
                    size: structure.size,
                    open: &open,
                    ended: &ended,
                    edges,
                    persons: &persons,
                };
                let compared = apart(|| Ok(block_on(projections::compare(store, expected))));
                compared.unwrap_or_else(|why| ProjectionReport::NotCompared { why })
            }
            _ => without,
        };
        let Findings {
            problems,
            doubts,
            exceptions,
            not_judged,
            witnessed,
        } = findings;
        // Of one record, the report names the rule that comes first.
        for Problem { seq, rule, why } in problems.of_first() {
            structure.add_broken(Broken::new(*seq, *rule, why.clone()));
        }
        if let Some(Problem { seq, .. }) = doubts.first() {
            let why =
                format!("record {seq} is allowed at most by a record before it that is not judged");
            structure.add_doubt(why);
        }
        let witnesses = match (&witnesses, structure.quorum.take()) {
            (None, _) => WitnessReport::NotAsked,
            (Some(policy), _) if !policy.asks_for_witnesses() => {
                structure.add_note("the witness policy asks for no witness");
                WitnessReport::NotAsked
            }
            (Some(_), None) => WitnessReport::NoQuorum,
            (Some(_), Some(witnessed)) => WitnessReport::Quorum {
                size: structure.witnessed,
                witnessed,
            },
        };
        let verdict = structure.verdict();
        let foothold = structure.foothold.filter(|_| is_intact(&verdict));
        let bookmark = foothold.map(|foothold| Bookmark {
            foothold,
            replayed: bearing,
            ended,
        });
        let mut notes = structure.notes;
        if witnesses != WitnessReport::NotAsked {
            notes.extend(not_shown(&witnessed, &structure.quorums));
        }
        if let Verdict::CannotVerify { why } = &verdict {
            // It is said once.
            notes.retain(|note| note != why);
        }
        AuditReport {
            verdict,
            size: structure.size,
            since: structure.since,
            read_again: structure.read_again,
            until: structure.last_ts,
            requests,
            unresolved,
            exceptions,
            not_judged,
            problems,
            doubts,
            projections,
            witnesses,
            bookmark,
            notes,
        }
    }
}

/// Of which starts no cosigned checkpoint shows that witnesses knew the decision before (what stands below M11 in the record format).
fn not_shown(starts: &[(At, u64, Timestamp)], quorums: &[(u64, Timestamp)]) -> Option<String> {
    let shown = |size: u64, start: Timestamp| {
        let place = quorums.binary_search_by_key(&size, |(size, _)| *size);
        // Whose clocks differ is not accused.
        let until = Window::recent(start, Duration::ZERO).to;
        place.is_ok_and(|place| quorums.get(place).is_some_and(|(_, since)| *since <= until))
    };
    let mut without = starts
        .iter()
        .filter(|(_, size, start)| !shown(*size, *start))
        .map(|(seq, _, _)| seq);
    let first = without.next()?;
    let more = match without.count() {
        0 => String::new(),
        more => format!(", as do {more} later ones"),
    };
    Some(format!(
        "record {first} starts an effect and says that witnesses knew of its decision{more}; no checkpoint here that these witnesses cosigned by then shows that"
    ))
}

impl fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("anchors", &self.anchors.len())
            .finish_non_exhaustive()
    }
}

/// Asks the store on a thread of its own, since the caller's may be inside of an executor.
fn apart<T: Send>(ask: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let asked = scope.spawn(ask).join();
        asked.unwrap_or_else(|_| Err("the store panicked".to_owned()))
    })
}

async fn secret_of(store: &dyn Store) -> Result<StoreSecret, String> {
    let found = store.find(Query::Secret).await.and_then(Found::secret);
    let secret = found.map_err(|error| error.to_string())?;
    secret.ok_or_else(|| "the store has no log".to_owned())
}

/// One pass over the log.
struct Pass {
    replay: Replay,
    followed: Option<Followed>,
}

/// What the projections must say beside the requests themselves.
struct Followed {
    edges: EdgeSums,
    persons: Persons,
}

impl Followed {
    fn new(secret: StoreSecret) -> Self {
        Self {
            edges: EdgeSums::new(secret.clone()),
            persons: Persons::new(secret),
        }
    }
}

/// Finds the disclosure of a digest.
type Lookup<'l> = &'l dyn Fn(&DisclosureDigest) -> Option<Disclosure>;

impl Pass {
    fn visit(&mut self, record: &VerifiedRecord, disclosures: &[Disclosure]) {
        let statement = record.statement();
        let lookup = |digest: &DisclosureDigest| {
            let mut beside = disclosures.iter();
            beside
                .find(|disclosure| disclosure.digest() == *digest)
                .cloned()
        };
        match decode(record, &lookup) {
            Ok(Decoded::Event(recorded)) => self.event(statement, *recorded, &lookup),
            // The walk over the structure has judged them.
            Ok(Decoded::Genesis) => {}
            Ok(Decoded::Keys(change)) => {
                if let KeyChange::Revoked {
                    old,
                    why: Revocation::Compromised { since },
                } = *change
                {
                    self.replay.compromised(old, since);
                }
            }
            Ok(Decoded::NotJudged(unjudged)) => self.not_judged(statement, &unjudged),
            Err(DecodeError { seq, rule, why }) => self.replay.problem(seq, rule, why),
        }
    }

    fn event(&mut self, statement: &Statement, recorded: Recorded, lookup: Lookup<'_>) {
        if let Event::Requested(requested) = &recorded.event
            && let Err(error) = unbind(requested.bound.form(), lookup)
        {
            return self
                .replay
                .problem(recorded.seq, Rule::F6, error.to_string());
        }
        let followed = &mut self.followed;
        let request = recorded.request;
        self.replay.event(recorded, &mut |recorded, bound| {
            if let Some(Followed { edges, persons }) = followed {
                edges.expect(recorded, bound);
                persons.expect(recorded);
            }
        });
        if let Some(request) = request {
            self.replay.hides(request, || hidden_in(&statement.body));
            if statement.kind == KnownOr::Known(Kind::Voted) {
                let vote = At(statement.seq.get());
                self.replay.signed(request, vote, statement.key);
            }
        }
    }

    fn not_judged(&mut self, statement: &Statement, unjudged: &Unjudged) {
        let reserved = match unjudged {
            Unjudged::Reserved(kind) => Some(*kind),
            Unjudged::Version(_) | Unjudged::Kind(_) | Unjudged::Extension(_) => None,
        };
        let kind = match &statement.kind {
            KnownOr::Known(kind) => kind.as_str(),
            KnownOr::Unknown(kind) => kind,
        };
        self.replay.unread(&Unread {
            seq: At(statement.seq.get()),
            kind,
            reserved,
            request: statement.request,
            action: statement
                .request
                .map(|_| ActionDigest::from_digest(statement.subject)),
        });
    }
}
