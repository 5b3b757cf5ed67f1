use thiserror::Error;

use super::{
    names::{Established, TenantId},
    principal::{Principal, PrincipalKind},
};

/// Who acts, for whom, through whom (RFC 8693, `act`).
///
/// The host establishes it and says how; an agent never names its own chain. Everyone in it has an
/// interest in what is done.
///
/// ```
/// use countersign::action::{ActorChain, Principal};
///
/// let chain = ActorChain::acting(Principal::agent("demo", "reporter")?)
///     .on_behalf_of(Principal::human("demo", "olga")?)?;
/// assert_eq!(chain.hops().count(), 2);
/// assert_eq!(chain.established().as_str(), "host");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorChain {
    // What binds an action takes these apart, without leaving one out.
    pub(super) acting: Principal,
    /// From the inside out.
    pub(super) delegators: Vec<Principal>,
    pub(super) tenant: Option<TenantId>,
    pub(super) established: Established,
}

impl ActorChain {
    /// The most principals a chain holds.
    pub const LONGEST: usize = 8;

    /// A chain of one: `principal` acts for itself, as the host knows ([`Established::host`]).
    #[must_use]
    pub fn acting(principal: Principal) -> Self {
        Self {
            acting: principal,
            delegators: Vec::new(),
            tenant: None,
            established: Established::host(),
        }
    }

    /// The same chain, whose outermost so far acts for `delegator`.
    ///
    /// # Errors
    /// [`ChainTooLong`] beyond [`ActorChain::LONGEST`] principals: a delegator that is left out would
    /// be free to approve.
    pub fn on_behalf_of(mut self, delegator: Principal) -> Result<Self, ChainTooLong> {
        if self.delegators.len() + 1 >= Self::LONGEST {
            return Err(ChainTooLong);
        }
        self.delegators.push(delegator);
        Ok(self)
    }

    /// The same chain within a tenant.
    #[must_use]
    pub fn in_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The same chain, known in another way than by the host itself.
    #[must_use]
    pub fn established_by(mut self, established: Established) -> Self {
        self.established = established;
        self
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &Principal {
        &self.acting
    }

    /// For whom, from the one next to the acting principal outwards.
    #[must_use]
    pub fn delegators(&self) -> &[Principal] {
        &self.delegators
    }

    /// Everyone, the acting principal first.
    pub fn hops(&self) -> impl Iterator<Item = &Principal> {
        std::iter::once(&self.acting).chain(&self.delegators)
    }

    /// The people among them, in the same order.
    pub fn humans(&self) -> impl Iterator<Item = &Principal> {
        self.hops()
            .filter(|principal| principal.kind() == PrincipalKind::Human)
    }

    /// The tenant, if the host has several.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// How the host came to know the chain.
    #[must_use]
    pub const fn established(&self) -> &Established {
        &self.established
    }
}

/// A chain has at most [`ActorChain::LONGEST`] principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an actor chain holds at most {} principals", ActorChain::LONGEST)]
pub struct ChainTooLong;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn delegators_are_appended_outwards() {
        let hop = |name: &str| Principal::agent("demo", name).unwrap();
        let olga = Principal::human("demo", "olga").unwrap();
        let chain = ActorChain::acting(hop("inner"))
            .on_behalf_of(hop("outer"))
            .unwrap()
            .on_behalf_of(olga.clone())
            .unwrap();
        let subjects: Vec<_> = chain.hops().map(|hop| hop.id().subject()).collect();
        assert_eq!(subjects, ["inner", "outer", "olga"]);
        assert_eq!(chain.humans().collect::<Vec<_>>(), [&olga]);
    }

    #[test]
    fn no_delegator_is_ever_left_out() {
        let hop = || Principal::agent("demo", "x").unwrap();
        let mut chain = ActorChain::acting(hop());
        for _ in 1..ActorChain::LONGEST {
            chain = chain.on_behalf_of(hop()).unwrap();
        }
        assert_eq!(chain.on_behalf_of(hop()), Err(ChainTooLong));
    }
}
