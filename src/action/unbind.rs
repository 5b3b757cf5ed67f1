use super::{
    chain::ActorChain,
    dataset::{Dataset, DatasetKind},
    description::Action,
    disclosure::{Disclosure, DisclosureDigest},
    fields::{Erased, Fields, HiddenMember, HiddenMembers, Lookup, UnbindError, Unreadable},
    hidden::Clarity,
    id::RequestId,
    limits,
    names::{ActionName, Established, Name, SessionId, TenantId},
    principal::{Principal, PrincipalId, PrincipalKind},
    pseudonym::Pseudonym,
    resource::Resource,
    stamped::{BoundActor, Stamped},
    tool::Tool,
    walk::VERSION,
};
use crate::canonical::{Digest, Json};

/// What a bound form says, as far as its disclosures are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbound {
    /// The request.
    pub request: RequestId,
    /// The session of the host.
    pub session: SessionId,
    /// The actor chain, who acts first.
    pub hops: Vec<BoundHop>,
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// How the host came to know the chain.
    pub established: Established,
    /// The action, without what is advisory.
    pub action: Rebuilt,
}

/// One principal of a chain as a record shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundHop {
    /// A person.
    Human {
        /// What the log calls the person.
        person: Pseudonym,
        /// Who it is, unless that was erased.
        id: Option<PrincipalId>,
    },
    /// A program that decides by itself.
    Agent(PrincipalId),
    /// A program that does not.
    Service(PrincipalId),
}

impl BoundHop {
    /// The principal, unless who it is was erased.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        let (kind, id) = match self {
            Self::Human { person: _, id } => (PrincipalKind::Human, id.as_ref()?),
            Self::Agent(id) => (PrincipalKind::Agent, id),
            Self::Service(id) => (PrincipalKind::Service, id),
        };
        Some(Principal::new(kind, id.clone()))
    }
}

/// An action that was read from a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// All of it is there, and it is the action that was bound.
    Action(Box<Action>),
    /// These members were erased, so there is nothing that could be run.
    Incomplete(Vec<Erased>),
}

impl Unbound {
    /// The actor chain, unless who somebody in it is was erased.
    #[must_use]
    pub fn chain(&self) -> Option<ActorChain> {
        let mut hops = self.hops.iter().map(BoundHop::principal);
        Some(ActorChain {
            acting: hops.next()??,
            delegators: hops.collect::<Option<_>>()?,
            tenant: self.tenant.clone(),
            established: self.established.clone(),
        })
    }

    /// What the log calls the people of the chain, in their order.
    pub fn persons(&self) -> impl Iterator<Item = Pseudonym> {
        self.hops.iter().filter_map(|hop| match hop {
            BoundHop::Human { person, id: _ } => Some(*person),
            BoundHop::Agent(_) | BoundHop::Service(_) => None,
        })
    }
}

/// Reads a bound form, the inverse of [`bind`](super::bind()).
///
/// `disclosures` answers with the disclosure of a digest, or with `None` if it was erased. So the
/// process that runs an effect gets the action that was approved from the record, whoever filed it.
///
/// # Errors
/// [`UnbindError`] for a form that `bind` does not write: a member that is unknown, missing or of
/// another type, a digest that stands twice, a disclosure that is not that of its digest or does not
/// belong to its object, an action beyond the limits.
pub fn unbind(
    form: &Json,
    disclosures: &dyn Fn(&DisclosureDigest) -> Option<Disclosure>,
) -> Result<Unbound, UnbindError> {
    let mut reader = Reader {
        lookup: Lookup::new(disclosures),
        erased: Vec::new(),
    };
    let mut fields = Fields::of(form, "")?;
    if fields.required("v")?.as_i64() != Some(i64::from(VERSION)) {
        return Err(UnbindError::new("v", Unreadable::Expected("version 1")));
    }
    let Stamped {
        request,
        actor: BoundActor {
            hops,
            session,
            tenant,
        },
    } = Stamped::read(&mut fields, &mut reader.lookup)?;
    let established = fields.parsed("established", "a way of establishing", |t| {
        Established::new(t)
    })?;
    let action = reader.action(&mut fields)?;
    fields.end()?;
    let action = if reader.erased.is_empty() {
        limits::check(&action).map_err(|error| UnbindError::new("action", error))?;
        Rebuilt::Action(Box::new(action))
    } else {
        Rebuilt::Incomplete(reader.erased)
    };
    Ok(Unbound {
        request,
        session,
        hops,
        tenant,
        established,
        action,
    })
}

