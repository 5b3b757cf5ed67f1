//! One change for every member of every type that holds bound members.
//!
//! Each type is taken apart exhaustively, so that a new member has to be added here.

use super::*;
use crate::canonical::Digest;

/// Whether an approval of one action is one of another that differs in a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Bound,
    Advisory,
}

/// One change to an action, its chain or its session, by the name of what is changed.
pub(super) type Change = (String, Standing, Action, ActorChain, SessionId);

/// All changes to [`full`], [`chain`] and [`session`].
pub(super) fn changes() -> Vec<Change> {
    let (action, chain, session) = (full(), chain(), session());
    let mut changes: Vec<Change> = Vec::new();
    for (member, standing, changed) in action_changes(&action) {
        changes.push((member, standing, changed, chain.clone(), session.clone()));
    }
    for (member, changed) in chain_changes(&chain) {
        changes.push((
            member,
            Standing::Bound,
            action.clone(),
            changed,
            session.clone(),
        ));
    }
    let other = SessionId::new("run-8").unwrap();
    changes.push(("session".into(), Standing::Bound, action, chain, other));
    changes
}

fn action_changes(action: &Action) -> Vec<(String, Standing, Action)> {
    use Standing::{Advisory, Bound};
    let Action {
        name: _,
        operation: _,
        tool,
        resources,
        parameters: _,
        sensitive: _,
        context: _,
        reads,
        writes,
        occurrence: _,
        replaces: _,
        justification: _,
        trace: _,
    } = action;
    let mut changes = Vec::new();
    let mut change = |member: &str, standing, edit: &dyn Fn(&mut Action)| {
        let mut changed = action.clone();
        edit(&mut changed);
        assert_ne!(&changed, action, "{member} was not changed");
        changes.push((member.to_owned(), standing, changed));
    };
    let name = |text: &str| Name::new(text).unwrap();

    change("name", Bound, &|a| {
        a.name = ActionName::new("db.export2").unwrap()
    });
    change("operation", Bound, &|a| a.operation = Some(4));
    change("operation absent", Bound, &|a| a.operation = None);
    change("tool absent", Bound, &|a| a.tool = None);
    for (member, changed) in tool_changes(tool.as_ref().unwrap()) {
        change(&member, Bound, &|a| a.tool = Some(changed.clone()));
    }
    change("resources absent", Bound, &|a| a.resources.truncate(1));
    change("resources order", Bound, &|a| a.resources.reverse());
    change("resources repeated", Bound, &|a| {
        a.resources.push(a.resources[0].clone())
    });
    for (index, resource) in resources.iter().enumerate() {
        for (member, changed) in resource_changes(resource) {
            change(&member, Bound, &|a| a.resources[index] = changed.clone());
        }
    }
    change("parameters value", Bound, &|a| {
        a.parameters.insert("format".into(), "xml".into());
    });
    change("parameters type", Bound, &|a| {
        a.parameters.insert("limit".into(), "100".into());
    });
    change("parameters name", Bound, &|a| {
        let value = a.parameters.remove("format").unwrap();
        a.parameters.insert("Format".into(), value);
    });
    change("parameters absent", Bound, &|a| {
        a.parameters.remove("format");
    });
    change("parameters null", Bound, &|a| {
        a.parameters.insert("more".into(), Json::Null);
    });
    change("parameters swapped", Bound, &|a| {
        a.parameters.insert("format".into(), 100.into());
        a.parameters.insert("limit".into(), "csv".into());
    });
    change("sensitive value", Bound, &|a| {
        a.parameters
            .insert("recipient".into(), "mallory@example.org".into());
    });
    change("sensitive more", Bound, &|a| {
        a.sensitive.insert(name("format"));
    });
    change("sensitive none", Bound, &|a| a.sensitive.clear());
    change("context hidden value", Bound, &|a| {
        a.context
            .insert(name("ticket"), ("T-2".into(), Clarity::Hidden));
    });
    change("context clear value", Bound, &|a| {
        a.context
            .insert(name("environment"), ("test".into(), Clarity::Clear));
    });
    change("context clarity", Bound, &|a| {
        a.context
            .insert(name("ticket"), ("T-1".into(), Clarity::Clear));
    });
    change("context name", Bound, &|a| {
        let value = a.context.remove("ticket").unwrap();
        a.context.insert(name("ticket2"), value);
    });
    change("context absent", Bound, &|a| {
        a.context.remove("environment");
    });
    change("reads moved to writes", Bound, &|a| {
        let read = a.reads.pop().unwrap();
        a.writes.push(read);
    });
    change("reads order", Bound, &|a| a.reads.reverse());
    for (index, dataset) in reads.iter().enumerate() {
        for (member, changed) in dataset_changes(dataset) {
            change(&format!("reads {member}"), Bound, &|a| {
                a.reads[index] = changed.clone()
            });
        }
    }
    for (index, dataset) in writes.iter().enumerate() {
        for (member, changed) in dataset_changes(dataset) {
            change(&format!("writes {member}"), Bound, &|a| {
                a.writes[index] = changed.clone()
            });
        }
    }
    change("occurrence", Bound, &|a| {
        a.occurrence = Some("april".into())
    });
    change("occurrence absent", Bound, &|a| a.occurrence = None);
    change("replaces", Bound, &|a| a.replaces = Some(request(8)));
    change("replaces absent", Bound, &|a| a.replaces = None);

    change("justification", Advisory, &|a| {
        a.justification = Some("please".into())
    });
    change("justification absent", Advisory, &|a| {
        a.justification = None
    });
    change("trace", Advisory, &|a| {
        a.trace = Some(TraceId::new("other").unwrap())
    });
    change("trace absent", Advisory, &|a| a.trace = None);
    changes
}

