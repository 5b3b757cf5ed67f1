//! Filing an action: the first evaluation, and the record of what it said.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::action::{Action, Rebuilt, RequestId, Stamp, bind, join_input};
use crate::approval::{
    Controllers, Disposition, Event, Hidden, Requested, Standing, Status, Superseded,
};
use crate::clock::Timestamp;
use crate::identity::{Known, Members, Why};
use crate::ledger::{Drafts, Folded, Interested, LedgerError, Shared, channel_key, rebuild};
use crate::log::{RequestRef, Role};
use crate::policy::{Exclusion, Pool, Requirement, SelfApproval, Witnessing};
use crate::store::{NoticeKind, Query, Row, ScopeKey, Tag};

use super::assess::{Assessment, Failure, Ruling, When};
use super::handle::{Allowed, unread, unwritten};
use super::permit::{Basis, Pass, Unused};
use super::{Cause, Filing, Gate, Missing, Permit, PolicyDenial, Refusal};

/// How many members of a selector are counted before it certainly suffices (a quorum asks for at most 32 of one).
const ENOUGH: u32 = 256;
/// How often filing starts over because another caller filed the same action meanwhile.
const ROUNDS: usize = 3;

impl Gate {
    pub(super) async fn file(&self, action: Action, allowed: Allowed) -> Result<Filing, Refusal> {
        for _ in 1..ROUNDS {
            match self.file_once(&action, allowed).await {
                // Another process named a person, or filed the same, at the same time: what it wrote is to be read first.
                Err(Refusal::CouldNotDecide(Cause::Unsettled)) => {}
                filed => return filed,
            }
        }
        self.file_once(&action, allowed).await
    }

    async fn file_once(&self, action: &Action, allowed: Allowed) -> Result<Filing, Refusal> {
        if let Some(error) = self.parts.ledger.stopped() {
            return Err(unread(error));
        }
        let assessment = self
            .parts
            .assess(action, &self.chain, &self.session, When::Asked)
            .await
            .map_err(unread)?;
        let Assessment {
            ruling,
            decision,
            interested,
            reason,
        } = assessment;
        let draft = Draft {
            gate: self,
            interested,
            decision,
            reason,
        };
        match ruling {
            Ruling::Deny(failure) => draft.deny(action, failure).await,
            Ruling::Allow(witnessing) => draft.allow(action, allowed, witnessing).await,
            Ruling::RequireApproval(requirement) => {
                match self.feasible(&requirement, &draft.interested).await? {
                    Ok(()) => draft.ask(action, requirement).await,
                    Err(missing) => draft.unsatisfiable(action, missing).await,
                }
            }
        }
    }

    /// Whether any group of eligible people could meet the requirement at all.
    pub(super) async fn feasible(
        &self,
        requirement: &Requirement,
        interested: &Interested,
    ) -> Result<Result<(), Missing>, Refusal> {
        let lenient = match requirement.self_approval {
            SelfApproval::Recorded => true,
            SelfApproval::Refused => false,
        };
        let unknowable = interested.interests.controllers() == Controllers::Unknown
            && requirement.exclude.contains(&Exclusion::AgentOwner);
        if unknowable && !lenient {
            return Ok(Err(Missing {
                lacking: Vec::new(),
            }));
        }
        let mut pools = std::collections::BTreeMap::new();
        let most = NonZeroU32::new(ENOUGH).unwrap_or(NonZeroU32::MIN);
        for selector in requirement.quorum.selectors() {
            let answer = self
                .parts
                .ledger
                // The call itself may panic as well, not only its future.
                .bounded(async { self.parts.directory.members(selector, most).await })
                .await;
            let pool = match answer {
                Ok(Ok(Known::Known { value, .. })) => match value {
                    Members::MoreThan(many) => Pool::MoreThan(many.get()),
                    Members::All(persons) => {
                        let mut able = std::collections::BTreeSet::new();
                        for person in persons {
                            let named = self.parts.ledger.name(&person).await.map_err(unread)?;
                            let standing = interested
                                .interests
                                .excluded(&named.pseudonym, &requirement.exclude);
                            if lenient || standing == Standing::Free {
                                able.insert(person);
                            }
                        }
                        Pool::All(able)
                    }
                },
                // A directory that cannot list may still know each member when he votes.
                Ok(Ok(Known::Unknown(Why::Unsupported))) => Pool::MoreThan(ENOUGH),
                Ok(Ok(Known::Unknown(_))) => Pool::All(std::collections::BTreeSet::new()),
                Ok(Err(_)) | Err(_) => {
                    return Err(Refusal::CouldNotDecide(Cause::DirectoryUnavailable));
                }
            };
            pools.insert(selector.clone(), pool);
        }
        Ok(requirement
            .quorum
            .feasible(&pools)
            .map_err(|missing| Missing {
                lacking: missing
                    .shortfalls
                    .iter()
                    .map(|one| format!("{} of {}", one.count, one.selector))
                    .collect(),
            }))
    }
}

