use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{
    builder::ActionBuilder,
    description::Action,
    error::{ActionError, Unfit},
    value::{FromJsonError, from_json, to_json},
};
use crate::canonical::{Json, Object};

/// An action whose parameters are the fields of a Rust type.
///
/// What is approved are the bytes that the type writes, so what it reads from them must be the same
/// operation again; this is checked before anyone is asked. Floats are refused while it is written:
/// use [`Number`](crate::canonical::Number) or a text.
///
/// ```
/// use countersign::action::{Action, ActionBuilder, Dataset, Operation, decode};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Export {
///     table: String,
///     recipient: String,
/// }
///
/// impl Operation for Export {
///     const NAME: &'static str = "db.export";
///     const SENSITIVE: &'static [&'static str] = &["recipient"];
///
///     fn describe(&self, action: ActionBuilder) -> ActionBuilder {
///         action.reads(Dataset::new("postgres://db:5432", &self.table))
///     }
/// }
///
/// let export = Export { table: "crm.customers".into(), recipient: "rita".into() };
/// let action = Action::of(&export).because("monthly report").build()?;
/// assert!(action.is_sensitive("recipient"));
/// assert_eq!(decode::<Export>(&action)?.table, "crm.customers");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Operation: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The action's name; see [`ActionName`](super::ActionName).
    const NAME: &'static str;

    /// The version of the type. It is bound: raise it when fields change their meaning.
    const VERSION: u32 = 1;

    /// The fields that only those who decide may see. Each is always written, as `null` if absent.
    const SENSITIVE: &'static [&'static str] = &[];

    /// Adds what follows from the fields: tool, resources, datasets, context.
    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        action
    }
}

impl Action {
    /// Begins the action of a typed operation.
    ///
    /// [`build`](ActionBuilder::build) fails if the operation is not written as an object of valid
    /// parameters, holds floats, or is another one after it is read back.
    pub fn of<O: Operation>(operation: &O) -> ActionBuilder {
        let named = Self::named(O::NAME);
        let fields = match fields(operation) {
            Ok(fields) => fields,
            Err(error) => return named.fail(error),
        };
        let builder = O::SENSITIVE
            .iter()
            .fold(named.fields(O::VERSION, fields), |builder, name| {
                builder.mark_sensitive(name)
            });
        operation.describe(builder)
    }
}

/// The parameters of an operation that reads itself back from them.
fn fields<O: Operation>(operation: &O) -> Result<Object, ActionError> {
    let unfit = |reason: Unfit| ActionError::new("operation", reason);
    let Json::Object(fields) = to_json(operation).map_err(|error| unfit(error.into()))? else {
        return Err(unfit(Unfit::NotAnObject));
    };
    let fields = Json::Object(fields);
    let again = from_json::<O>(&fields).ok().map(|read| to_json(&read));
    match (again, fields) {
        (Some(Ok(again)), Json::Object(fields)) if again.as_object() == Some(&fields) => Ok(fields),
        _ => Err(unfit(Unfit::NotReproduced)),
    }
}

/// The operation that an action was made from.
///
/// # Errors
/// [`OperationError`] if the action has another name or version, if the type does not accept its
/// parameters, or if it would not write the same ones again, so that some of what was approved would
/// be lost.
pub fn decode<O: Operation>(action: &Action) -> Result<O, OperationError> {
    if action.name().as_str() != O::NAME {
        return Err(OperationError::Name {
            expected: O::NAME,
            found: action.name().to_string(),
        });
    }
    if action.operation_version() != Some(O::VERSION) {
        return Err(OperationError::Version {
            expected: O::VERSION,
            found: action.operation_version(),
        });
    }
    let operation: O = from_json(&Json::Object(action.parameters().clone()))?;
    match to_json(&operation) {
        Ok(Json::Object(again)) if again == *action.parameters() => Ok(operation),
        _ => Err(OperationError::NotReproduced),
    }
}

