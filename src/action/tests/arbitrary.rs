//! Actions, chains and sessions with texts that try to pass for structure.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::canonical::Object;

/// Who does what, in which session.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) action: Action,
    pub(super) chain: ActorChain,
    pub(super) session: SessionId,
}

/// Few different values, so that two scenes are sometimes the same.
pub(super) fn any_scene() -> impl Strategy<Value = Scene> {
    (any_action(), any_chain(), any_session()).prop_map(|(action, chain, session)| Scene {
        action,
        chain,
        session,
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]",
        2 => "[a\"\\\\,:{}\\[\\]|/'\u{e9}\u{1f600}\u{e000}_ .-]{1,6}",
        1 => select(vec![
            r#"","x":""#, r#"a","_sd":["#, "_sd", "...", "null", "a\u{202e}b", "p-00", "a/b", "\\u0022",
        ]).prop_map(str::to_owned),
    ]
}

pub(super) fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3_i32..3).prop_map(Json::from),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(|integer| Json::try_from(integer).unwrap()),
        select(vec!["98.7", "4.5", "1e30", "-0.001", "1e-7"])
            .prop_map(|literal| Json::from(Number::parse(literal).unwrap())),
        any_text().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name = any_text().prop_filter("reserved", |name| !matches!(&**name, "_sd" | "..."));
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((name, inner), 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

/// A value that may stand in the clear.
fn any_clear_json() -> impl Strategy<Value = Json> {
    any_json().prop_filter("has a fraction", |json| {
        Action::named("a").context_clear("x", json).build().is_ok()
    })
}

fn any_name() -> impl Strategy<Value = String> {
    select(vec![
        "a",
        "b",
        "a.b",
        "A",
        "__proto__",
        "sensitive",
        "clear",
        "x-1",
        "_",
    ])
    .prop_map(str::to_owned)
}

fn any_labels() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["pii", "a:b", "a", "b"]), 0..3)
}

fn any_dataset() -> impl Strategy<Value = Dataset> {
    (
        select(vec![
            DatasetKind::Data,
            DatasetKind::Model,
            DatasetKind::Code,
        ]),
        any_text(),
        any_text(),
        any_labels(),
        any::<bool>(),
    )
        .prop_map(|(kind, namespace, name, labels, sensitive)| {
            let dataset = Dataset::of_kind(kind, namespace, name);
            let dataset = labels.into_iter().fold(dataset, Dataset::label);
            if sensitive {
                dataset.sensitive()
            } else {
                dataset
            }
        })
}

fn any_resource() -> impl Strategy<Value = Resource> {
    (
        select(vec!["table", "host"]),
        any_text(),
        any_labels(),
        any::<bool>(),
    )
        .prop_map(|(resource_type, id, labels, clear)| {
            let resource = Resource::new(resource_type, id);
            let resource = labels.into_iter().fold(resource, Resource::label);
            if clear { resource.clear_id() } else { resource }
        })
}

fn any_tool() -> impl Strategy<Value = Tool> {
    let word = || option::of(select(vec!["1", "\"", "a,b", "{}"]));
    (
        select(vec!["t", "t\",\"version\":\"1"]),
        word(),
        word(),
        option::of(any::<[u8; 32]>()),
    )
        .prop_map(|(name, version, server, digest)| {
            let mut tool = Tool::new(name);
            if let Some(version) = version {
                tool = tool.version(version);
            }
            if let Some(server) = server {
                tool = tool.server(server);
            }
            if let Some(digest) = digest {
                tool = tool.digest(crate::canonical::Digest::from_bytes(digest));
            }
            tool
        })
}

pub(super) fn any_action() -> impl Strategy<Value = Action> {
    let parameters = vec((any_name(), any_json(), any::<bool>()), 0..4);
    let context = vec((any_name(), any_json()), 0..3);
    let clear_context = vec((any_name(), any_clear_json()), 0..2);
    let targets = (
        vec(any_resource(), 0..3),
        vec(any_dataset(), 0..3),
        vec(any_dataset(), 0..2),
        option::of(any_tool()),
    );
    let rest = (
        option::of(0_u32..2),
        option::of(any_text()),
        option::of(0_u8..2),
        option::of(any_text()),
        option::of(select(vec!["t1", "t2"])),
    );
    let name = select(vec!["a", "a.b"]);
    (name, parameters, context, clear_context, targets, rest).prop_map(
        |(name, parameters, context, clear_context, targets, rest)| {
            let mut action = Action::named(name);
            // Where one plain parameter is called `sensitive`, none is marked.
            let marks = !parameters.iter().any(|(name, ..)| name == "sensitive");
            let mut seen = Vec::new();
            for (name, value, sensitive) in parameters {
                if seen.contains(&name) {
                    continue;
                }
                action = match sensitive && marks {
                    true => action.sensitive(&name, value),
                    false => action.parameter(&name, value),
                };
                seen.push(name);
            }
            let mut seen = vec!["clear".to_owned()];
            for (name, value) in context {
                if !seen.contains(&name) {
                    action = action.context(&name, value);
                    seen.push(name);
                }
            }
            seen.remove(0);
            for (name, value) in clear_context {
                if !seen.contains(&name) {
                    action = action.context_clear(&name, value);
                    seen.push(name);
                }
            }
            let (resources, reads, writes, tool) = targets;
            action = resources.into_iter().fold(action, ActionBuilder::on);
            action = reads.into_iter().fold(action, ActionBuilder::reads);
            action = writes.into_iter().fold(action, ActionBuilder::writes);
            if let Some(tool) = tool {
                action = action.tool(tool);
            }
            let (operation, occurrence, replaces, because, trace) = rest;
            if let Some(version) = operation {
                action = action.operation(version);
            }
            if let Some(occurrence) = occurrence {
                action = action.occurrence(occurrence);
            }
            if let Some(number) = replaces {
                action = action.replaces(request(number));
            }
            if let Some(because) = because {
                action = action.because(because);
            }
            if let Some(trace) = trace {
                action = action.trace(trace);
            }
            action.build().unwrap()
        },
    )
}

pub(super) fn any_chain() -> impl Strategy<Value = ActorChain> {
    let kind = select(vec![
        PrincipalKind::Human,
        PrincipalKind::Agent,
        PrincipalKind::Service,
    ]);
    let principal = (kind, any_text(), any_text()).prop_map(|(kind, issuer, subject)| {
        Principal::new(kind, PrincipalId::new(issuer, subject).unwrap())
    });
    let tenant = option::of(select(vec!["t", "u\",\""]));
    let established = select(vec!["host", "oidc"]);
    (vec(principal, 1..4), tenant, established).prop_map(|(hops, tenant, established)| {
        let mut hops = hops.into_iter();
        let mut chain = ActorChain::acting(hops.next().unwrap())
            .established_by(Established::new(established).unwrap());
        for hop in hops {
            chain = chain.on_behalf_of(hop).unwrap();
        }
        match tenant {
            Some(tenant) => chain.in_tenant(TenantId::new(tenant).unwrap()),
            None => chain,
        }
    })
}

pub(super) fn any_session() -> impl Strategy<Value = SessionId> {
    select(vec!["s", "s\",\"tenant\":\"t", "{}"]).prop_map(|text| SessionId::new(text).unwrap())
}
