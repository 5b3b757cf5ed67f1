//! What is to be done, by whom, and the one digest that an approval binds to.
//!
//! An [`Action`] is what people and policy are asked about. The gate stamps onto it who acts
//! ([`ActorChain`]), in which session and for which request, and [`bind()`] writes all of that as the
//! **bound form**: canonical JSON in which every hidden value is replaced by the digest of its
//! [`Disclosure`]. An approval names the [`ActionDigest`] of that form, and [`unbind()`] gives back the
//! action that was approved, to whichever process runs it.
//!
//! ```
//! use std::collections::BTreeMap;
//! use countersign::{action::*, clock::{Clock, SystemClock}};
//!
//! let action = Action::named("db.drop").parameter("table", "crm.customers").build()?;
//! let chain = ActorChain::acting(Principal::agent("demo", "reporter")?);
//! let session = SessionId::new("run-7")?;
//! let mut salts = OsSalts::new();
//! let request = RequestId::new(SystemClock.now(), &mut salts)?;
//! let stamp = Stamp { request, chain: &chain, session: &session, persons: &[] };
//!
//! let bound = bind(&action, &stamp, &mut salts)?;
//! assert!(!String::from_utf8_lossy(bound.canonical()).contains("crm.customers"));
//!
//! let kept: BTreeMap<_, _> =
//!     bound.disclosures().iter().map(|disclosure| (disclosure.digest(), disclosure)).collect();
//! let unbound = unbind(bound.form(), &|digest| kept.get(digest).copied().cloned())?;
//! assert_eq!(unbound.action, Rebuilt::Action(Box::new(action)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Hidden are parameters, names and all; ids of resources, unless marked clear; the context, unless
//! marked clear; names of datasets that are marked sensitive; the occurrence; and who the people of a
//! chain are. Everything else of a bound form stands in the log for everyone to read. No `Debug` of
//! this module prints a hidden value, and no error quotes one.

mod bound;
mod builder;
mod chain;
mod dataset;
mod description;
mod disclosure;
mod error;
mod fields;
mod hidden;
pub mod id;
mod labels;
mod limits;
mod names;
mod operation;
mod principal;
mod pseudonym;
mod resource;
mod salt;
mod sealer;
mod sheet;
mod stamped;
mod tool;
mod unbind;
mod value;
mod walk;

#[cfg(any(test, feature = "testing"))]
pub use self::salt::SeededSalts;
pub use self::{
    bound::{ActionDigest, BindError, Bound, Stamp, action_digest, bind, join_input},
    builder::{ActionBuilder, DATA_SUBJECTS},
    chain::{ActorChain, ChainTooLong},
    dataset::{Dataset, DatasetKind, DatasetRef},
    description::{Action, ParameterError},
    disclosure::{Disclosed, Disclosure, DisclosureDigest, NotADisclosure, NotADisclosureDigest},
    error::{ActionError, Unfit},
    fields::{Erased, UnbindError, Unreadable},
    hidden::Clarity,
    id::{ExecutionId, InstanceId, NotAnId, RequestId},
    names::{
        ActionName, Established, InvalidText, Label, Name, ResourceType, SessionId, TenantId,
        TraceId,
    },
    operation::{Operation, OperationError, decode},
    principal::{NotAPrincipal, PersonId, Principal, PrincipalId, PrincipalKind},
    pseudonym::{NotAPseudonym, Pseudonym},
    resource::Resource,
    salt::{NoEntropy, OsSalts, Salt, SaltSource},
    sealer::{SdObject, Sealer},
    stamped::{BoundActor, Stamped},
    tool::Tool,
    unbind::{BoundHop, Rebuilt, Unbound, unbind},
    value::{
        FromJsonError, IntoJson, IntoJsonError, Mismatch, Unrepresentable, from_json, to_json,
    },
};

#[cfg(test)]
mod tests;
