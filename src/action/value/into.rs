use std::{borrow::Cow, collections::BTreeMap};

use super::IntoJsonError;
use crate::canonical::{Json, Number, NumberError, Object};

/// What has an exact JSON form: texts, truth values, integers within ±(2^53−1), [`Number`]s, and
/// options, lists and maps of them.
///
/// Floats do not implement it: which decimal a float stands for is decided by whoever prints it.
///
/// ```compile_fail,E0277
/// use countersign::action::Action;
///
/// Action::named("pay").parameter("amount", 4.50);
/// ```
///
/// ```
/// use countersign::{action::Action, canonical::Number};
///
/// Action::named("pay").parameter("amount", Number::parse("4.50")?).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Types with `serde::Serialize` go through [`to_json`](super::to_json).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no exact JSON form",
    label = "not an exact value",
    note = "pass a string or a `Number` instead of a float, which stands for a decimal that nobody wrote",
    note = "pass a type that implements `serde::Serialize` through `to_json(&value)?`"
)]
pub trait IntoJson {
    /// The JSON of this value.
    ///
    /// # Errors
    /// [`IntoJsonError`] for an integer that needs a string, and its place in the value.
    fn into_json(self) -> Result<Json, IntoJsonError>;
}

macro_rules! infallible {
    ($($from:ty),*) => {$(
        impl IntoJson for $from {
            fn into_json(self) -> Result<Json, IntoJsonError> {
                Ok(Json::from(self))
            }
        }
    )*};
}

infallible!(
    &str, String, bool, i8, i16, i32, u8, u16, u32, Number, Object
);

macro_rules! wide_integers {
    ($($integer:ty),*) => {$(
        impl IntoJson for $integer {
            fn into_json(self) -> Result<Json, IntoJsonError> {
                let integer = i64::try_from(self).map_err(|_| NumberError::UnsafeInteger)?;
                Ok(Json::try_from(integer)?)
            }
        }
    )*};
}

wide_integers!(i64, u64, i128, u128, isize, usize);

impl IntoJson for Json {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        Ok(self)
    }
}

impl IntoJson for &Json {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        Ok(self.clone())
    }
}

impl IntoJson for &String {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        Ok(Json::from(self.as_str()))
    }
}

impl IntoJson for Cow<'_, str> {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        Ok(Json::from(self.into_owned()))
    }
}

impl IntoJson for char {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        Ok(Json::from(self.to_string()))
    }
}

impl<T: IntoJson> IntoJson for Option<T> {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        self.map_or(Ok(Json::Null), T::into_json)
    }
}

impl<T: IntoJson> IntoJson for Vec<T> {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        list(self)
    }
}

impl<T: IntoJson, const N: usize> IntoJson for [T; N] {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        list(self)
    }
}

impl<T: IntoJson + Clone> IntoJson for &[T] {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        list(self.iter().cloned())
    }
}

impl<T: IntoJson + Clone> IntoJson for &Vec<T> {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        list(self.iter().cloned())
    }
}

impl<T: IntoJson> IntoJson for BTreeMap<String, T> {
    fn into_json(self) -> Result<Json, IntoJsonError> {
        self.into_iter()
            .map(|(name, value)| match value.into_json() {
                Ok(value) => Ok((name, value)),
                Err(error) => Err(error.under_member(&name)),
            })
            .collect::<Result<Object, _>>()
            .map(Json::Object)
    }
}

fn list<T: IntoJson>(elements: impl IntoIterator<Item = T>) -> Result<Json, IntoJsonError> {
    elements
        .into_iter()
        .enumerate()
        .map(|(index, element)| {
            element
                .into_json()
                .map_err(|error| error.under_element(index))
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Json::Array)
}
