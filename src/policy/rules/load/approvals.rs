//! The approval profiles of a rule file.

use std::collections::BTreeSet;

use super::super::super::names::ProfileName;
use super::super::super::quorum::Quorum;
use super::super::super::requirement::{
    Clocks, Exclusion, MustSupply, Requirement, SelfApproval, Supply, Witnessing,
};
use super::super::tree::{Entry, Value};
use super::fields::{Fields, Report};
use super::values;

/// A profile; its requirement is missing where an error was reported.
#[derive(Debug)]
pub(super) struct Profile {
    pub name: ProfileName,
    pub line: usize,
    pub requirement: Option<Requirement>,
}

pub(super) fn profiles(entry: &Entry, report: &mut Report) -> Vec<Profile> {
    let Value::Table(entries) = &entry.node.value else {
        let message = format!(
            "`approvals` is a table of profiles, not {}",
            entry.node.value.noun()
        );
        report.error(entry.line, None, message);
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|entry| profile(entry, report))
        .collect()
}

fn profile(entry: &Entry, report: &mut Report) -> Option<Profile> {
    let name = match ProfileName::new(&entry.key) {
        Ok(name) => name,
        Err(error) => {
            report.error(entry.line, Some("approvals"), error.to_string());
            return None;
        }
    };
    let requirement = requirement(entry, &name, report);
    Some(Profile {
        name,
        line: entry.line,
        requirement,
    })
}

fn requirement(entry: &Entry, name: &ProfileName, report: &mut Report) -> Option<Requirement> {
    let place = format!("approval `{name}`");
    let mut fields = Fields::of(&entry.node, Some(place.clone()), report)?;
    let place = Some(place.as_str());

    let quorum = fields.required("quorum", report).and_then(|entry| {
        let text = values::text(entry, place, report)?;
        Quorum::parse(text)
            .map_err(|error| report.error(entry.line, place, format!("`quorum`: {error}")))
            .ok()
    });
    let exclude = match fields.take("exclude") {
        Some(entry) => exclusions(entry, place, report),
        None => BTreeSet::from(Exclusion::ALL),
    };

    let default = Clocks::default();
    let mut span = |key| {
        fields
            .take(key)
            .and_then(|entry| values::span(entry, place, report))
    };
    let clocks = Clocks {
        timeout: span("timeout").unwrap_or(default.timeout),
        valid_after_approval: span("valid_for").unwrap_or(default.valid_after_approval),
        run_within: span("run_within"),
        not_before: fields
            .take("not_before")
            .and_then(|entry| values::instant(entry, place, report)),
    };

    let supply = |required: Option<bool>| match required {
        Some(true) => Supply::Required,
        Some(false) | None => Supply::Optional,
    };
    let must_supply = MustSupply {
        reason: supply(fields.flag("reason_required", report)),
        ticket: supply(fields.flag("ticket_required", report)),
    };

    let witnessing = match fields.flag("witnessed", report) {
        Some(true) => Witnessing::BeforeStart,
        Some(false) | None => Witnessing::Afterwards,
    };

    let mut word = |key, only: &str| {
        let entry = fields.take(key)?;
        let text = values::text(entry, place, report)?;
        if text != only {
            report.error(
                entry.line,
                place,
                format!("`{key}` is `{only}` or left out"),
            );
        }
        Some(())
    };
    word("on_timeout", "deny");
    let self_approval = match word("self_approval", "recorded") {
        Some(()) => SelfApproval::Recorded,
        None => SelfApproval::Refused,
    };
    if let Some(false) = fields.flag("distinct", report) {
        let message = "`distinct` is true or left out: one person never fills two slots";
        report.error(fields.line(), place, message);
    }
    fields.finish(report);
    Some(Requirement {
        quorum: quorum?,
        exclude,
        clocks,
        must_supply,
        self_approval,
        witnessing,
        profiles: BTreeSet::from([name.clone()]),
    })
}

fn exclusions(entry: &Entry, place: Option<&str>, report: &mut Report) -> BTreeSet<Exclusion> {
    let expected = "`exclude` is a list of `requester`, `delegators`, `agent-owner` and `editors`";
    let Value::List(items) = &entry.node.value else {
        report.error(entry.line, place, expected);
        return BTreeSet::new();
    };
    let mut exclude = BTreeSet::new();
    for item in items {
        let word = match &item.value {
            Value::Text(text) => Exclusion::from_word(text),
            _ => None,
        };
        match word {
            Some(exclusion) => {
                exclude.insert(exclusion);
            }
            None => report.error(item.line, place, expected),
        }
    }
    for needed in [
        Exclusion::Requester,
        Exclusion::Delegators,
        Exclusion::AgentOwner,
    ] {
        if !exclude.contains(&needed) {
            let message = format!(
                "`exclude` leaves out `{}`, and nobody approves their own action: add it, and write `self_approval = \"recorded\"` for a single operator",
                needed.as_str()
            );
            report.error(entry.line, place, message);
        }
    }
    exclude
}
