//! From located values to a policy, or to everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::names::{ProfileName, RuleId};
use super::super::requirement::Requirement;
use super::decide::{Fallback, Policy};
use super::error::{LoadError, Warning};
use super::index::{Effect, Index, Rule};
use super::tree::{Entry, Node, Value};
use fields::{Fields, Report};

mod approvals;
pub(super) mod cases;
mod conditions;
mod fields;
mod lint;
mod values;

/// The most rules in one file.
const MAX_RULES: usize = 10_000;

/// A policy whose own tests have not run yet.
pub(super) struct Loaded {
    pub policy: Policy,
    pub warnings: Vec<Warning>,
    pub cases: Vec<cases::Case>,
}

/// The policy that `root` spells.
pub(super) fn load(root: &Node) -> Result<Loaded, Vec<LoadError>> {
    let mut report = Report::default();
    let loaded = file(root, &mut report);
    match loaded {
        Some(loaded) if report.errors.is_empty() => Ok(Loaded {
            warnings: report.warnings,
            ..loaded
        }),
        _ => Err(report.errors),
    }
}

/// One condition by itself.
#[cfg(test)]
pub(super) fn condition(node: &Node) -> Option<super::when::When<super::attribute::Attribute>> {
    conditions::when(node, None, &mut Report::default())
}

fn file(root: &Node, report: &mut Report) -> Option<Loaded> {
    let mut fields = Fields::of(root, None, report)?;
    match fields
        .required("version", report)
        .map(|entry| (entry.line, &entry.node.value))
    {
        Some((_, Value::Number(version))) if version.as_i64() == Some(1) => {}
        Some((line, _)) => report.error(line, None, "`version` is 1 and nothing else"),
        None => {}
    }
    let default = fields.take("default");
    let allow_by_default = fields.flag("allow_by_default", report);
    let profiles = fields
        .take("approvals")
        .map(|entry| approvals::profiles(entry, report))
        .unwrap_or_default();
    let rules = fields.list("rules", report);
    let cases = fields.list("tests", report);
    fields.finish(report);

    if let Some(extra) = rules.get(MAX_RULES) {
        report.error(
            extra.line,
            None,
            "there are more than 10000 rules: split the file",
        );
        return None;
    }
    let mut used = BTreeSet::new();
    let default = fallback(default, allow_by_default, &mut used, report);
    let rules: Vec<Rule> = rules
        .iter()
        .enumerate()
        .filter_map(|(number, node)| rule(node, number + 1, &mut used, report))
        .collect();
    unique_ids(&rules, report);
    let profiles = known_profiles(profiles, &used, report);
    lint::lint(&rules, report);
    let cases = cases
        .iter()
        .enumerate()
        .filter_map(|(number, node)| cases::case(node, number + 1, report))
        .collect();
    Some(Loaded {
        policy: Policy {
            index: Index::new(rules),
            profiles,
            default,
        },
        warnings: Vec::new(),
        cases,
    })
}

/// A profile that something refers to, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    name: ProfileName,
    line: usize,
    place: Option<String>,
}

fn fallback(
    default: Option<&Entry>,
    allow_by_default: Option<bool>,
    used: &mut BTreeSet<Use>,
    report: &mut Report,
) -> Fallback {
    let Some(Entry { key: _, line, node }) = default else {
        return Fallback::Deny;
    };
    match &node.value {
        Value::Text(text) if text == "deny" => Fallback::Deny,
        Value::Text(text) if text == "allow" => {
            if allow_by_default != Some(true) {
                let message = "`default = \"allow\"` lets every action run that no rule names: write `allow_by_default = true` beside it if that is meant";
                report.error(*line, None, message);
            }
            Fallback::Allow
        }
        Value::Text(text) => match text.strip_prefix("approve:").map(ProfileName::new) {
            Some(Ok(name)) => {
                used.insert(Use {
                    name: name.clone(),
                    line: *line,
                    place: None,
                });
                Fallback::Approve(name)
            }
            Some(Err(error)) => {
                report.error(*line, None, error.to_string());
                Fallback::Deny
            }
            None => {
                report.error(
                    *line,
                    None,
                    "`default` is `deny`, `approve:` and a profile, or `allow`",
                );
                Fallback::Deny
            }
        },
        other => {
            report.error(
                *line,
                None,
                format!("`default` is a text, not {}", other.noun()),
            );
            Fallback::Deny
        }
    }
}

