//! From the rules that match to one verdict.

use std::collections::BTreeMap;

use super::super::evaluator::PolicyError;
use super::super::names::ProfileName;
use super::super::question::Question;
use super::super::requirement::{Requirement, Witnessing};
use super::super::verdict::{Evaluation, Obligation, PolicyRevision, Verdict};
use super::index::{Effect, Index, Rule};

/// What rules are made of once they are loaded.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub index: Index,
    pub profiles: BTreeMap<ProfileName, Requirement>,
    pub default: Fallback,
}

/// The answer where no rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    Deny,
    Approve(ProfileName),
    Allow,
}

impl Policy {
    /// Deny > approve (requirements joined) > allow > default; the order of the rules in the file has no part in it. Whether witnesses
    /// come first stands beside that.
    pub fn decide(
        &self,
        question: &Question<'_>,
        revision: &PolicyRevision,
    ) -> Result<Evaluation, PolicyError> {
        let mut denying = Vec::new();
        let mut approving = Vec::new();
        let mut allowing = Vec::new();
        let mut witnessing = Vec::new();
        for rule in self.index.matching(question)? {
            match &rule.effect {
                Effect::Deny => denying.push(rule),
                Effect::Approve(profile) => approving.push((profile, rule)),
                Effect::Allow => allowing.push(rule),
                Effect::Witness => witnessing.push(rule),
            }
        }
        let (verdict, mut decided) = if !denying.is_empty() {
            (Verdict::Deny, denying)
        } else if !approving.is_empty() {
            let mut profiles: Vec<&ProfileName> =
                approving.iter().map(|(profile, _)| *profile).collect();
            profiles.sort_unstable();
            profiles.dedup();
            let rules = approving.into_iter().map(|(_, rule)| rule).collect();
            (Verdict::RequireApproval(self.joint(&profiles)?), rules)
        } else if !allowing.is_empty() {
            (Verdict::Allow, allowing)
        } else {
            let verdict = match &self.default {
                Fallback::Deny => Verdict::Deny,
                Fallback::Approve(profile) => Verdict::RequireApproval(self.joint(&[profile])?),
                Fallback::Allow => Verdict::Allow,
            };
            (verdict, Vec::new())
        };
        // What does not run needs no witness.
        if verdict == Verdict::Deny {
            witnessing.clear();
        }
        let witnessed = !witnessing.is_empty();
        decided.append(&mut witnessing);
        let mut evaluation = explained(verdict, decided, revision);
        if witnessed {
            evaluation.obligations.push(Obligation::witnessed());
        }
        Ok(evaluation)
    }

    /// What the strictest answer asks of witnesses.
    pub fn witnessing(&self) -> Witnessing {
        let profiles = self.profiles.values();
        let profiles = profiles.map(|requirement| requirement.witnessing);
        let rules = self.index.rules().iter().map(|rule| match rule.effect {
            Effect::Witness => Witnessing::BeforeStart,
            Effect::Deny | Effect::Approve(_) | Effect::Allow => Witnessing::Afterwards,
        });
        profiles.chain(rules).max().unwrap_or_default()
    }

    /// The requirement that meets all of `profiles`.
    fn joint(&self, profiles: &[&ProfileName]) -> Result<Requirement, PolicyError> {
        let mut joint: Option<Requirement> = None;
        for profile in profiles {
            let one = self.profiles.get(*profile).cloned();
            let one = one.ok_or_else(|| {
                PolicyError::Limit(format!("the approval profile `{profile}` is gone"))
            })?;
            joint = Some(match joint {
                Some(so_far) => so_far.and(one),
                None => one,
            });
        }
        let joint =
            joint.ok_or_else(|| PolicyError::Limit("no approval profile applies".to_owned()))?;
        joint
            .quorum
            .check_size()
            .map_err(|error| PolicyError::Limit(error.to_string()))?;
        Ok(joint)
    }
}

fn explained(verdict: Verdict, mut decided: Vec<&Rule>, revision: &PolicyRevision) -> Evaluation {
    decided.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let mut reasons: Vec<&str> = decided
        .iter()
        .filter_map(|rule| rule.reason.as_deref())
        .collect();
    reasons.dedup();
    Evaluation {
        verdict,
        decided_by: decided.iter().map(|rule| rule.id.clone()).collect(),
        obligations: Vec::new(),
        revision: revision.clone(),
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}
