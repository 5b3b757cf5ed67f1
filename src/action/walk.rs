//! The one walk over everything that an approval binds to.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    chain::ActorChain,
    dataset::Dataset,
    description::Action,
    hidden::Clarity,
    id::RequestId,
    names::{Name, SessionId},
    principal::{Principal, PrincipalKind},
    pseudonym::Pseudonym,
    resource::Resource,
    sheet::{Canonical, Sheet},
    tool::Tool,
};
use crate::canonical::{Json, Object};

/// How the walk writes what it meets: for a record, or for finding equal requests.
pub(super) trait Ink {
    type Error;

    /// What the hidden members of one object become.
    type Cover: Default;

    /// The request, if what is written belongs to one.
    fn request(&mut self) -> Option<RequestId>;

    /// What the next person of the chain is called, if what is written belongs to a log.
    fn person(&mut self) -> Option<Pseudonym>;

    /// Hides a member. Of one object, they come in canonical order.
    fn hide(
        &mut self,
        cover: &mut Self::Cover,
        name: &str,
        value: &(impl Canonical + ?Sized),
    ) -> Result<(), Self::Error>;

    /// What stands under `_sd`, unless nothing was hidden.
    fn covered(cover: Self::Cover) -> Option<Vec<u8>>;
}

/// The version of the bound form.
pub(super) const VERSION: u8 = 1;

/// Writes the bound form of an action that `chain` takes in `session`, canonically.
///
/// INVARIANT: every type that holds bound members is taken apart here without `..`, so that a new
/// member does not compile before it is bound or said not to be.
pub(super) fn walk<I: Ink>(
    action: &Action,
    chain: &ActorChain,
    session: &SessionId,
    ink: &mut I,
) -> Result<Vec<u8>, I::Error> {
    let Action {
        name,
        operation,
        tool,
        resources,
        parameters,
        sensitive,
        context,
        reads,
        writes,
        occurrence,
        replaces,
        // Advisory: shown and recorded, but no part of what the action is.
        justification: _,
        trace: _,
    } = action;
    let ActorChain {
        acting,
        delegators,
        tenant,
        established,
    } = chain;

    let mut sheet = Sheet {
        out: Vec::with_capacity(1024),
        ink,
    };
    let mut form = sheet.open();
    sheet.text(&form, "action", name.as_str());
    sheet.list(
        &form,
        "actor",
        std::iter::once(acting).chain(delegators),
        hop,
    )?;
    sheet.name(&form, "context");
    circumstances(context, &mut sheet)?;
    sheet.text(&form, "established", established.as_str());
    if let Some(occurrence) = occurrence {
        sheet.hide(&mut form, "occurrence", occurrence.as_str())?;
    }
    if let Some(version) = operation {
        sheet.integer(&form, "operation", *version);
    }
    sheet.name(&form, "parameters");
    values(parameters, sensitive, &mut sheet)?;
    sheet.list(&form, "reads", reads, dataset)?;
    if let Some(replaces) = replaces {
        sheet.display(&form, "replaces", replaces);
    }
    if let Some(request) = sheet.ink.request() {
        sheet.display(&form, "request", &request);
    }
    sheet.list(&form, "resources", resources, resource)?;
    sheet.text(&form, "session", session.as_str());
    if let Some(tenant) = tenant {
        sheet.text(&form, "tenant", tenant.as_str());
    }
    if let Some(tool) = tool {
        sheet.name(&form, "tool");
        program(tool, &mut sheet);
    }
    sheet.integer(&form, "v", u32::from(VERSION));
    sheet.list(&form, "writes", writes, dataset)?;
    sheet.close(form);
    Ok(sheet.out)
}

fn hop<I: Ink>(principal: &Principal, sheet: &mut Sheet<'_, I>) -> Result<(), I::Error> {
    let Principal { kind, id } = principal;
    let mut node = sheet.open();
    match kind {
        PrincipalKind::Human => {
            sheet.hide(&mut node, "id", &id.to_json())?;
            sheet.text(&node, "kind", kind.as_str());
            if let Some(person) = sheet.ink.person() {
                sheet.display(&node, "person", &person);
            }
        }
        PrincipalKind::Agent | PrincipalKind::Service => {
            sheet.text(&node, "issuer", id.issuer());
            sheet.text(&node, "kind", kind.as_str());
            sheet.text(&node, "subject", id.subject());
        }
    }
    sheet.close(node);
    Ok(())
}

fn circumstances<I: Ink>(
    context: &BTreeMap<Name, (Json, Clarity)>,
    sheet: &mut Sheet<'_, I>,
) -> Result<(), I::Error> {
    let mut node = sheet.open();
    sheet.name(&node, "clear");
    let clear = sheet.open();
    for (name, (value, clarity)) in context {
        match clarity {
            Clarity::Clear => {
                sheet.name(&clear, name.as_str());
                value.write_canonical(&mut sheet.out);
            }
            Clarity::Hidden => sheet.hide(&mut node, name.as_str(), value)?,
        }
    }
    sheet.close(clear);
    sheet.close(node);
    Ok(())
}

fn values<I: Ink>(
    parameters: &Object,
    sensitive: &BTreeSet<Name>,
    sheet: &mut Sheet<'_, I>,
) -> Result<(), I::Error> {
    let mut node = sheet.open();
    if !sensitive.is_empty() {
        sheet.name(&node, "sensitive");
        let mut marked = sheet.open();
        for (name, value) in parameters
            .iter()
            .filter(|(name, _)| sensitive.contains(*name))
        {
            sheet.hide(&mut marked, name, value)?;
        }
        sheet.close(marked);
    }
    for (name, value) in parameters
        .iter()
        .filter(|(name, _)| !sensitive.contains(*name))
    {
        sheet.hide(&mut node, name, value)?;
    }
    sheet.close(node);
    Ok(())
}

fn program<I: Ink>(tool: &Tool, sheet: &mut Sheet<'_, I>) {
    let Tool {
        name,
        version,
        digest,
        server,
    } = tool;
    let node = sheet.open();
    if let Some(digest) = digest {
        sheet.display(&node, "digest", digest);
    }
    sheet.text(&node, "name", name);
    if let Some(server) = server {
        sheet.text(&node, "server", server);
    }
    if let Some(version) = version {
        sheet.text(&node, "version", version);
    }
    sheet.close(node);
}

fn resource<I: Ink>(resource: &Resource, sheet: &mut Sheet<'_, I>) -> Result<(), I::Error> {
    let Resource {
        resource_type,
        id,
        id_clarity,
        labels,
    } = resource;
    let mut node = sheet.open();
    sheet.put(&mut node, "id", id, *id_clarity)?;
    sheet.labels(&node, labels.as_set());
    sheet.text(&node, "type", resource_type);
    sheet.close(node);
    Ok(())
}

fn dataset<I: Ink>(dataset: &Dataset, sheet: &mut Sheet<'_, I>) -> Result<(), I::Error> {
    let Dataset {
        kind,
        namespace,
        name,
        name_clarity,
        labels,
    } = dataset;
    let mut node = sheet.open();
    sheet.text(&node, "kind", kind.as_str());
    sheet.labels(&node, labels.as_set());
    sheet.put(&mut node, "name", name, *name_clarity)?;
    sheet.text(&node, "namespace", namespace);
    sheet.close(node);
    Ok(())
}
