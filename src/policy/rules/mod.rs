//! The built-in policy: rules in a file.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs};

use async_trait::async_trait;

use crate::clock::Timestamp;

use super::evaluator::{PolicyError, PolicyEvaluator};
use super::facts::Needs;
use super::question::Question;
use super::requirement::Witnessing;
use super::verdict::{Evaluation, PolicyRevision};
use decide::Policy;
use load::Loaded;
use tree::Node;

mod attribute;
mod decide;
mod error;
mod index;
mod load;
mod operator;
mod pattern;
mod quantity;
mod tree;
mod truth;
mod when;

#[cfg(test)]
mod tests;

pub use error::{LoadError, LoadErrors, Warning};

/// The engine's name and version, in each revision.
const ENGINE: &str = "countersign-rules/1";

/// Rules that were read from a file, checked as a whole and are ready to decide.
///
/// Nothing of a file is in force unless all of it is sound and its own `[[tests]]` pass. A clone is cheap.
///
/// ```
/// use countersign::policy::RuleSet;
///
/// let rules = RuleSet::from_toml(
///     r#"
///     version = 1
///
///     [[rules]]
///     id = "reading"
///     effect = "allow"
///     when = { action = "db.read" }
///
///     [[tests]]
///     action = "db.drop"
///     expect = "deny"
///     "#,
/// )?;
/// assert!(rules.warnings().is_empty());
///
/// let refused = RuleSet::from_toml("version = 1\nrule = []").unwrap_err();
/// assert!(refused.to_string().contains("line 2: unknown field `rule`"));
/// # Ok::<(), countersign::policy::LoadErrors>(())
/// ```
///
#[doc = include_str!("../../../docs/rules.md")]
#[derive(Clone)]
pub struct RuleSet {
    policy: Arc<Policy>,
    needs: Needs,
    revision: PolicyRevision,
    warnings: Arc<[Warning]>,
}

impl RuleSet {
    /// The rules of a TOML text.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the text, each with its rule and line.
    pub fn from_toml(text: &str) -> Result<Self, LoadErrors> {
        let root = tree::from_toml(text).map_err(LoadErrors::new)?;
        Self::from_tree(&root, text.as_bytes())
    }

    /// The rules of a JSON text: the same tables and lists as in TOML, admitted strictly.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the text, each with its rule and line.
    pub fn from_json(text: &[u8]) -> Result<Self, LoadErrors> {
        let root = tree::from_json(text).map_err(LoadErrors::new)?;
        Self::from_tree(&root, text)
    }

    /// The rules of a file: JSON if its name ends in `.json`, else TOML.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::from_toml`], and if the file cannot be read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, LoadErrors> {
        let path = path.as_ref();
        let unread = |error: String| {
            LoadErrors::new(vec![LoadError::new(
                0,
                None,
                format!("`{}`: {error}", path.display()),
            )])
        };
        let bytes = fs::read(path).map_err(|error| unread(error.to_string()))?;
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            return Self::from_json(&bytes);
        }
        let text = str::from_utf8(&bytes).map_err(|error| unread(error.to_string()))?;
        Self::from_toml(text)
    }

    fn from_tree(root: &Node, text: &[u8]) -> Result<Self, LoadErrors> {
        let Loaded {
            policy,
            mut warnings,
            cases,
        } = load::load(root).map_err(LoadErrors::new)?;
        let revision = PolicyRevision::of(ENGINE, text);
        let failed: Vec<LoadError> = cases
            .iter()
            .filter_map(|case| case.run(&policy, &revision, Timestamp::EPOCH))
            .collect();
        if !failed.is_empty() {
            return Err(LoadErrors::new(failed));
        }
        warnings.sort();
        Ok(Self {
            needs: match policy.witnessing() {
                Witnessing::Afterwards => Needs::nothing(),
                Witnessing::BeforeStart => Needs::nothing().witnesses(),
            },
            policy: Arc::new(policy),
            revision,
            warnings: Arc::from(warnings),
        })
    }

    /// What is sound in the file but hardly meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Answers one question, as [`PolicyEvaluator::evaluate`] does, which never waits here.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Limit`] where the question or the joint requirement is too large.
    pub fn decide(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        self.policy.decide(question, &self.revision)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            policy,
            needs: _,
            revision,
            warnings,
        } = self;
        f.debug_struct("RuleSet")
            .field("rules", &policy.index.len())
            .field("revision", revision)
            .field("warnings", warnings)
            .finish()
    }
}

#[async_trait]
impl PolicyEvaluator for RuleSet {
    fn needs(&self) -> &Needs {
        &self.needs
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        self.decide(question)
    }

    fn revision(&self) -> &PolicyRevision {
        &self.revision
    }
}
