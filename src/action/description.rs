use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{
    builder::ActionBuilder,
    dataset::Dataset,
    hidden::{Clarity, Shown},
    id::RequestId,
    names::{ActionName, Name, TraceId},
    resource::Resource,
    tool::Tool,
    value::{FromJsonError, from_json},
};
use crate::canonical::{Json, Object};

/// One privileged operation with everything that decides what it does: what people and policy are
/// asked about, and what runs.
///
/// It cannot be changed once it is built. **Bound** members are what an approval binds to; **advisory**
/// ones ([`justification`](Action::justification), [`trace`](Action::trace)) are shown and recorded,
/// but two actions that differ only in them are the same action. Who acts is not part of an action:
/// the gate stamps chain and session onto it.
///
/// ```
/// use countersign::action::{Action, Dataset, Resource, Tool};
///
/// let action = Action::named("db.export")
///     .tool(Tool::new("exporter").version("3.2.0"))
///     .on(Resource::new("table", "crm.customers").label("pii"))
///     .parameter("format", "csv")
///     .sensitive("recipient", "rita@example.org")
///     .reads(Dataset::new("postgres://db:5432", "crm.customers"))
///     .writes(Dataset::new("file://host", "/out/c.csv"))
///     .context_clear("environment", "production")
///     .because("monthly report")
///     .build()?;
/// assert_eq!(action.parameter_as::<String>("format")?, "csv");
/// assert!(!format!("{action:?}").contains("rita"));
///
/// let error = Action::named("db.export").parameter("rows", u64::MAX).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parameter `rows`: this integer is beyond ±(2^53−1); use a string",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Debug` prints which members there are, and no hidden value.
///
/// # Limits
///
/// | what | limit |
/// |---|---|
/// | parameters | 64, in canonical form 1 MiB together, each 64 levels deep |
/// | context | 32 members, in canonical form 64 KiB together; clear ones hold no fractions and are 32 levels deep |
/// | resources | 32 |
/// | datasets read, written | 64 each |
/// | labels | 16 on one thing |
/// | justification | 4 KiB |
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    // INVARIANT: `limits::check` accepts it.
    // What binds an action takes it apart, without leaving a member out.
    pub(super) name: ActionName,
    pub(super) operation: Option<u32>,
    pub(super) tool: Option<Tool>,
    pub(super) resources: Vec<Resource>,
    pub(super) parameters: Object,
    /// Those of the parameters that were marked so.
    pub(super) sensitive: BTreeSet<Name>,
    pub(super) context: BTreeMap<Name, (Json, Clarity)>,
    pub(super) reads: Vec<Dataset>,
    pub(super) writes: Vec<Dataset>,
    pub(super) occurrence: Option<String>,
    pub(super) replaces: Option<RequestId>,
    pub(super) justification: Option<String>,
    pub(super) trace: Option<TraceId>,
}

impl Action {
    /// Begins an action with a name that [`ActionName`] accepts.
    pub fn named(name: impl AsRef<str>) -> ActionBuilder {
        ActionBuilder::new(name.as_ref())
    }

    /// The same action with a justification as its record gives it; the justification is advisory and binds nothing.
    pub(crate) fn with_justification(mut self, justification: Option<String>) -> Self {
        self.justification = justification;
        self
    }

    /// An action of which nothing but the name is set.
    pub(super) const fn bare(name: ActionName) -> Self {
        Self {
            name,
            operation: None,
            tool: None,
            resources: Vec::new(),
            parameters: Object::new(),
            sensitive: BTreeSet::new(),
            context: BTreeMap::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            occurrence: None,
            replaces: None,
            justification: None,
            trace: None,
        }
    }

    /// What it is called. Bound.
    #[must_use]
    pub const fn name(&self) -> &ActionName {
        &self.name
    }

    /// The version of the typed operation that it was made from. Bound.
    #[must_use]
    pub const fn operation_version(&self) -> Option<u32> {
        self.operation
    }

    /// What carries it out. Bound.
    #[must_use]
    pub const fn tool(&self) -> Option<&Tool> {
        self.tool.as_ref()
    }

