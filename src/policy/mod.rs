//! What policy decides: questions, verdicts, requirements, quorums, and the built-in rules.
//!
//! A [`PolicyEvaluator`] answers a [`Question`] with an [`Evaluation`]. The built-in one is [`RuleSet`], read from TOML or JSON; other
//! engines are adapters onto the same verdicts. Nothing here reads time, keeps state or knows how approvals are stored.

mod combine;
mod evaluator;
mod facts;
mod matching;
mod names;
mod question;
mod quorum;
mod quorum_text;
mod requirement;
mod requirement_json;
mod rules;
mod selector;
mod verdict;

#[cfg(test)]
mod tests;

pub use combine::{AllOf, DenyUnlessPermitted, FirstApplicable, strictest};
pub use evaluator::{FromFn, PolicyError, PolicyEvaluator, from_fn};
pub use facts::{Fact, Facts, Known, Needs};
pub use matching::{CountedVote, Missing, Pool, Satisfied, Shortfall, Tally};
pub use names::{FactName, NameError, ProfileName, RuleId};
pub use question::{Phase, Question};
pub use quorum::{Quorum, QuorumError};
pub use requirement::{
    Clocks, Exclusion, MustSupply, Requirement, SelfApproval, Supply, Witnessing,
};
pub use requirement_json::RequirementJsonError;
pub use rules::{LoadError, LoadErrors, RuleSet, Warning};
pub use selector::{Selector, SelectorError, SelectorName};
pub use verdict::{Evaluation, Obligation, PolicyRevision, Verdict};
