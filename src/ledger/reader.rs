//! From stored rows to facts: nothing counts that does not verify.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::action::{Disclosure, DisclosureDigest, RequestId};
use crate::approval::{At, Recorded, RequestState};
use crate::journal::{self, Decoded, Scope};
use crate::log::{Kept, Kind, KnownOr, Receipt, Seq, StoredRecord, VerifiedRecord};
use crate::store::{Query, ScopeKey};

use super::value_keys::Keeping;
use super::{LedgerError, Shared, lock};

/// How often a read is repeated while others write to the same request.
const ROUNDS: usize = 64;

/// A request as its verified records tell it, with the version of its scope that they belong to.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    pub(crate) state: RequestState,
    pub(crate) scope: ScopeKey,
    pub(crate) version: u64,
    /// The numbers of the records that were folded.
    pub(crate) records: Vec<u64>,
}

impl Shared {
    /// How often each scope has moved.
    pub(crate) async fn versions(
        &self,
        scopes: impl IntoIterator<Item = ScopeKey>,
    ) -> Result<BTreeMap<ScopeKey, u64>, LedgerError> {
        let scopes = scopes.into_iter().collect();
        Ok(self.store.find(Query::Versions(scopes)).await?.versions()?)
    }

    /// As [`Shared::versions`], perhaps as they were a while ago: whose commit finds that one has moved has to ask again, of the store.
    pub(crate) async fn versions_lately(
        &self,
        scopes: &BTreeSet<ScopeKey>,
    ) -> Result<BTreeMap<ScopeKey, u64>, LedgerError> {
        match self.lately.all(scopes) {
            Some(versions) => Ok(versions),
            None => self.versions(scopes.iter().cloned()).await,
        }
    }

    /// Reads, verifies and folds the records of a request; `None` if there are none.
    ///
    /// A row that does not verify is either beyond the signed head, where it has no effect, or stands in the place of a
    /// record, and then nothing about the request can be believed.
    pub(crate) async fn request(&self, request: RequestId) -> Result<Option<Folded>, LedgerError> {
        let scope = ScopeKey::new(Scope::Request(request).key());
        for _ in 0..ROUNDS {
            let version = self.version(&scope).await?;
            let rows = self.store.find(Query::Request(request)).await?.records()?;
            let verified = self.verify_all(&rows).await?;
            let found = verified.len() as u64;
            if found < version {
                return Err(LedgerError::Tampered {
                    seq: verified.last().map_or(0, |record| record.seq().get()),
                    why: format!(
                        "request {request} has {version} records but only {found} are there"
                    ),
                });
            }
            if found > version {
                continue;
            }
            if verified.is_empty() {
                return Ok(None);
            }
            let recorded = self.decode_all(&verified).await?;
            let state = RequestState::fold(&recorded).map_err(|illegal| LedgerError::Tampered {
                seq: recorded.last().map_or(0, |one| one.seq.0),
                why: illegal.to_string(),
            })?;
            return Ok(Some(Folded {
                state,
                scope,
                version,
                records: recorded.iter().map(|one| one.seq.0).collect(),
            }));
        }
        Err(LedgerError::Illegal(
            "the request kept changing while it was read".to_owned(),
        ))
    }

    /// The votes of a request that are signed by a key of which a record says that somebody else may have had it by then.
    ///
    /// `changes` says how often the keys have changed by what the store says: if this process has seen fewer, it looks first.
    pub(crate) async fn doubted_votes(
        &self,
        folded: &Folded,
        changes: u64,
    ) -> Result<BTreeSet<At>, LedgerError> {
        if (self.trust().ring().changes() as u64) < changes {
            self.read_news().await?;
        }
        let trust = self.trust();
        if !trust.ring().has_doubts() || folded.state.votes().is_empty() {
            return Ok(BTreeSet::new());
        }
        let request = folded.state.request();
        let rows = self.store.find(Query::Request(request)).await?.records()?;
        let verified = self.verify_all(&rows).await?;
        let votes = verified.iter().map(VerifiedRecord::statement);
        Ok(votes
            .filter(|vote| vote.kind == KnownOr::Known(Kind::Voted))
            .filter(|vote| trust.ring().doubts(&vote.key, vote.ts))
            .map(|vote| At(vote.seq.get()))
            .collect())
    }

    /// The verified records of a request, in order.
    pub(super) async fn recorded(&self, request: RequestId) -> Result<Vec<Recorded>, LedgerError> {
        let rows = self.store.find(Query::Request(request)).await?.records()?;
        let verified = self.verify_all(&rows).await?;
        self.decode_all(&verified).await
    }