    /// What it touches, in the order given. Bound.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Its parameters. Bound; records hide them, names and all.
    #[must_use]
    pub const fn parameters(&self) -> &Object {
        &self.parameters
    }

    /// Whether the parameter was marked so that only those who decide see it. Bound.
    #[must_use]
    pub fn is_sensitive(&self, parameter: &str) -> bool {
        self.sensitive.contains(parameter)
    }

    /// One parameter as a Rust value.
    ///
    /// # Errors
    /// [`ParameterError`] if there is no such parameter, or the type does not accept it.
    pub fn parameter_as<T: DeserializeOwned>(&self, name: &str) -> Result<T, ParameterError> {
        let value = self
            .parameters
            .get(name)
            .ok_or_else(|| ParameterError::Missing(quoted(name)))?;
        from_json(value).map_err(|source| ParameterError::Mismatch {
            name: quoted(name),
            source,
        })
    }

    /// The circumstances, by name. Bound.
    pub fn context(&self) -> impl Iterator<Item = (&Name, &Json, Clarity)> {
        self.context
            .iter()
            .map(|(name, (value, clarity))| (name, value, *clarity))
    }

    /// One of the circumstances. Bound.
    #[must_use]
    pub fn context_value(&self, name: &str) -> Option<&Json> {
        self.context.get(name).map(|(value, _)| value)
    }

    /// The datasets that it reads, in the order given. Bound.
    #[must_use]
    pub fn reads(&self) -> &[Dataset] {
        &self.reads
    }

    /// The datasets that it writes, in the order given. Bound.
    #[must_use]
    pub fn writes(&self) -> &[Dataset] {
        &self.writes
    }

    /// What tells it from an equal one that is meant to run too. Bound.
    #[must_use]
    pub fn occurrence(&self) -> Option<&str> {
        self.occurrence.as_deref()
    }

    /// The request whose place it takes. Bound.
    #[must_use]
    pub const fn replaces(&self) -> Option<RequestId> {
        self.replaces
    }

    /// Why, in the requester's own words. Advisory.
    #[must_use]
    pub fn justification(&self) -> Option<&str> {
        self.justification.as_deref()
    }

    /// The id for following it through other systems. Advisory.
    #[must_use]
    pub const fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
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
            justification,
            trace,
        } = self;
        let hidden = |present: bool| present.then_some(Shown((), Clarity::Hidden));
        f.debug_struct("Action")
            .field("name", name)
            .field("operation", operation)
            .field("tool", tool)
            .field("resources", resources)
            .field("parameters", &HiddenMembers(parameters))
            .field("sensitive", sensitive)
            .field("context", &Context(context))
            .field("reads", reads)
            .field("writes", writes)
            .field("occurrence", &hidden(occurrence.is_some()))
            .field("replaces", replaces)
            .field("justification", &hidden(justification.is_some()))
            .field("trace", trace)
            .finish()
    }
}

/// Names without their values.
struct HiddenMembers<'a>(&'a Object);

impl fmt::Debug for HiddenMembers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |name| (name, Shown((), Clarity::Hidden));
        f.debug_map().entries(self.0.keys().map(hidden)).finish()
    }
}

struct Context<'a>(&'a BTreeMap<Name, (Json, Clarity)>);

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .0
            .iter()
            .map(|(name, (value, clarity))| (name.as_str(), Shown(value, *clarity)));
        f.debug_map().entries(shown).finish()
    }
}

/// A parameter could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// The action has no parameter of this name.
    #[error("the action has no parameter `{0}`")]
    Missing(String),
    /// The type asked for does not accept it.
    #[error("parameter `{name}`: {source}")]
    Mismatch {
        /// Which parameter.
        name: String,
        /// Where in it, and why.
        source: FromJsonError,
    },
}

/// A name as it may stand in a message, whatever it holds.
pub(super) fn quoted(name: &str) -> String {
    crate::canonical::JsonPath::root()
        .under_member(name)
        .to_string()
}
