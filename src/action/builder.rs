use std::fmt;

use super::{
    dataset::Dataset,
    description::Action,
    error::{ActionError, Unfit},
    hidden::Clarity,
    id::RequestId,
    limits,
    names::{ActionName, Name, TraceId},
    principal::PrincipalId,
    resource::Resource,
    tool::Tool,
    value::IntoJson,
};
use crate::canonical::{Admission, Json, Object, admit};

/// The member of the context that names whom an action's values are about, as an array of principal ids.
pub const DATA_SUBJECTS: &str = "data_subjects";

/// An action in the making; [`build`](ActionBuilder::build) reports the first thing that did not fit.
#[must_use = "an action is made by `build`"]
#[derive(Clone)]
pub struct ActionBuilder {
    state: Result<Action, ActionError>,
    source: Parameters,
}

/// Where the parameters of an action come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// From whoever calls the builder.
    Given,
    /// They are the fields of a typed operation, and nothing is added to them.
    Fields,
}

impl ActionBuilder {
    pub(super) fn new(name: &str) -> Self {
        let state = ActionName::new(name)
            .map(Action::bare)
            .map_err(|fault| ActionError::new("action", fault));
        Self {
            state,
            source: Parameters::Given,
        }
    }

    /// Sets what carries the action out.
    pub fn tool(self, tool: Tool) -> Self {
        self.and(|action| {
            let tool = tool
                .checked()
                .map_err(|fault| ActionError::new("tool", fault))?;
            if action.tool.replace(tool).is_some() {
                return Err(ActionError::new("tool", Unfit::Twice));
            }
            Ok(())
        })
    }

    /// Adds something that the action touches; the order is kept.
    pub fn on(self, resource: Resource) -> Self {
        self.and(|action| {
            let resource = resource
                .checked()
                .map_err(|fault| ActionError::at("resource", action.resources.len(), fault))?;
            action.resources.push(resource);
            Ok(())
        })
    }

    /// Sets a parameter, once.
    pub fn parameter(self, name: impl AsRef<str>, value: impl IntoJson) -> Self {
        self.and_parameter(name.as_ref(), value)
    }

    /// Sets a parameter, once, that only those who decide may see.
    pub fn sensitive(self, name: impl AsRef<str>, value: impl IntoJson) -> Self {
        let name = name.as_ref();
        self.and_parameter(name, value).mark_sensitive(name)
    }

    /// Sets the members of a JSON object as parameters, each once, read strictly from bytes that came
    /// from elsewhere ([`admit`]).
    pub fn parameters_json(self, bytes: &[u8]) -> Self {
        let parameters = admit(bytes, &Admission::default());
        self.and_parameters(|| {
            let parameters = parameters.map_err(|error| ActionError::new("parameters", error))?;
            match parameters {
                Json::Object(parameters) => Ok(parameters),
                _ => Err(ActionError::new("parameters", Unfit::NotAnObject)),
            }
        })
    }

    /// Sets one of the circumstances, once; records hide its value.
    pub fn context(self, name: impl AsRef<str>, value: impl IntoJson) -> Self {
        self.and_context(name.as_ref(), value, Clarity::Hidden)
    }

    /// Sets one of the circumstances, once, that records show to everyone, for ever.
    ///
    /// It stands in the signed statement, which holds integers only.
    pub fn context_clear(self, name: impl AsRef<str>, value: impl IntoJson) -> Self {
        self.and_context(name.as_ref(), value, Clarity::Clear)
    }

    /// Says that values of the action are about this person, who need not be one that the directory knows; may be called again.
    ///
    /// It is a hidden member of the context, [`DATA_SUBJECTS`]: who decides sees it, and records show its digest alone. By it
    /// [`Erase::Subject`](crate::ledger::Erase::Subject) finds all that was hidden about somebody.
    pub fn about(self, subject: &PrincipalId) -> Self {
        self.and(|action| {
            let unfit = |reason| ActionError::named("context", DATA_SUBJECTS, reason);
            let name = Name::new(DATA_SUBJECTS).map_err(|fault| unfit(fault.into()))?;
            let none = || (Json::Array(Vec::new()), Clarity::Hidden);
            match action.context.entry(name).or_insert_with(none) {
                (Json::Array(subjects), Clarity::Hidden) => {
                    let subject = subject.to_json();
                    if !subjects.contains(&subject) {
                        subjects.push(subject);
                    }
                    Ok(())
                }
                _ => Err(unfit(Unfit::Twice)),
            }
        })
    }

    /// Adds a dataset that the action reads; the order is kept.
    pub fn reads(self, dataset: Dataset) -> Self {
        self.and(|action| {
            let dataset = dataset
                .checked()
                .map_err(|fault| ActionError::at("reads", action.reads.len(), fault))?;
            action.reads.push(dataset);
            Ok(())
        })
    }