    async fn version(&self, scope: &ScopeKey) -> Result<u64, LedgerError> {
        let versions = self.versions([scope.clone()]).await?;
        Ok(versions.get(scope).copied().unwrap_or(0))
    }

    async fn verify_all(&self, rows: &[StoredRecord]) -> Result<Vec<VerifiedRecord>, LedgerError> {
        let mut verified = Vec::with_capacity(rows.len());
        for row in rows {
            match self.verify_news(row).await {
                Ok(record) => verified.push(record),
                Err(broken) => {
                    let size = self.store.head().await?.map_or(0, |head| head.size);
                    if row.seq.get() < size {
                        return Err(broken);
                    }
                    tracing::warn!(seq = %row.seq, "a row beyond the head of the log was ignored");
                }
            }
        }
        Ok(verified)
    }

    /// Checks one row; if it does not verify, it may be by a key that the log has come to name since this process last looked.
    pub(crate) async fn verify_news(
        &self,
        row: &StoredRecord,
    ) -> Result<VerifiedRecord, LedgerError> {
        match self.verify(row) {
            Err(_) if row.seq.get() >= self.known_size() => {
                self.read_news().await?;
                self.verify(row)
            }
            checked => checked,
        }
    }

    /// Checks one row; the signature of a record that this process wrote has been made by itself.
    fn verify(&self, row: &StoredRecord) -> Result<VerifiedRecord, LedgerError> {
        let own = lock(&self.own).contains(&row.leaf);
        let checked = if own {
            self.trust().check_signed_here(row)
        } else {
            self.trust().check(row)
        };
        checked.map_err(|broken| LedgerError::Tampered {
            seq: row.seq.get(),
            why: broken.to_string(),
        })
    }

    /// Decodes verified records with the disclosures that lie beside them.
    pub(crate) async fn decode_all(
        &self,
        verified: &[VerifiedRecord],
    ) -> Result<Vec<Recorded>, LedgerError> {
        let seqs: Vec<Seq> = verified.iter().map(VerifiedRecord::seq).collect();
        let kept = self.store.find(Query::Disclosures(seqs)).await?;
        let disclosures: HashMap<DisclosureDigest, Disclosure> = self
            .opened(kept.disclosures()?)?
            .into_iter()
            .map(|disclosure| (disclosure.digest(), disclosure))
            .collect();
        let find = |digest: &DisclosureDigest| disclosures.get(digest).cloned();
        let mut recorded = Vec::with_capacity(verified.len());
        for record in verified {
            match journal::decode(record, &find) {
                Ok(Decoded::Event(one)) => recorded.push(*one),
                Ok(Decoded::Genesis | Decoded::Keys(_) | Decoded::NotJudged(_)) => {}
                Err(error) => {
                    return Err(LedgerError::Tampered {
                        seq: record.seq().get(),
                        why: error.to_string(),
                    });
                }
            }
        }
        Ok(recorded)
    }

    /// The receipt of a record that stands in the log.
    pub(crate) async fn receipt(&self, seq: Seq) -> Result<Receipt, LedgerError> {
        let rows = self.store.read(seq, std::num::NonZeroU32::MIN).await?;
        let record = rows
            .into_iter()
            .find(|row| row.seq == seq)
            .ok_or_else(|| LedgerError::Illegal(format!("there is no record {seq}")))?;
        let (size, checkpoint) = self
            .store
            .find(Query::Checkpoint {
                at_least: seq.get() + 1,
            })
            .await?
            .checkpoint()?
            .ok_or_else(|| LedgerError::Tampered {
                seq: seq.get(),
                why: "no checkpoint covers it".to_owned(),
            })?;
        let path = super::prove::inclusion(self.store.as_ref(), seq.get(), size).await?;
        Ok(Receipt {
            record,
            checkpoint,
            path,
            disclosures: Vec::new(),
        })
    }

    /// The disclosures that lie beside a record.
    pub(crate) async fn disclosures(&self, seq: Seq) -> Result<Vec<Disclosure>, LedgerError> {
        let found = self.store.find(Query::Disclosures(vec![seq])).await?;
        self.opened(found.disclosures()?)
    }

    /// What a store keeps, opened where it is sealed; without what cannot be opened any more.
    pub(super) fn opened(&self, kept: Vec<(Seq, Kept)>) -> Result<Vec<Disclosure>, LedgerError> {
        let values = match kept.iter().any(|(_, kept)| kept.clear().is_none()) {
            true => self.values.current()?,
            false => Keeping::Clear,
        };
        let opened = kept.into_iter().map(|(seq, kept)| values.open(seq, kept));
        opened.filter_map(Result::transpose).collect()
    }
}