/// A decision on its way into the log.
struct Draft<'a> {
    gate: &'a Gate,
    interested: Interested,
    decision: crate::approval::Decision,
    reason: Option<String>,
}

impl Draft<'_> {
    /// The `requested` event, bound and salted under a fresh request id.
    fn drafts(
        &self,
        action: &Action,
        disposition: Disposition,
    ) -> Result<(RequestId, Drafts), Refusal> {
        let parts = &self.gate.parts;
        let mut salts = crate::ledger::salts();
        let request = RequestId::new(parts.ledger.now(), &mut salts)
            .map_err(|_| unwritten(LedgerError::NoEntropy))?;
        let stamp = Stamp {
            request,
            chain: &self.gate.chain,
            session: &self.gate.session,
            persons: &self.interested.hops,
        };
        let bound = bind(action, &stamp, &mut salts)
            .map_err(|error| Refusal::CouldNotDecide(Cause::TooLarge(error.to_string())))?;
        let reference = RequestRef {
            id: request,
            digest: bound.digest(),
        };
        let requested = Event::Requested(Arc::new(Requested {
            bound,
            decision: self.decision.clone(),
            instance: parts.ledger.instance,
            interests: self.interested.interests.clone(),
            disposition,
            because: action
                .justification()
                .map(|text| Hidden::Known(text.to_owned())),
            reason: self.reason.clone().map(Hidden::Known),
            trace: action.trace().cloned(),
        }));
        let mut drafts = Drafts::begin(&parts.ledger, reference);
        if let Some(adoption) = parts.adopting(&self.decision.revision) {
            drafts.push(Role::Gate, adoption).map_err(unwritten)?;
        }
        drafts.push(Role::Gate, requested).map_err(unwritten)?;
        drafts.rows(self.interested.rows.iter().cloned());
        Ok((request, drafts))
    }

    async fn write(&self, drafts: Drafts) -> Result<Folded, LedgerError> {
        let (_, folded) = drafts.append().await?;
        self.gate.parts.adopted(&self.decision.revision);
        folded.ok_or(LedgerError::Panicked)
    }

    async fn deny(self, action: &Action, failure: Option<Failure>) -> Result<Filing, Refusal> {
        let disposition = Disposition::Deny {
            cause: failure.map(Failure::denial),
        };
        let (request, drafts) = self.drafts(action, disposition)?;
        // Whoever was refused hears it even if the record fails; nothing ran either way.
        if let Err(error) = self.write(drafts).await {
            return Err(unwritten(error));
        }
        Err(match failure.and_then(Failure::cause) {
            Some(cause) => Refusal::CouldNotDecide(cause),
            None => Refusal::Denied(Box::new(PolicyDenial {
                request,
                rules: self.decision.rules,
                reason: self.reason,
            })),
        })
    }

    async fn unsatisfiable(self, action: &Action, missing: Missing) -> Result<Filing, Refusal> {
        let disposition = Disposition::Deny {
            cause: Some(crate::approval::DenialCause::Unsatisfiable),
        };
        let (_, drafts) = self.drafts(action, disposition)?;
        self.write(drafts).await.map_err(unwritten)?;
        Err(Refusal::Unsatisfiable(Box::new(missing)))
    }

    async fn allow(
        self,
        action: &Action,
        allowed: Allowed,
        witnessing: Witnessing,
    ) -> Result<Filing, Refusal> {
        let ledger = &self.gate.parts.ledger;
        let now = ledger.now();
        let disposition = Disposition::Allow {
            use_by: now.saturating_add(ledger.limits.allowed_for),
            witnessing,
        };
        let (request, drafts) = self.drafts(action, disposition)?;
        // What takes another request's place has to stand in the log before that one is closed. And whoever names a person first
        // may find that another caller was faster: filing starts over then, which a start that is written with it could not. Witnesses
        // see only what is in the log.
        let alone = action.replaces().is_none()
            && self.interested.rows.is_empty()
            && witnessing == Witnessing::Afterwards;
        let basis = match allowed {
            Allowed::RecordedWithStart if alone => Basis::Deferred(Box::new(drafts)),
            Allowed::RecordedNow | Allowed::RecordedWithStart => {
                self.write(drafts).await.map_err(unwritten)?;
                self.supersede(action, request).await?;
                Basis::Recorded
            }
        };
        Ok(Filing::Permitted(Permit {
            pass: Box::new(Pass {
                parts: Arc::clone(&self.gate.parts),
                chain: Arc::clone(&self.gate.chain),
                session: self.gate.session.clone(),
                action: action.clone(),
                request,
                basis,
            }),
            unused: Unused {
                turn: None,
                until: now.saturating_add(ledger.limits.permit_lifetime),
            },
        }))
    }

    /// Joins the pending request of the same action, or files a new one with a notice for each channel.
    async fn ask(self, action: &Action, requirement: Requirement) -> Result<Filing, Refusal> {
        let ledger = &self.gate.parts.ledger;
        let input = join_input(action, &self.gate.chain, &self.gate.session);
        let tag = ledger.join_tag(&input);
        let scope = join_scope(&tag);
        for _ in 0..ROUNDS {
            let version = ledger.versions([scope.clone()]).await.map_err(unread)?;
            let version = version.get(&scope).copied().unwrap_or(0);
            if let Some(request) = self.pending(&tag, &input).await? {
                self.supersede(action, request).await?;
                return Ok(Filing::Waiting(request));
            }
            let now = ledger.now();
            let disposition = Disposition::RequireApproval {
                requirement: requirement.clone(),
                expires: now.saturating_add(requirement.clocks.timeout),
            };
            let (request, mut drafts) = self.drafts(action, disposition)?;
            drafts.expect(scope.clone(), version);
            drafts.moving(scope.clone());
            drafts.rows(notices(ledger, request, now).map_err(unwritten)?);
            match self.write(drafts).await {
                Ok(_) => {
                    self.supersede(action, request).await?;
                    return Ok(Filing::Waiting(request));
                }
                Err(LedgerError::Moved) => {}
                Err(error) => return Err(unwritten(error)),
            }
        }
        Err(Refusal::CouldNotDecide(Cause::Unsettled))
    }

    /// The pending request whose bound values are, byte for byte, those of `input`.
    async fn pending(&self, tag: &Tag, input: &[u8]) -> Result<Option<RequestId>, Refusal> {
        let ledger = &self.gate.parts.ledger;
        let found = async { ledger.store.find(Query::Join(*tag)).await?.rows() }.await;
        // The index is a cache: what is joined is the request as its records tell it.
        for row in found.map_err(|error| unread(error.into()))? {
            let folded = match self.gate.own(row.request).await {
                Ok(folded) => folded,
                Err(Refusal::NotFound) => continue,
                Err(refusal) => return Err(refusal),
            };
            let unbound = rebuild(folded.state.bound());
            let same = unbound
                .as_ref()
                .is_some_and(|unbound| match &unbound.action {
                    Rebuilt::Action(action) => {
                        join_input(action, &self.gate.chain, &self.gate.session) == input
                    }
                    Rebuilt::Incomplete(_) => false,
                });
            if let (Status::Pending { .. }, true) = (folded.state.status(ledger.now()), same) {
                return Ok(Some(row.request));
            }
        }
        Ok(None)
    }

    /// Closes the request that this one replaces, if it is this actor's and still open.
    async fn supersede(&self, action: &Action, by: RequestId) -> Result<(), Refusal> {
        let ledger = &self.gate.parts.ledger;
        let Some(former) = action.replaces().filter(|former| *former != by) else {
            return Ok(());
        };
        match self.gate.own(former).await {
            Ok(_) => {}
            Err(Refusal::NotFound) => return Ok(()),
            Err(refusal) => return Err(refusal),
        }
        let instance = ledger.instance;
        ledger
            .write_if(former, Role::Gate, |state| {
                match state.status(ledger.now()) {
                    Status::Pending { .. } | Status::Approved { .. } => {
                        Some(Event::Superseded(Superseded { by, instance }))
                    }
                    _ => None,
                }
            })
            .await
            .map_err(unwritten)?;
        Ok(())
    }
}

/// A question to each channel of this process.
pub(super) fn notices(
    ledger: &Shared,
    request: RequestId,
    now: Timestamp,
) -> Result<Vec<Row>, LedgerError> {
    let channels = ledger
        .notifiers
        .iter()
        .map(|notifier| channel_key(notifier.channel()));
    ledger.notices(channels, request, NoticeKind::Ask, now)
}

fn join_scope(tag: &Tag) -> ScopeKey {
    let mut name = b"join\0".to_vec();
    name.extend_from_slice(tag.as_bytes());
    ScopeKey::new(name)
}
