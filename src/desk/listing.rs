//! What waits for a reviewer.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::action::{ActionName, ExecutionId, RequestId};
use crate::approval::{RequestState, Status};
use crate::clock::Timestamp;
use crate::identity::Approver;
use crate::policy::Selector;
use crate::store::{PageOf, Phase, Query};

use super::{DeskError, ReviewDesk, VoteRefused};

/// Which requests are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only this action.
    pub action: Option<ActionName>,
}

/// A part of a long list, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last request of the part before; `None` for the first.
    pub after: Option<RequestId>,
    /// At most so many; 500 at the most.
    pub limit: NonZeroU32,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            after: None,
            limit: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// Requests that wait for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Oldest first.
    pub requests: Vec<Listed>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<RequestId>,
}

/// One line of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The request.
    pub request: RequestId,
    /// What it asks for.
    pub action: ActionName,
    /// When it was filed.
    pub filed: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// The quorum, in words.
    pub quorum: String,
}

/// An execution that began and whose end nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// The request.
    pub request: RequestId,
    /// What ran.
    pub action: ActionName,
    /// The execution.
    pub execution: ExecutionId,
}

impl ReviewDesk {
    /// The pending requests that `by` may see.
    ///
    /// Which these may be is asked of rows that no signature covers, so whoever writes into the file can hide some from the list;
    /// what is listed was read from its records.
    ///
    /// # Errors
    /// [`DeskError::SignInExpired`], or that the log or the directory could not be used.
    pub async fn pending(
        &self,
        by: &Approver,
        filter: &Filter,
        page: Page,
    ) -> Result<Listing, DeskError> {
        self.signed_in(by)?;
        let (mut requests, mut after) = (Vec::new(), page.after);
        let limit = usize::try_from(page.limit.get())
            .unwrap_or(usize::MAX)
            .min(500);
        loop {
            let rows = self.rows([Phase::Pending], after, page.limit).await?;
            let Some(last) = rows.last() else {
                return Ok(Listing {
                    requests,
                    next: None,
                });
            };
            after = Some(*last);
            for request in rows {
                let Some(state) = self.seen(by, request).await? else {
                    continue;
                };
                let Status::Pending { expires } = state.status(self.parts.ledger.now()) else {
                    continue;
                };
                let Some(action) = action_of(&state) else {
                    continue;
                };
                if filter
                    .action
                    .as_ref()
                    .is_some_and(|wanted| *wanted != action)
                {
                    continue;
                }
                requests.push(Listed {
                    request,
                    action,
                    filed: state.filed(),
                    expires,
                    quorum: state
                        .requirement()
                        .map(|requirement| requirement.quorum.to_string())
                        .unwrap_or_default(),
                });
                if requests.len() >= limit {
                    return Ok(Listing {
                        requests,
                        next: Some(request),
                    });
                }
            }
        }
    }

    /// Executions whose outcome is unknown, of requests that `by` may see.
    ///
    /// # Errors
    /// As [`pending`](Self::pending).
    pub async fn unknown(&self, by: &Approver, page: Page) -> Result<Vec<Unresolved>, DeskError> {
        self.signed_in(by)?;
        let mut unresolved = Vec::new();
        for request in self
            .rows([Phase::Unresolved], page.after, page.limit)
            .await?
        {
            let Some(state) = self.seen(by, request).await? else {
                continue;
            };
            if let (Status::Unresolved { execution, .. }, Some(action)) =
                (state.status(self.parts.ledger.now()), action_of(&state))
            {
                unresolved.push(Unresolved {
                    request,
                    action,
                    execution,
                });
            }
        }
        Ok(unresolved)
    }

    async fn rows(
        &self,
        phases: impl IntoIterator<Item = Phase>,
        after: Option<RequestId>,
        limit: NonZeroU32,
    ) -> Result<Vec<RequestId>, DeskError> {
        let query = Query::Inbox(PageOf {
            phases: phases.into_iter().collect(),
            after,
            limit,
        });
        let found = self
            .parts
            .ledger
            .find(query)
            .await?
            .rows()
            .map_err(crate::ledger::LedgerError::from)?;
        Ok(found.into_iter().map(|row| row.request).collect())
    }

    async fn seen(
        &self,
        by: &Approver,
        request: RequestId,
    ) -> Result<Option<RequestState>, DeskError> {
        let Some(folded) = self.parts.ledger.request(request).await? else {
            return Ok(None);
        };
        match self.may_see(by, &folded.state).await {
            Ok(()) => Ok(Some(folded.state)),
            Err(DeskError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Those may see a request who could decide it, and those whom it concerns; one that policy allowed, any admitted person.
    pub(super) async fn may_see(
        &self,
        by: &Approver,
        state: &RequestState,
    ) -> Result<(), DeskError> {
        let Some(requirement) = state.requirement() else {
            return Ok(());
        };
        let wanted: BTreeSet<Selector> = requirement
            .quorum
            .selectors()
            .into_iter()
            .cloned()
            .collect();
        match self.satisfied(by, &wanted).await {
            Ok(held) if !held.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(VoteRefused::DirectoryUnavailable) => return Err(DeskError::DirectoryUnavailable),
            Err(_) => return Err(DeskError::NotFound),
        }
        let named = self.parts.ledger.name(by.person()).await?;
        let concerned = state
            .interests()
            .people()
            .any(|(_, person)| person == named.pseudonym);
        if concerned {
            Ok(())
        } else {
            Err(DeskError::NotFound)
        }
    }
}

fn action_of(state: &RequestState) -> Option<ActionName> {
    let name = state.bound().form().as_object()?.get("action")?.as_str()?;
    ActionName::new(name).ok()
}
