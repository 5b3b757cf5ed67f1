use super::{
    bound::Stamp,
    chain::ActorChain,
    fields::{Fields, Lookup, UnbindError},
    id::RequestId,
    names::{SessionId, TenantId},
    principal::PrincipalKind,
    pseudonym::Pseudonym,
    unbind::{BoundHop, hops},
};
use crate::canonical::Json;

/// What the gate added to an action, as its bound form shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The request.
    pub request: RequestId,
    /// Who acts.
    pub actor: BoundActor,
}

/// Who acts, for whom and in which session, as a record shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundActor {
    /// The actor chain, who acts first. Who the people of it are is known only to whoever has the disclosures.
    pub hops: Vec<BoundHop>,
    /// The session of the host.
    pub session: SessionId,
    /// The tenant.
    pub tenant: Option<TenantId>,
}

impl BoundActor {
    /// An actor, with what the log calls the people of the chain, in the order of [`ActorChain::humans`].
    #[must_use]
    pub fn new(chain: &ActorChain, session: &SessionId, persons: &[Pseudonym]) -> Self {
        let mut persons = persons.iter();
        let hops = chain.hops().filter_map(|hop| match hop.kind() {
            PrincipalKind::Human => persons.next().map(|person| BoundHop::Human {
                person: *person,
                id: None,
            }),
            PrincipalKind::Agent => Some(BoundHop::Agent(hop.id().clone())),
            PrincipalKind::Service => Some(BoundHop::Service(hop.id().clone())),
        });
        Self {
            hops: hops.collect(),
            session: session.clone(),
            tenant: chain.tenant().cloned(),
        }
    }
}

impl Stamped {
    pub(super) fn of_stamp(stamp: &Stamp<'_>) -> Self {
        let Stamp {
            request,
            chain,
            session,
            persons,
        } = *stamp;
        Self {
            request,
            actor: BoundActor::new(chain, session, persons),
        }
    }

    /// Reads the members of a form that say it, and no others.
    pub(super) fn of_form(form: &Json) -> Option<Self> {
        let mut fields = Fields::of(form, "").ok()?;
        let mut lookup = Lookup::new(&|_| None);
        Self::read(&mut fields, &mut lookup).ok()
    }

    /// Takes these members; with the disclosures, they tell who the people are.
    pub(super) fn read(
        fields: &mut Fields<'_>,
        lookup: &mut Lookup<'_>,
    ) -> Result<Self, UnbindError> {
        let request = fields.parsed("request", "an id", RequestId::parse)?;
        let session = fields.parsed("session", "a session id", |text| SessionId::new(text))?;
        let hops = hops(fields.objects("actor")?, lookup)?;
        let tenant = fields.optional_parsed("tenant", "a tenant id", |text| TenantId::new(text))?;
        Ok(Self {
            request,
            actor: BoundActor {
                hops,
                session,
                tenant,
            },
        })
    }
}