/// An action is not the operation that it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperationError {
    /// Another action.
    #[error("expected the action `{expected}`, found `{found}`")]
    Name {
        /// The operation's name.
        expected: &'static str,
        /// The action's name.
        found: String,
    },
    /// Another version, or an action that was made without a typed operation.
    #[error("expected version {expected} of the operation, found {}", version(*found))]
    Version {
        /// The operation's version.
        expected: u32,
        /// The action's version.
        found: Option<u32>,
    },
    /// The type does not accept the parameters.
    #[error("the parameters are not those of the operation: {0}")]
    Parameters(#[from] FromJsonError),
    /// The type reads the parameters and would write others.
    #[error("the operation would write other parameters than it was read from")]
    NotReproduced,
}

fn version(found: Option<u32>) -> String {
    found.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pay {
        to: String,
        cents: u64,
    }

    impl Operation for Pay {
        const NAME: &'static str = "pay";
        const VERSION: u32 = 2;
        const SENSITIVE: &'static [&'static str] = &["to"];
    }

    fn pay() -> Pay {
        Pay {
            to: "rita".into(),
            cents: 450,
        }
    }

    #[test]
    fn an_operation_comes_back_from_its_action() {
        let action = Action::of(&pay()).build().unwrap();
        assert_eq!(action.operation_version(), Some(2));
        assert!(action.is_sensitive("to") && !action.is_sensitive("cents"));
        assert_eq!(decode::<Pay>(&action), Ok(pay()));
    }

    #[test]
    fn another_action_is_no_operation() {
        let parameters = |name: &str, version| {
            Action::named(name)
                .operation(version)
                .parameter("to", "rita")
                .parameter("cents", 450)
        };
        assert!(decode::<Pay>(&parameters("pay", 2).build().unwrap()).is_ok());
        let error = |builder: ActionBuilder| decode::<Pay>(&builder.build().unwrap()).unwrap_err();
        assert!(matches!(
            error(parameters("pay2", 2)),
            OperationError::Name { .. }
        ));
        assert!(matches!(
            error(parameters("pay", 1)),
            OperationError::Version { .. }
        ));
        // What the type does not know is never dropped silently.
        let more = parameters("pay", 2).parameter("and_also", "everything");
        assert_eq!(error(more), OperationError::NotReproduced);
        let missing = Action::named("pay").operation(2).parameter("to", "rita");
        assert!(matches!(error(missing), OperationError::Parameters(_)));
    }

    #[test]
    fn nothing_is_added_to_the_fields() {
        let error = Action::of(&pay()).parameter("tip", 1).build().unwrap_err();
        assert_eq!(error.reason(), &Unfit::NotAField);
    }

    #[test]
    fn an_operation_that_does_not_read_itself_back_is_refused() {
        #[derive(Serialize, Deserialize)]
        struct Lossy {
            #[serde(skip_deserializing)]
            lost: u8,
        }
        impl Operation for Lossy {
            const NAME: &'static str = "lossy";
        }
        assert!(Action::of(&Lossy { lost: 0 }).build().is_ok());
        let error = Action::of(&Lossy { lost: 1 }).build().unwrap_err();
        assert_eq!(error.reason(), &Unfit::NotReproduced);

        #[derive(Serialize, Deserialize)]
        struct List(Vec<u8>);
        impl Operation for List {
            const NAME: &'static str = "list";
        }
        let error = Action::of(&List(vec![1])).build().unwrap_err();
        assert_eq!(error.reason(), &Unfit::NotAnObject);

        #[derive(Serialize, Deserialize)]
        struct Misspelt {
            to: String,
        }
        impl Operation for Misspelt {
            const NAME: &'static str = "misspelt";
            const SENSITIVE: &'static [&'static str] = &["recipient"];
        }
        let error = Action::of(&Misspelt { to: "x".into() })
            .build()
            .unwrap_err();
        assert_eq!(error.reason(), &Unfit::NoSuchField);
    }

    #[test]
    fn floats_are_refused_with_their_place() {
        #[derive(Serialize, Deserialize)]
        struct Shares {
            shares: Vec<f64>,
        }
        impl Operation for Shares {
            const NAME: &'static str = "shares";
        }
        let error = Action::of(&Shares { shares: vec![0.5] })
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "operation: `shares[0]`: floats have no exact form; pass a string or a `Number`"
        );
    }
}
