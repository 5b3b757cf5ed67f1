//! The facts of a card, in the order in which they are shown.

use std::{collections::BTreeSet, fmt::Display, time::Duration};

use crate::{
    action::{Action, ActorChain, Clarity, Dataset, Label, Principal, Resource, Tool},
    policy::{Clocks, MustSupply, Requirement, SelfApproval, Supply, Witnessing},
};

use super::{
    super::visible::quoted,
    CardSource, Fact, Section, Sensitive,
    values::{lines, mask, mask_of, name},
};

pub(super) fn facts(source: &CardSource<'_>) -> Vec<Fact> {
    let mut facts = Vec::with_capacity(32);
    request(source, &mut facts);
    who(source, &mut facts);
    target(source.action, &mut facts);
    parameters(source, &mut facts);
    data(source, &mut facts);
    context(source.action, &mut facts);
    policy(source, &mut facts);
    clocks(source, &mut facts);
    facts
}

fn request(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let mut fact =
        |label: &str, value: String| facts.push(Fact::new(Section::Request, label, value));
    fact("action", name(source.action.name()));
    if let Some(version) = source.action.operation_version() {
        fact("operation version", version.to_string());
    }
    fact("request", source.request.to_string());
    fact("digest", source.digest.to_string());
    if let Some(occurrence) = source.action.occurrence() {
        fact("occurrence", quoted(occurrence));
    }
    if let Some(replaced) = source.action.replaces() {
        fact("replaces request", replaced.to_string());
    }
    if let Some(trace) = source.action.trace() {
        fact("trace (not bound)", quoted(trace.as_ref()));
    }
}

fn who(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let CardSource {
        chain,
        session,
        action,
        ..
    } = source;
    let mut fact = |label: &str, value: String| facts.push(Fact::new(Section::Who, label, value));
    fact("acting", principal(chain.actor()));
    for delegator in chain.delegators() {
        fact("on behalf of", principal(delegator));
    }
    fact("chain established by", name(ActorChain::established(chain)));
    match chain.tenant() {
        Some(tenant) => fact("tenant", quoted(tenant.as_ref())),
        None => fact("tenant", "none".to_owned()),
    }
    fact("session", quoted(session.as_ref()));
    match action.tool() {
        None => fact("tool", "not named".to_owned()),
        Some(tool) => {
            fact("tool", quoted(Tool::name(tool)));
            if let Some(version) = tool.version_text() {
                fact("tool version", quoted(version));
            }
            if let Some(digest) = tool.program_digest() {
                fact("tool digest", digest.to_string());
            }
            if let Some(server) = tool.server_id() {
                fact("tool server", quoted(server));
            }
        }
    }
}

fn principal(principal: &Principal) -> String {
    let id = principal.id();
    format!(
        "{} {} of {}",
        principal.kind(),
        quoted(id.subject()),
        quoted(id.issuer())
    )
}

fn target(action: &Action, facts: &mut Vec<Fact>) {
    let mut fact =
        |label: &str, value: String| facts.push(Fact::new(Section::Target, label, value));
    if action.resources().is_empty() {
        fact("resource", "none named".to_owned());
    }
    for resource in action.resources() {
        let kind = name(Resource::resource_type(resource));
        fact(
            "resource",
            format!(
                "{kind} {}{}",
                quoted(resource.id()),
                labels(resource.labels())
            ),
        );
    }
}

fn labels(labels: &BTreeSet<Label>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    format!(" labelled {}", list(labels))
}

fn list(names: impl IntoIterator<Item = impl Display>) -> String {
    let names: Vec<_> = names.into_iter().map(name).collect();
    names.join(", ")
}

fn parameters(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let action = source.action;
    if action.parameters().is_empty() {
        facts.push(Fact::new(Section::Parameters, "params", "none"));
    }
    for (parameter, value) in action.parameters() {
        let path = format!("params.{}", name(parameter));
        let mut fact =
            |path: String, text: String| facts.push(Fact::new(Section::Parameters, path, text));
        match (source.sensitive, action.is_sensitive(parameter)) {
            (Sensitive::Masked, true) => fact(path, mask(value)),
            (Sensitive::Masked, false) | (Sensitive::Shown, _) => lines(&path, value, &mut fact),
        }
    }
}