/// The actor chain, who acts first.
pub(super) fn hops(
    actor: Vec<Fields<'_>>,
    lookup: &mut Lookup<'_>,
) -> Result<Vec<BoundHop>, UnbindError> {
    if !(1..=ActorChain::LONGEST).contains(&actor.len()) {
        return Err(UnbindError::new(
            "actor",
            Unreadable::Expected("1 to 8 principals"),
        ));
    }
    actor
        .into_iter()
        .map(|fields| hop(fields, lookup))
        .collect()
}

fn hop(mut fields: Fields<'_>, lookup: &mut Lookup<'_>) -> Result<BoundHop, UnbindError> {
    let kind = fields.text("kind")?;
    let hop = if kind == PrincipalKind::Human.as_str() {
        let person = fields.parsed("person", "a pseudonym", Pseudonym::parse)?;
        let id = match fields.hidden_member("id", lookup)? {
            HiddenMember::Disclosed(id) => Some(PrincipalId::from_json(&id).map_err(|_| {
                fields.fault(Unreadable::Expected(
                    "issuer and subject as the hidden `id`",
                ))
            })?),
            HiddenMember::Erased(_) => None,
            HiddenMember::None => {
                return Err(fields.fault(Unreadable::Expected("a hidden `id`")));
            }
        };
        BoundHop::Human { person, id }
    } else {
        let id = PrincipalId::new(fields.text("issuer")?, fields.text("subject")?)
            .map_err(|_| fields.fault(Unreadable::Expected("issuer and subject")))?;
        if kind == PrincipalKind::Agent.as_str() {
            BoundHop::Agent(id)
        } else if kind == PrincipalKind::Service.as_str() {
            BoundHop::Service(id)
        } else {
            return Err(fields.fault(Unreadable::Expected("a kind of principal")));
        }
    };
    fields.end()?;
    Ok(hop)
}

struct Reader<'l> {
    lookup: Lookup<'l>,
    /// What the action lacks.
    erased: Vec<Erased>,
}

