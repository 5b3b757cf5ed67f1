//! Writing a body, or an object inside one, that hides some of its members.

use crate::action::{SdObject, Sealer};
use crate::approval::Hidden;
use crate::canonical::{Json, Object, write_string};

use super::encode::EncodeError;

/// An object of a record in the making.
#[derive(Default)]
pub(super) struct Body {
    object: SdObject,
    /// Members that are written already, canonically.
    ready: Vec<(&'static str, Vec<u8>)>,
}

impl Body {
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Json>) {
        self.object.set(name, value);
    }

    /// Puts a member whose value is canonical JSON already.
    pub(super) fn put_canonical(&mut self, name: &'static str, value: &[u8]) {
        self.ready.push((name, value.to_vec()));
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

    /// An object that takes no member as it is written already.
    pub(super) fn into_object(self) -> Object {
        debug_assert!(self.ready.is_empty());
        self.object.into_object()
    }

    /// The canonical bytes (RFC 8785).
    pub(super) fn into_canonical(self) -> Vec<u8> {
        let object = self.object.into_object();
        let mut members: Vec<(&str, Member<'_>)> = object
            .iter()
            .map(|(name, value)| (name, Member::Json(value)))
            .chain(
                self.ready
                    .iter()
                    .map(|(name, bytes)| (*name, Member::Ready(bytes.as_slice()))),
            )
            .collect();
        // The names are this library's own, in ASCII, where bytes are in the order of the RFC.
        members.sort_unstable_by_key(|(name, _)| *name);
        let mut out = Vec::with_capacity(1024);
        for (index, (name, value)) in members.into_iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            write_string(&mut out, name);
            out.push(b':');
            match value {
                Member::Json(value) => value.write_canonical(&mut out),
                Member::Ready(bytes) => out.extend_from_slice(bytes),
            }
        }
        if out.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        out
    }
}

enum Member<'m> {
    Json(&'m Json),
    Ready(&'m [u8]),
}