fn data(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let action = source.action;
    let sides = [("reads", action.reads()), ("writes", action.writes())];
    for (label, datasets) in sides {
        let mut fact = |value: String| facts.push(Fact::new(Section::Data, label, value));
        if datasets.is_empty() {
            fact("none named".to_owned());
        }
        for dataset in datasets {
            fact(one_dataset(dataset, source.sensitive));
        }
    }
}

fn one_dataset(dataset: &Dataset, sensitive: Sensitive) -> String {
    let shown = match (sensitive, dataset.name_clarity()) {
        (Sensitive::Masked, Clarity::Hidden) => mask_of(dataset.name().chars().count()),
        (Sensitive::Masked, Clarity::Clear) | (Sensitive::Shown, _) => quoted(dataset.name()),
    };
    let namespace = quoted(dataset.namespace());
    format!(
        "{} {shown} in {namespace}{}",
        dataset.kind(),
        labels(dataset.labels())
    )
}

fn context(action: &Action, facts: &mut Vec<Fact>) {
    for (member, value, _) in action.context() {
        lines(
            &format!("context.{}", name(member)),
            value,
            &mut |path, text| {
                facts.push(Fact::new(Section::Context, path, text));
            },
        );
    }
}

fn policy(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let Requirement {
        quorum,
        exclude,
        clocks: _, // under their own heading
        must_supply,
        self_approval,
        witnessing,
        profiles,
    } = source.requirement;
    let mut fact =
        |label: &str, value: String| facts.push(Fact::new(Section::Policy, label, value));
    fact("needs", name(quorum));
    if !exclude.is_empty() {
        fact(
            "may not approve",
            list(exclude.iter().map(|exclusion| exclusion.as_str())),
        );
    }
    match self_approval {
        SelfApproval::Refused => {}
        SelfApproval::Recorded => fact(
            "exception",
            "the rules let people approve what they asked for themselves; each such approval is recorded as one".to_owned(),
        ),
    }
    let MustSupply { reason, ticket } = must_supply;
    let wanted = [("a reason", reason), ("a ticket", ticket)];
    let wanted: Vec<_> = wanted
        .into_iter()
        .filter(|(_, supply)| **supply == Supply::Required)
        .map(|(what, _)| what)
        .collect();
    if !wanted.is_empty() {
        fact("an approval must give", wanted.join(" and "));
    }
    match witnessing {
        Witnessing::Afterwards => {}
        Witnessing::BeforeStart => fact(
            "once approved",
            "it waits until the log's witnesses know of the decision".to_owned(),
        ),
    }
    if !profiles.is_empty() {
        fact("profile", list(profiles));
    }
    if !source.rules.is_empty() {
        fact("rule", list(source.rules));
    }
    if let Some(reason) = source.reason {
        fact("the rule says", quoted(reason));
    }
}

fn clocks(source: &CardSource<'_>, facts: &mut Vec<Fact>) {
    let Clocks {
        timeout: _, // `expires` is the instant that follows from it
        valid_after_approval,
        not_before,
        run_within,
    } = source.requirement.clocks;
    let mut fact =
        |label: &str, value: String| facts.push(Fact::new(Section::Clocks, label, value));
    fact("asked", source.asked.to_string());
    fact(
        "expires",
        format!("{}, then it does not run", source.expires),
    );
    fact(
        "once approved",
        format!("must start within {}", span(valid_after_approval)),
    );
    if let Some(instant) = not_before {
        fact("starts not before", instant.to_string());
    }
    if let Some(lease) = run_within {
        fact("may run unattended for", span(lease));
    }
}

/// A span in the largest unit that says it exactly.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        _ if seconds >= 3600 && seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