impl Reader<'_> {
    fn action(&mut self, fields: &mut Fields<'_>) -> Result<Action, UnbindError> {
        let name = fields.parsed("action", "an action name", |text| ActionName::new(text))?;
        let mut action = Action::bare(name);
        action.operation = match fields.optional("operation") {
            Some(version) => Some(
                version
                    .as_i64()
                    .and_then(|version| u32::try_from(version).ok())
                    .ok_or_else(|| {
                        UnbindError::new("operation", Unreadable::Expected("a version"))
                    })?,
            ),
            None => None,
        };
        action.tool = match fields.optional("tool") {
            Some(tool) => Some(program(Fields::of(tool, "tool")?)?),
            None => None,
        };
        for resource in fields.objects("resources")? {
            action.resources.extend(self.resource(resource)?);
        }
        self.parameters(fields.object("parameters")?, &mut action)?;
        self.context(fields.object("context")?, &mut action)?;
        for dataset in fields.objects("reads")? {
            action.reads.extend(self.dataset(dataset)?);
        }
        for dataset in fields.objects("writes")? {
            action.writes.extend(self.dataset(dataset)?);
        }
        action.occurrence = match fields.hidden_member("occurrence", &mut self.lookup)? {
            HiddenMember::Disclosed(Json::String(text)) if limits::is_occurrence(&text) => {
                Some(text)
            }
            HiddenMember::Disclosed(_) => {
                return Err(UnbindError::new(
                    "occurrence",
                    Unreadable::Expected("a text"),
                ));
            }
            HiddenMember::Erased(erased) => {
                self.erased.push(erased);
                None
            }
            HiddenMember::None => None,
        };
        action.replaces = fields.optional_parsed("replaces", "an id", RequestId::parse)?;
        Ok(action)
    }

    /// A resource, unless its id was erased.
    fn resource(&mut self, mut fields: Fields<'_>) -> Result<Option<Resource>, UnbindError> {
        let resource_type = fields.text("type")?.to_owned();
        let labels = fields.labels()?;
        let named = self.clear_or_hidden(&mut fields, "id")?;
        let place = fields.place().to_owned();
        fields.end()?;
        let is_there = named.is_some();
        let (id, id_clarity) = named.unwrap_or_else(missing);
        let resource = Resource {
            resource_type,
            id,
            id_clarity,
            labels,
        };
        match resource.checked() {
            Ok(resource) => Ok(is_there.then_some(resource)),
            Err(fault) => Err(UnbindError::new(place, fault)),
        }
    }

    /// A dataset, unless its name was erased.
    fn dataset(&mut self, mut fields: Fields<'_>) -> Result<Option<Dataset>, UnbindError> {
        let kind = fields.parsed("kind", "a kind of dataset", |word| {
            DatasetKind::parse(word).ok_or(())
        })?;
        let namespace = fields.text("namespace")?.to_owned();
        let labels = fields.labels()?;
        let named = self.clear_or_hidden(&mut fields, "name")?;
        let place = fields.place().to_owned();
        fields.end()?;
        let is_there = named.is_some();
        let (name, name_clarity) = named.unwrap_or_else(missing);
        let dataset = Dataset {
            kind,
            namespace,
            name,
            name_clarity,
            labels,
        };
        match dataset.checked() {
            Ok(dataset) => Ok(is_there.then_some(dataset)),
            Err(fault) => Err(UnbindError::new(place, fault)),
        }
    }

    /// A text that stands in the clear or under `_sd`, unless it was erased.
    fn clear_or_hidden(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Result<Option<(String, Clarity)>, UnbindError> {
        let hidden = fields.hidden_member(name, &mut self.lookup)?;
        match (fields.optional_text(name)?, hidden) {
            (Some(text), HiddenMember::None) => Ok(Some((text.to_owned(), Clarity::Clear))),
            (None, HiddenMember::Disclosed(Json::String(text))) => {
                Ok(Some((text, Clarity::Hidden)))
            }
            (None, HiddenMember::Erased(erased)) => {
                self.erased.push(erased);
                Ok(None)
            }
            _ => Err(fields.fault(Unreadable::Expected("one text, in the clear or hidden"))),
        }
    }

    fn parameters(
        &mut self,
        mut fields: Fields<'_>,
        action: &mut Action,
    ) -> Result<(), UnbindError> {
        let HiddenMembers { disclosed, erased } = fields.hidden(&mut self.lookup)?;
        self.erased.extend(erased);
        for (name, value) in disclosed {
            self.parameter(&fields, name, value, action)?;
        }
        if let Some(marked) = fields.optional("sensitive") {
            let mut marked = Fields::of(marked, "parameters.sensitive")?;
            let HiddenMembers { disclosed, erased } = marked.hidden(&mut self.lookup)?;
            if disclosed.is_empty() && erased.is_empty() {
                return Err(marked.fault(Unreadable::Expected("digests under `_sd`")));
            }
            self.erased.extend(erased);
            for (name, value) in disclosed {
                let name = self.parameter(&marked, name, value, action)?;
                action.sensitive.insert(name);
            }
            marked.end()?;
        }
        fields.end()
    }

    fn parameter(
        &self,
        fields: &Fields<'_>,
        name: String,
        value: Json,
        action: &mut Action,
    ) -> Result<Name, UnbindError> {
        let parsed = Name::new(&name).map_err(|fault| UnbindError::new(fields.place(), fault))?;
        match action.parameters.insert(name, value) {
            None => Ok(parsed),
            Some(_) => Err(fields.fault(Unreadable::Misplaced)),
        }
    }

    fn context(&mut self, mut fields: Fields<'_>, action: &mut Action) -> Result<(), UnbindError> {
        let clear = fields.required("clear")?;
        let clear = clear
            .as_object()
            .ok_or_else(|| UnbindError::new("context.clear", Unreadable::Expected("an object")))?
            .clone();
        let HiddenMembers { disclosed, erased } = fields.hidden(&mut self.lookup)?;
        self.erased.extend(erased);
        for (members, clarity) in [(clear, Clarity::Clear), (disclosed, Clarity::Hidden)] {
            for (name, value) in members {
                let name =
                    Name::new(name).map_err(|fault| UnbindError::new(fields.place(), fault))?;
                if action.context.insert(name, (value, clarity)).is_some() {
                    return Err(fields.fault(Unreadable::Misplaced));
                }
            }
        }
        fields.end()
    }
}

/// Stands for a name that is not there, so that what stands beside it is judged all the same.
fn missing() -> (String, Clarity) {
    ("missing".to_owned(), Clarity::Hidden)
}

fn program(mut fields: Fields<'_>) -> Result<Tool, UnbindError> {
    let tool = Tool {
        name: fields.text("name")?.to_owned(),
        version: fields.optional_text("version")?.map(str::to_owned),
        digest: fields.optional_parsed("digest", "a digest", Digest::parse_hex)?,
        server: fields.optional_text("server")?.map(str::to_owned),
    };
    fields.end()?;
    tool.checked()
        .map_err(|fault| UnbindError::new("tool", fault))
}
