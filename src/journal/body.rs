//! Writing a body, or an object inside one, that hides some of its members.

use crate::action::{SdObject, Sealer};
use crate::approval::Hidden;
use crate::canonical::{Json, Object};

use super::encode::EncodeError;

/// An object of a record in the making.
#[derive(Default)]
pub(super) struct Body {
    object: SdObject,
}

impl Body {
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Json>) {
        self.object.set(name, value);
    }

    pub(super) fn put_some(&mut self, name: &'static str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Hides a member. Whoever writes a record knows its values.
    pub(super) fn hide<T>(
        &mut self,
        name: &'static str,
        value: &Hidden<T>,
        to_json: impl FnOnce(&T) -> Json,
        sealer: &mut Sealer<'_>,
    ) -> Result<(), EncodeError> {
        let Hidden::Known(value) = value else {
            return Err(EncodeError::NotKnown { member: name });
        };
        sealer.hide(&mut self.object, name, &to_json(value))?;
        Ok(())
    }

    pub(super) fn hide_some<T>(
        &mut self,
        name: &'static str,
        value: Option<&Hidden<T>>,
        to_json: impl FnOnce(&T) -> Json,
        sealer: &mut Sealer<'_>,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.hide(name, value, to_json, sealer),
            None => Ok(()),
        }
    }

    pub(super) fn hide_text(
        &mut self,
        name: &'static str,
        value: &Hidden<String>,
        sealer: &mut Sealer<'_>,
    ) -> Result<(), EncodeError> {
        self.hide(name, value, |text| Json::from(text.as_str()), sealer)
    }

    pub(super) fn hide_some_text(
        &mut self,
        name: &'static str,
        value: Option<&Hidden<String>>,
        sealer: &mut Sealer<'_>,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.hide_text(name, value, sealer),
            None => Ok(()),
        }
    }

    pub(super) fn into_object(self) -> Object {
        self.object.into_object()
    }
}