    /// Adds a dataset that the action writes; the order is kept.
    pub fn writes(self, dataset: Dataset) -> Self {
        self.and(|action| {
            let dataset = dataset
                .checked()
                .map_err(|fault| ActionError::at("writes", action.writes.len(), fault))?;
            action.writes.push(dataset);
            Ok(())
        })
    }

    /// Tells the action from an equal one that is meant to run too: 1 to 256 characters without
    /// control characters. Without it, an equal request that still waits is joined.
    pub fn occurrence(self, occurrence: impl Into<String>) -> Self {
        let occurrence = occurrence.into();
        self.and(|action| {
            if !limits::is_occurrence(&occurrence) {
                return Err(ActionError::new("occurrence", Unfit::OCCURRENCE));
            }
            match action.occurrence.replace(occurrence) {
                None => Ok(()),
                Some(_) => Err(ActionError::new("occurrence", Unfit::Twice)),
            }
        })
    }

    /// Names the request whose place this action takes.
    pub fn replaces(self, request: RequestId) -> Self {
        self.and(|action| match action.replaces.replace(request) {
            None => Ok(()),
            Some(_) => Err(ActionError::new("replaces", Unfit::Twice)),
        })
    }

    /// Says that the parameters are those of a typed operation in this version.
    pub fn operation(self, version: u32) -> Self {
        self.and(|action| match action.operation.replace(version) {
            None => Ok(()),
            Some(_) => Err(ActionError::new("operation", Unfit::Twice)),
        })
    }

    /// Says why, for those who decide: at most 4 KiB. Advisory.
    pub fn because(self, justification: impl Into<String>) -> Self {
        let justification = justification.into();
        self.and(|action| {
            if justification.len() > limits::JUSTIFICATION {
                let limit = limits::JUSTIFICATION;
                return Err(ActionError::new("justification", Unfit::TooLarge { limit }));
            }
            action.justification = Some(justification);
            Ok(())
        })
    }

    /// Names the id for following the action through other systems ([`TraceId`]). Advisory.
    pub fn trace(self, trace: impl AsRef<str>) -> Self {
        self.and(|action| {
            let trace = TraceId::new(trace).map_err(|fault| ActionError::new("trace", fault))?;
            action.trace = Some(trace);
            Ok(())
        })
    }

    /// The action.
    ///
    /// # Errors
    /// [`ActionError`] for the first thing that did not fit, and where it is.
    pub fn build(self) -> Result<Action, ActionError> {
        let action = self.state?;
        limits::check(&action)?;
        Ok(action)
    }

    /// Takes the fields of a typed operation as all the parameters there will be.
    pub(super) fn fields(self, version: u32, fields: Object) -> Self {
        let mut builder = self.operation(version).and_parameters(|| Ok(fields));
        builder.source = Parameters::Fields;
        builder
    }

    /// Ends in this error, unless there is an earlier one.
    pub(super) fn fail(self, error: ActionError) -> Self {
        self.and(|_| Err(error))
    }

    /// Marks a parameter that is there.
    pub(super) fn mark_sensitive(self, name: &str) -> Self {
        self.and(|action| {
            let parsed = Name::new(name).ok();
            match parsed.filter(|_| action.parameters.contains(name)) {
                Some(name) => action.sensitive.insert(name),
                None => return Err(ActionError::named("parameter", name, Unfit::NoSuchField)),
            };
            Ok(())
        })
    }

    fn and_parameter(self, name: &str, value: impl IntoJson) -> Self {
        self.and_parameters(|| {
            let value = value
                .into_json()
                .map_err(|error| ActionError::named("parameter", name, error))?;
            Ok(Object::from_iter([(name.to_owned(), value)]))
        })
    }

    fn and_parameters(self, more: impl FnOnce() -> Result<Object, ActionError>) -> Self {
        let source = self.source;
        self.and(|action| {
            for (name, value) in more()? {
                let unfit = |reason| ActionError::named("parameter", &name, reason);
                if source == Parameters::Fields {
                    return Err(unfit(Unfit::NotAField));
                }
                Name::new(&name).map_err(|fault| unfit(fault.into()))?;
                if action.parameters.contains(&name) {
                    return Err(unfit(Unfit::Twice));
                }
                action.parameters.insert(name, value);
            }
            Ok(())
        })
    }

    fn and_context(self, name: &str, value: impl IntoJson, clarity: Clarity) -> Self {
        self.and(|action| {
            let unfit = |reason| ActionError::named("context", name, reason);
            let value = value.into_json().map_err(|error| unfit(error.into()))?;
            let parsed = Name::new(name).map_err(|fault| unfit(fault.into()))?;
            if action.context.insert(parsed, (value, clarity)).is_some() {
                return Err(unfit(Unfit::Twice));
            }
            Ok(())
        })
    }

    fn and(mut self, step: impl FnOnce(&mut Action) -> Result<(), ActionError>) -> Self {
        if let Ok(action) = &mut self.state
            && let Err(error) = step(action)
        {
            self.state = Err(error);
        }
        self
    }
}

impl fmt::Debug for ActionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActionBuilder").field(&self.state).finish()
    }
}