fn rule(node: &Node, number: usize, used: &mut BTreeSet<Use>, report: &mut Report) -> Option<Rule> {
    let mut fields = Fields::of(node, Some(format!("rule {number}")), report)?;
    let id = fields
        .required("id", report)
        .and_then(|entry| values::text(entry, fields.place(), report));
    let id = id.and_then(|text| match RuleId::new(text) {
        Ok(id) => {
            fields.rename(format!("rule `{id}`"));
            Some(id)
        }
        Err(error) => {
            report.error(node.line, fields.place(), format!("`id`: {error}"));
            None
        }
    });
    let effect = fields.required("effect", report);
    let effect =
        effect.and_then(|entry| Some((entry.line, values::text(entry, fields.place(), report)?)));
    let approval = fields.take("approval");
    let when = fields
        .required("when", report)
        .and_then(|entry| conditions::when(&entry.node, fields.place(), report));
    let reason = fields
        .take("reason")
        .and_then(|entry| values::text(entry, fields.place(), report));
    let place = fields.finish(report);
    let place = place.as_deref();

    let effect = match (effect?, approval) {
        ((_, "deny"), None) => Effect::Deny,
        ((_, "allow"), None) => Effect::Allow,
        ((_, "witness"), None) => Effect::Witness,
        ((_, "approve"), Some(entry)) => {
            let text = values::text(entry, place, report)?;
            match ProfileName::new(text) {
                Ok(name) => {
                    used.insert(Use {
                        name: name.clone(),
                        line: entry.line,
                        place: place.map(str::to_owned),
                    });
                    Effect::Approve(name)
                }
                Err(error) => {
                    report.error(entry.line, place, format!("`approval`: {error}"));
                    return None;
                }
            }
        }
        ((line, "approve"), None) => {
            report.error(
                line,
                place,
                "`effect = \"approve\"` needs `approval` with the name of a profile",
            );
            return None;
        }
        ((_, "deny" | "allow" | "witness"), Some(entry)) => {
            report.error(
                entry.line,
                place,
                "only a rule with `effect = \"approve\"` has an `approval`",
            );
            return None;
        }
        ((line, other), _) => {
            let other = values::shown(other);
            report.error(
                line,
                place,
                format!("`{other}` is no effect: use `deny`, `approve`, `allow` or `witness`"),
            );
            return None;
        }
    };
    Some(Rule {
        id: id?,
        line: node.line,
        effect,
        when: when?,
        reason: reason.map(Arc::from),
    })
}

fn unique_ids(rules: &[Rule], report: &mut Report) {
    let mut first: BTreeMap<&RuleId, usize> = BTreeMap::new();
    for rule in rules {
        if let Some(line) = first.get(&rule.id) {
            let message = format!("the rule at line {line} has this id already");
            report.error(rule.line, Some(&format!("rule `{}`", rule.id)), message);
        } else {
            first.insert(&rule.id, rule.line);
        }
    }
}

/// Checks that every profile that is used exists, and warns of those that are not used.
fn known_profiles(
    profiles: Vec<approvals::Profile>,
    used: &BTreeSet<Use>,
    report: &mut Report,
) -> BTreeMap<ProfileName, Requirement> {
    let names: BTreeSet<&ProfileName> = profiles.iter().map(|profile| &profile.name).collect();
    for Use { name, line, place } in used {
        if !names.contains(name) {
            let message =
                format!("there is no approval profile `{name}`: write `[approvals.{name}]`");
            report.error(*line, place.as_deref(), message);
        }
    }
    for profile in &profiles {
        if !used.iter().any(|one| one.name == profile.name) {
            report.warn(
                profile.line,
                format!("no rule uses the approval profile `{}`", profile.name),
            );
        }
    }
    // A profile with an error in it has no requirement; the error keeps the file from being used.
    profiles
        .into_iter()
        .filter_map(|profile| Some((profile.name, profile.requirement?)))
        .collect()
}
