//! A log in plain words.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::action::{Disclosure, DisclosureDigest, RequestId};
use crate::clock::Timestamp;
use crate::journal::{Decoded, decode};
use crate::log::{
    Genesis, KeyChange, Kind, KnownOr, LogReader, ReadError, Revocation, Row, Seq, Statement,
    Trust, VerifiedGenesis, VerifiedRecord,
};

use super::words::Teller;

/// How many records are read at a time.
const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// One record in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The record.
    pub seq: Seq,
    /// Its gate time; `None` where the record cannot be relied upon.
    pub ts: Option<Timestamp>,
    /// Its kind; `?` where the record cannot be relied upon.
    pub kind: String,
    /// The request that it belongs to.
    pub request: Option<RequestId>,
    /// What happened, on one line.
    pub text: String,
}

impl fmt::Display for TimelineEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            ts,
            kind,
            request: _,
            text,
        } = self;
        write!(f, "{:>6}  ", seq.get())?;
        match ts {
            Some(ts) => write!(f, "{ts}")?,
            None => write!(f, "{:27}", "")?,
        }
        write!(f, "  {kind:<18}  {text}")
    }
}

/// Which records a timeline tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only records of this request.
    pub request: Option<RequestId>,
    /// Only records from here to before there.
    pub records: Range<u64>,
}

impl Default for Filter {
    /// All of them.
    fn default() -> Self {
        Self {
            request: None,
            records: 0..u64::MAX,
        }
    }
}

/// Tells a log, one line for each record, from signed bytes and the disclosures beside them.
///
/// Every record's signatures are checked against the keys of the genesis; one that fails is told as unreliable. The genesis itself
/// is taken at its word: what a log tells is worth as much as the verdict of its [`Audit`](super::Audit).
///
/// `visible` makes texts of others fit to be shown where the lines go, such as a terminal: control, bidirectional and zero-width
/// characters and line breaks must not come out of it as they are.
pub fn timeline<'a>(
    reader: &'a mut dyn LogReader,
    filter: Filter,
    visible: &'a dyn Fn(&str) -> String,
) -> Timeline<'a> {
    Timeline {
        reader,
        next: filter.records.start,
        filter,
        teller: Teller { visible },
        genesis: None,
        followed: 0,
        rows: VecDeque::new(),
    }
}

/// The lines of [`timeline`].
///
/// After an error it ends.
pub struct Timeline<'a> {
    reader: &'a mut dyn LogReader,
    filter: Filter,
    teller: Teller<'a>,
    genesis: Option<Result<(Genesis, Trust), String>>,
    /// Up to which record changes of keys were taken in.
    followed: u64,
    next: u64,
    rows: VecDeque<Row>,
}

impl fmt::Debug for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline")
            .field("filter", &self.filter)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Iterator for Timeline<'_> {
    type Item = Result<TimelineEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.row() {
                Ok(None) => return None,
                Ok(Some(row)) => match self.tell(&row) {
                    Ok(None) => {}
                    Ok(Some(entry)) => return Some(Ok(entry)),
                    Err(error) => return Some(Err(self.ends(error))),
                },
                Err(error) => return Some(Err(self.ends(error))),
            }
        }
    }
}