fn tool_changes(tool: &Tool) -> Vec<(String, Tool)> {
    let Tool {
        name,
        version,
        digest,
        server,
    } = tool;
    let mut changes = Vec::new();
    let mut change = |member: &str, changed: Tool| {
        assert_ne!(&changed, tool, "{member}");
        changes.push((format!("tool {member}"), changed));
    };
    let of =
        |name: &str, version: Option<&str>, digest: Option<Digest>, server: Option<&str>| Tool {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            digest,
            server: server.map(str::to_owned),
        };
    let (version, server) = (version.as_deref(), server.as_deref());
    change("name", of("exporter2", version, *digest, server));
    change("version", of(name, Some("3.2.1"), *digest, server));
    change("version absent", of(name, None, *digest, server));
    change(
        "digest",
        of(name, version, Some(Digest::sha256(b"")), server),
    );
    change("digest absent", of(name, version, None, server));
    change("server", of(name, version, *digest, Some("evil.example")));
    change("server absent", of(name, version, *digest, None));
    // The same texts in other members.
    change("version as server", of(name, server, *digest, version));
    changes
}

fn resource_changes(resource: &Resource) -> Vec<(String, Resource)> {
    let Resource {
        resource_type: _,
        id: _,
        id_clarity,
        labels: _,
    } = resource;
    let other = match id_clarity {
        Clarity::Clear => Clarity::Hidden,
        Clarity::Hidden => Clarity::Clear,
    };
    let mut changes = Vec::new();
    let mut change = |member: &str, edit: &dyn Fn(&mut Resource)| {
        let mut changed = resource.clone();
        edit(&mut changed);
        assert_ne!(&changed, resource, "{member}");
        changes.push((format!("resource {member}"), changed));
    };
    change("type", &|r| r.resource_type = "view".into());
    change("id", &|r| r.id = "crm.secrets".into());
    change("id clarity", &|r| r.id_clarity = other);
    change("labels", &|r| r.labels.add("secret"));
    changes
}

fn dataset_changes(dataset: &Dataset) -> Vec<(String, Dataset)> {
    let Dataset {
        kind: _,
        namespace: _,
        name: _,
        name_clarity,
        labels: _,
    } = dataset;
    let other = match name_clarity {
        Clarity::Clear => Clarity::Hidden,
        Clarity::Hidden => Clarity::Clear,
    };
    let mut changes = Vec::new();
    let mut change = |member: &str, edit: &dyn Fn(&mut Dataset)| {
        let mut changed = dataset.clone();
        edit(&mut changed);
        assert_ne!(&changed, dataset, "{member}");
        changes.push((member.to_owned(), changed));
    };
    change("kind", &|d| d.kind = DatasetKind::Code);
    change("namespace", &|d| d.namespace = "postgres://db:5433".into());
    change("name", &|d| d.name = "crm.secrets".into());
    change("name clarity", &|d| d.name_clarity = other);
    change("labels", &|d| d.labels.add("secret"));
    changes
}

fn chain_changes(chain: &ActorChain) -> Vec<(String, ActorChain)> {
    let ActorChain {
        acting,
        delegators,
        tenant: _,
        established: _,
    } = chain;
    let mut changes = Vec::new();
    let mut change = |member: &str, edit: &dyn Fn(&mut ActorChain)| {
        let mut changed = chain.clone();
        edit(&mut changed);
        assert_ne!(&changed, chain, "{member}");
        changes.push((format!("chain {member}"), changed));
    };
    for (member, changed) in principal_changes(acting) {
        change(&format!("acting {member}"), &|c| c.acting = changed.clone());
    }
    for (index, delegator) in delegators.iter().enumerate() {
        for (member, changed) in principal_changes(delegator) {
            change(&format!("delegator {member}"), &|c| {
                c.delegators[index] = changed.clone();
            });
        }
    }
    change("delegator absent", &|c| {
        c.delegators.pop();
    });
    change("delegators order", &|c| c.delegators.reverse());
    change("tenant", &|c| {
        c.tenant = Some(TenantId::new("other").unwrap())
    });
    change("tenant absent", &|c| c.tenant = None);
    change("established", &|c| c.established = Established::host());
    changes
}

fn principal_changes(principal: &Principal) -> Vec<(String, Principal)> {
    let Principal { kind, id } = principal;
    let (issuer, subject) = (id.issuer(), id.subject());
    let of = |kind, issuer: &str, subject: &str| {
        Principal::new(kind, PrincipalId::new(issuer, subject).unwrap())
    };
    let mut changes = vec![
        ("issuer".to_owned(), of(*kind, "demo2", subject)),
        ("subject".to_owned(), of(*kind, issuer, "mallory")),
        ("swapped".to_owned(), of(*kind, subject, issuer)),
    ];
    for other in [
        PrincipalKind::Human,
        PrincipalKind::Agent,
        PrincipalKind::Service,
    ] {
        if other != *kind {
            changes.push((format!("kind {other}"), of(other, issuer, subject)));
        }
    }
    changes
}
