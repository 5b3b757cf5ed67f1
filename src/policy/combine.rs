//! Several verdicts, one answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::evaluator::{PolicyError, PolicyEvaluator};
use super::facts::Needs;
use super::question::Question;
use super::requirement::Requirement;
use super::verdict::{Evaluation, PolicyRevision, Verdict};

/// The stricter of the verdict that was stored with a request and the one right before the start.
///
/// Two requirements are joined by [`Requirement::and`], and to have nothing to say is a denial. A joint requirement that is too
/// large to be decided is a denial as well.
///
/// ```
/// use countersign::policy::{Verdict, strictest};
///
/// assert_eq!(strictest(Verdict::Allow, Verdict::Deny), Verdict::Deny);
/// assert_eq!(strictest(Verdict::Allow, Verdict::NotApplicable), Verdict::Deny);
/// ```
pub fn strictest(stored: Verdict, fresh: Verdict) -> Verdict {
    use Verdict::{Allow, Deny, NotApplicable, RequireApproval};
    match (stored, fresh) {
        // Either side forbids, or does not know the action.
        (Deny | NotApplicable, _) | (_, Deny | NotApplicable) => Deny,
        // Both want people: those of both.
        (RequireApproval(stored), RequireApproval(fresh)) => {
            let both = stored.and(fresh);
            match both.quorum.check_size() {
                Ok(()) => RequireApproval(both),
                Err(_) => Deny,
            }
        }
        // One wants people, the other nothing.
        (RequireApproval(only), Allow) | (Allow, RequireApproval(only)) => RequireApproval(only),
        // Nobody objects.
        (Allow, Allow) => Allow,
    }
}

/// Asks every evaluator; the most restrictive answer wins.
///
/// Deny > error > require approval (requirements joined) > allow > not applicable. A further member can make the answer only stricter,
/// save that it may be the first to apply at all.
#[derive(Debug)]
pub struct AllOf(Members);

impl AllOf {
    /// All of `members`, in whatever order.
    pub fn new(members: Vec<Arc<dyn PolicyEvaluator>>) -> Self {
        Self(Members::new("all-of/1", members))
    }
}

#[async_trait]
impl PolicyEvaluator for AllOf {
    fn needs(&self) -> &Needs {
        &self.0.needs
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        let mut error = None;
        let mut answers = Vec::with_capacity(self.0.members.len());
        let mut revisions = Vec::with_capacity(self.0.members.len());
        for member in &self.0.members {
            match member.evaluate(question).await {
                Ok(answer) => {
                    revisions.push(answer.revision.clone());
                    answers.push(answer);
                }
                Err(failed) => {
                    revisions.push(member.revision().clone());
                    error = error.or(Some(failed));
                }
            }
        }
        let revision = self.0.revision_of(revisions);
        let denied = answers.iter().any(|answer| answer.verdict == Verdict::Deny);
        match (denied, error) {
            (false, Some(error)) => Err(error),
            (true, _) | (false, None) => most_restrictive(answers, revision),
        }
    }

    fn revision(&self) -> &PolicyRevision {
        &self.0.revision
    }
}

/// The most restrictive of the answers, told by those who gave it.
fn most_restrictive(
    answers: Vec<Evaluation>,
    revision: PolicyRevision,
) -> Result<Evaluation, PolicyError> {
    let strictness = |verdict: &Verdict| match verdict {
        Verdict::NotApplicable => 0,
        Verdict::Allow => 1,
        Verdict::RequireApproval(_) => 2,
        Verdict::Deny => 3,
    };
    let strictest = answers
        .iter()
        .map(|answer| strictness(&answer.verdict))
        .max()
        .unwrap_or(0);

    let mut rules = BTreeSet::new();
    let mut reasons = Vec::new();
    let mut duties = Vec::new();
    let mut joint: Option<Requirement> = None;
    for answer in answers {
        let Evaluation {
            verdict,
            decided_by,
            obligations,
            revision: _,
            reason,
        } = answer;
        // An obligation binds also where another member decided, as long as the action may run at all.
        duties.extend(obligations);
        if strictness(&verdict) < strictest {
            continue;
        }
        rules.extend(decided_by);
        reasons.extend(reason);
        if let Verdict::RequireApproval(requirement) = verdict {
            joint = Some(match joint {
                Some(so_far) => so_far.and(requirement),
                None => requirement,
            });
        }
    }
    let verdict = match (strictest, joint) {
        (2, Some(joint)) => {
            joint
                .quorum
                .check_size()
                .map_err(|error| PolicyError::Limit(error.to_string()))?;
            Verdict::RequireApproval(joint)
        }
        (1, _) => Verdict::Allow,
        (0, _) => Verdict::NotApplicable,
        _ => Verdict::Deny,
    };
    Ok(Evaluation {
        obligations: match verdict {
            Verdict::Allow | Verdict::RequireApproval(_) => duties,
            Verdict::Deny | Verdict::NotApplicable => Vec::new(),
        },
        verdict,
        decided_by: rules.into_iter().collect(),
        revision,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    })
}