impl Timeline<'_> {
    fn ends(&mut self, error: ReadError) -> ReadError {
        self.rows.clear();
        self.next = self.filter.records.end;
        error
    }

    fn row(&mut self) -> Result<Option<Row>, ReadError> {
        if self.rows.is_empty() && self.next < self.filter.records.end {
            self.rows = self.reader.records(Seq::new(self.next), PAGE)?.into();
        }
        let row = self
            .rows
            .pop_front()
            .filter(|row| row.seq().get() < self.filter.records.end);
        self.next = row
            .as_ref()
            .map_or(self.filter.records.end, |row| row.seq().next().get());
        Ok(row)
    }

    fn tell(&mut self, row: &Row) -> Result<Option<TimelineEntry>, ReadError> {
        let seq = row.seq().get();
        let mut verified = self.verify(row)?;
        let changes = |verified: &VerifiedRecord| {
            let kind = verified.statement().kind.known();
            kind.is_some_and(|kind| kind.changes_keys())
        };
        if self.followed < seq && verified.as_ref().map_or(true, changes) {
            self.follow_up_to(seq)?;
            verified = self.verify(row)?;
        }
        if let (Ok(record), Some(Ok((_, trust)))) = (&verified, &mut self.genesis)
            && self.followed == seq
        {
            self.followed = seq.saturating_add(1);
            if let Err(broken) = trust.follow(record) {
                verified = Err(broken.to_string());
            }
        }
        let verified = match verified {
            Ok(verified) => verified,
            Err(why) => {
                let unreliable = TimelineEntry {
                    seq: row.seq(),
                    ts: None,
                    kind: "?".to_owned(),
                    request: None,
                    text: format!("not to be relied upon: {why}"),
                };
                return Ok(self.filter.request.is_none().then_some(unreliable));
            }
        };
        let statement = verified.statement();
        if self.filter.request.is_some() && statement.request != self.filter.request {
            return Ok(None);
        }
        let kind = match &statement.kind {
            KnownOr::Known(kind) => kind.as_str().to_owned(),
            KnownOr::Unknown(kind) => (self.teller.visible)(kind),
        };
        Ok(Some(TimelineEntry {
            seq: statement.seq,
            ts: Some(statement.ts),
            kind,
            request: statement.request,
            text: self.text(&verified, statement)?,
        }))
    }

    fn verify(&mut self, row: &Row) -> Result<Result<VerifiedRecord, String>, ReadError> {
        Ok(match (self.trust()?, row) {
            (Ok((_, trust)), Row::Record(row)) => trust
                .check(&row.record)
                .map_err(|broken| broken.to_string()),
            (Ok(_), Row::Malformed { seq: _, what }) => Err((*what).to_owned()),
            (Err(why), _) => Err(why.clone()),
        })
    }

    /// Learns which keys are in force for a record that is not told from the beginning of the log on.
    fn follow_up_to(&mut self, seq: u64) -> Result<(), ReadError> {
        while self.followed < seq {
            let rows = self.reader.records(Seq::new(self.followed), PAGE)?;
            let Some(last) = rows.last() else {
                break;
            };
            self.followed = seq.min(last.seq().next().get());
            let Some(Ok((_, trust))) = &mut self.genesis else {
                break;
            };
            for row in rows {
                let Row::Record(row) = row else {
                    continue;
                };
                let told = Kind::parse(&row.columns.kind).is_some_and(Kind::changes_keys);
                if told
                    && row.record.seq.get() < seq
                    && let Ok(verified) = trust.check(&row.record)
                {
                    // One that may not change them changes nothing.
                    let _ = trust.follow(&verified);
                }
            }
        }
        Ok(())
    }

    fn text(
        &mut self,
        verified: &VerifiedRecord,
        statement: &Statement,
    ) -> Result<String, ReadError> {
        let seq = statement.seq.get();
        let beside = self.reader.disclosures(seq..seq.saturating_add(1))?;
        let beside: HashMap<DisclosureDigest, Disclosure> = beside
            .iter()
            .filter_map(|(_, text)| Disclosure::parse(text).ok())
            .map(|disclosure| (disclosure.digest(), disclosure))
            .collect();
        let lookup = |digest: &DisclosureDigest| beside.get(digest).cloned();
        Ok(match decode(verified, &lookup) {
            Ok(Decoded::Event(recorded)) => self.teller.tell(&recorded.event, &lookup),
            Ok(Decoded::Genesis) => self.begins(),
            Ok(Decoded::Keys(change)) => keys_words(&change),
            Ok(Decoded::NotJudged(unjudged)) => format!("not judged: {unjudged}"),
            Err(error) => format!("not to be relied upon: {error}"),
        })
    }

    fn begins(&self) -> String {
        match &self.genesis {
            Some(Ok((genesis, _))) => {
                let origin = (self.teller.visible)(genesis.origin().as_str());
                format!(
                    "the log {} of {origin} begins, with {} keys",
                    genesis.log(),
                    genesis.keys().len()
                )
            }
            Some(Err(_)) | None => "the log begins".to_owned(),
        }
    }

    /// The keys in force, or why there are none.
    fn trust(&mut self) -> Result<&Result<(Genesis, Trust), String>, ReadError> {
        if self.genesis.is_none() {
            let first = self.reader.records(Seq::GENESIS, NonZeroU32::MIN)?;
            let checked = match first.first() {
                Some(Row::Record(row)) => {
                    VerifiedGenesis::check(&row.record).map_err(|broken| broken.to_string())
                }
                Some(Row::Malformed { .. }) | None => Err("the log has no genesis".to_owned()),
            };
            let read =
                checked.map(|genesis| (genesis.genesis().clone(), Trust::on_genesis(&genesis)));
            self.genesis = Some(read);
        }
        Ok(self
            .genesis
            .get_or_insert_with(|| Err("the log has no genesis".to_owned())))
    }
}

fn keys_words(change: &KeyChange) -> String {
    match change {
        KeyChange::Added { key, roles } => {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            format!(
                "the operator adds the key {} for {}",
                key.id(),
                roles.join(", ")
            )
        }
        KeyChange::Rotated { old, key } => {
            format!("the key {} takes the place of {old}", key.id())
        }
        KeyChange::Revoked { old, why } => match why {
            Revocation::Retired => format!("the operator retires the key {old}"),
            Revocation::Lost => format!("the operator revokes the key {old}, which is lost"),
            Revocation::Compromised { since } => format!(
                "the operator revokes the key {old}, which somebody else may have used since {since}"
            ),
        },
    }
}
