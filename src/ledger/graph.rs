//! Answering questions about lineage: the store's graph says where to look, the records say what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use crate::lineage::{Answer, Direction, Edge, Found, Limits, Question, Search, Step, edges_of};
use crate::log::Seq;
use crate::store::{EdgesOf, Query};

use super::{LedgerError, Shared};

/// How many rows of the graph are read at a time.
const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// The edges of records that were read for one answer.
type Read = BTreeMap<Seq, Vec<Edge>>;

impl Shared {
    /// Answers a question from the log as it is now.
    pub(crate) async fn lineage(
        &self,
        question: Question,
        limits: Limits,
    ) -> Result<Answer, LedgerError> {
        let as_of = self.store.head().await?.map_or(0, |head| head.size);
        let mut search = Search::new(question, limits);
        let mut read = Read::new();
        while let Some(step) = search.wants() {
            let found = self.edges(&step, as_of, &mut read).await?;
            search.learn(&step, found);
        }
        Ok(search.answer(as_of))
    }

    /// The edges of one step. A row of the graph is believed only as far as to look at its record.
    async fn edges(&self, step: &Step, as_of: u64, read: &mut Read) -> Result<Found, LedgerError> {
        let (mut missing, cut) = self.records_at(step, as_of).await?;
        missing.retain(|seq| !read.contains_key(seq));
        for seq in missing {
            let edges = self.edges_in(seq).await?;
            read.insert(seq, edges);
        }
        // A dataset whose name was erased is known to the record that names it alone, and has been read by now.
        let mut matching = read.values().flatten().filter(|edge| step.matches(edge));
        let edges = matching.by_ref().take(step.at_most).cloned().collect();
        Ok(Found {
            edges,
            more: cut || matching.next().is_some(),
        })
    }

    /// The records that the graph names for the edges of one step, and whether it names more than can be taken.
    async fn records_at(
        &self,
        step: &Step,
        as_of: u64,
    ) -> Result<(BTreeSet<Seq>, bool), LedgerError> {
        let mut page = EdgesOf {
            node: self.node(&step.node, &[]).key,
            after: None,
            limit: PAGE,
        };
        let mut records = BTreeSet::new();
        loop {
            let query = match step.direction {
                Direction::From => Query::EdgesFrom(page.clone()),
                Direction::To => Query::EdgesTo(page.clone()),
            };
            let rows = self.store.find(query).await?.edges()?;
            let Some(last) = rows.last() else {
                return Ok((records, false));
            };
            page.after = Some(*last);
            let wanted = rows.iter().filter(|row| {
                let code = |relation: &crate::lineage::Relation| relation.code() == row.relation;
                row.seq.get() < as_of && step.relations.iter().any(code)
            });
            records.extend(wanted.map(|row| row.seq));
            if records.len() > step.at_most {
                return Ok((records, true));
            }
        }
    }

    /// The edges that a record adds, from its signed bytes.
    async fn edges_in(&self, seq: Seq) -> Result<Vec<Edge>, LedgerError> {
        let rows = self.store.read(seq, NonZeroU32::MIN).await?;
        let verified = match rows.first() {
            Some(row) if row.seq == seq => self.verify_news(row).await?,
            Some(_) | None => {
                return Err(LedgerError::Tampered {
                    seq: seq.get(),
                    why: "it is missing".to_owned(),
                });
            }
        };
        let mut edges = Vec::new();
        for recorded in self.decode_all(&[verified]).await? {
            let bound = self.bound_of(&recorded).await?;
            edges.extend(edges_of(&recorded, bound.as_ref()));
        }
        Ok(edges)
    }
}