/// Asks one evaluator after the other; the first that has something to say decides.
///
/// A later member can never tighten an earlier one's answer: prefer [`AllOf`] unless the order is meant. An error ends the
/// walk; it is not skipped.
#[derive(Debug)]
pub struct FirstApplicable(Members);

impl FirstApplicable {
    /// `members`, asked in this order.
    pub fn new(members: Vec<Arc<dyn PolicyEvaluator>>) -> Self {
        Self(Members::new("first-applicable/1", members))
    }
}

#[async_trait]
impl PolicyEvaluator for FirstApplicable {
    fn needs(&self) -> &Needs {
        &self.0.needs
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        let mut revisions: Vec<PolicyRevision> = self
            .0
            .members
            .iter()
            .map(|member| member.revision().clone())
            .collect();
        let mut decided = None;
        for (member, revision) in self.0.members.iter().zip(revisions.iter_mut()) {
            let answer = member.evaluate(question).await?;
            *revision = answer.revision.clone();
            if answer.verdict != Verdict::NotApplicable {
                decided = Some(answer);
                break;
            }
        }
        let revision = self.0.revision_of(revisions);
        Ok(match decided {
            Some(answer) => Evaluation { revision, ..answer },
            None => Evaluation::new(Verdict::NotApplicable, revision),
        })
    }

    fn revision(&self) -> &PolicyRevision {
        &self.0.revision
    }
}

/// Turns "nothing to say" into a denial: the outermost evaluator.
#[derive(Debug)]
pub struct DenyUnlessPermitted<E> {
    inner: E,
}

impl<E: PolicyEvaluator> DenyUnlessPermitted<E> {
    /// `inner`, closed.
    pub fn new(inner: E) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl<E: PolicyEvaluator> PolicyEvaluator for DenyUnlessPermitted<E> {
    fn needs(&self) -> &Needs {
        self.inner.needs()
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        let answer = self.inner.evaluate(question).await?;
        Ok(match answer.verdict {
            Verdict::NotApplicable => Evaluation::new(Verdict::Deny, answer.revision),
            Verdict::Allow | Verdict::Deny | Verdict::RequireApproval(_) => answer,
        })
    }

    fn revision(&self) -> &PolicyRevision {
        self.inner.revision()
    }
}

/// The evaluators of a combination, what they need together, and their joint revision.
#[derive(Debug)]
struct Members {
    engine: &'static str,
    members: Vec<Arc<dyn PolicyEvaluator>>,
    needs: Needs,
    revisions: Vec<PolicyRevision>,
    revision: PolicyRevision,
}

impl Members {
    fn new(engine: &'static str, members: Vec<Arc<dyn PolicyEvaluator>>) -> Self {
        let needs = members
            .iter()
            .fold(Needs::nothing(), |needs, member| needs.and(member.needs()));
        let revisions: Vec<PolicyRevision> = members
            .iter()
            .map(|member| member.revision().clone())
            .collect();
        Self {
            revision: joint_revision(engine, &revisions),
            engine,
            members,
            needs,
            revisions,
        }
    }

    /// The joint revision; a member that adopted another policy since moves it.
    fn revision_of(&self, revisions: Vec<PolicyRevision>) -> PolicyRevision {
        if revisions == self.revisions {
            self.revision.clone()
        } else {
            joint_revision(self.engine, &revisions)
        }
    }
}

fn joint_revision(engine: &str, revisions: &[PolicyRevision]) -> PolicyRevision {
    let text: Vec<u8> = revisions
        .iter()
        .flat_map(|one| *one.digest().as_bytes())
        .collect();
    PolicyRevision::of(engine, &text)
}
