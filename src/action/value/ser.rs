use serde::{Serialize, Serializer, ser};

use super::{IntoJsonError, MAX_DEPTH, Unrepresentable, number};
use crate::canonical::{Json, Number, Object};

/// Writes a value as [`Json`], exactly or not at all.
///
/// Structs and maps become objects, enums are written as serde's externally tagged form, bytes as
/// lists of numbers, `None` and units as `null`.
///
/// # Errors
/// [`IntoJsonError`], with the place in the value, for floats, integers beyond ±(2^53−1), keys of maps
/// that are not texts or stand twice, and more than 64 levels.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Json, IntoJsonError> {
    value.serialize(Writer { levels: MAX_DEPTH })
}

type Written = Result<Json, IntoJsonError>;

#[derive(Clone, Copy)]
struct Writer {
    /// How many levels may still be opened.
    levels: usize,
}

impl Writer {
    fn deeper(self) -> Result<Self, IntoJsonError> {
        let levels = self.levels.checked_sub(1).ok_or(Unrepresentable::TooDeep)?;
        Ok(Self { levels })
    }

    fn list(self, length: Option<usize>) -> Result<ListWriter, IntoJsonError> {
        Ok(ListWriter {
            writer: self.deeper()?,
            // What a type says of its length is not believed without end.
            elements: Vec::with_capacity(length.unwrap_or(0).min(1024)),
        })
    }

    fn map(self) -> Result<MapWriter, IntoJsonError> {
        Ok(MapWriter {
            writer: self.deeper()?,
            members: Object::new(),
            key: None,
        })
    }
}

macro_rules! integers {
    ($($method:ident: $integer:ty),*) => {$(
        fn $method(self, integer: $integer) -> Written {
            integer_json(i128::from(integer))
        }
    )*};
}

fn integer_json(integer: i128) -> Written {
    let unsafe_integer = crate::canonical::NumberError::UnsafeInteger;
    let integer = i64::try_from(integer).map_err(|_| unsafe_integer)?;
    Ok(Json::try_from(integer)?)
}

impl Serializer for Writer {
    type Ok = Json;
    type Error = IntoJsonError;
    type SerializeSeq = ListWriter;
    type SerializeTuple = ListWriter;
    type SerializeTupleStruct = ListWriter;
    type SerializeTupleVariant = VariantWriter<ListWriter>;
    type SerializeMap = MapWriter;
    type SerializeStruct = MapWriter;
    type SerializeStructVariant = VariantWriter<MapWriter>;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_i128: i128
    );

    fn serialize_u128(self, integer: u128) -> Written {
        integer_json(i128::try_from(integer).unwrap_or(i128::MAX))
    }

    fn serialize_f32(self, _: f32) -> Written {
        Err(Unrepresentable::Float.into())
    }

    fn serialize_f64(self, _: f64) -> Written {
        Err(Unrepresentable::Float.into())
    }

    fn serialize_bool(self, truth: bool) -> Written {
        Ok(Json::Bool(truth))
    }

    fn serialize_char(self, character: char) -> Written {
        Ok(Json::String(character.to_string()))
    }

    fn serialize_str(self, text: &str) -> Written {
        Ok(Json::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Written {
        self.deeper()?;
        Ok(Json::Array(bytes.iter().copied().map(Json::from).collect()))
    }

    fn serialize_none(self) -> Written {
        Ok(Json::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(Json::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(Json::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        Ok(Json::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        let inner = value.serialize(self)?;
        match inner {
            Json::String(text) if name == number::NEWTYPE => {
                Ok(Json::Number(Number::parse(&text)?))
            }
            other => Ok(other),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let value = value
            .serialize(self.deeper()?)
            .map_err(|error| error.under_member(variant))?;
        Ok(tagged(variant, value))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<ListWriter, IntoJsonError> {
        self.list(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<ListWriter, IntoJsonError> {
        self.list(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<ListWriter, IntoJsonError> {
        self.list(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<VariantWriter<ListWriter>, IntoJsonError> {
        let inner = self.deeper()?.list(Some(length))?;
        Ok(VariantWriter { variant, inner })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<MapWriter, IntoJsonError> {
        self.map()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<MapWriter, IntoJsonError> {
        self.map()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<VariantWriter<MapWriter>, IntoJsonError> {
        let inner = self.deeper()?.map()?;
        Ok(VariantWriter { variant, inner })
    }
}

fn tagged(variant: &str, value: Json) -> Json {
    Json::Object(Object::new().with(variant, value))
}

pub(super) struct ListWriter {
    writer: Writer,
    elements: Vec<Json>,
}

impl ListWriter {
    fn push<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), IntoJsonError> {
        let index = self.elements.len();
        let element = element
            .serialize(self.writer)
            .map_err(|error| error.under_element(index))?;
        self.elements.push(element);
        Ok(())
    }
}

impl ser::SerializeSeq for ListWriter {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_element<T: Serialize + ?Sized>(
        &mut self,
        element: &T,
    ) -> Result<(), IntoJsonError> {
        self.push(element)
    }

    fn end(self) -> Written {
        Ok(Json::Array(self.elements))
    }
}

impl ser::SerializeTuple for ListWriter {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_element<T: Serialize + ?Sized>(
        &mut self,
        element: &T,
    ) -> Result<(), IntoJsonError> {
        self.push(element)
    }

    fn end(self) -> Written {
        Ok(Json::Array(self.elements))
    }
}

impl ser::SerializeTupleStruct for ListWriter {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &T) -> Result<(), IntoJsonError> {
        self.push(field)
    }

    fn end(self) -> Written {
        Ok(Json::Array(self.elements))
    }
}

pub(super) struct MapWriter {
    writer: Writer,
    members: Object,
    /// The key whose value comes next.
    key: Option<String>,
}

impl MapWriter {
    fn set<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), IntoJsonError> {
        if self.members.contains(&name) {
            return Err(IntoJsonError::from(Unrepresentable::DuplicateKey).under_member(&name));
        }
        let value = value
            .serialize(self.writer)
            .map_err(|error| error.under_member(&name))?;
        self.members.insert(name, value);
        Ok(())
    }
}

impl ser::SerializeMap for MapWriter {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), IntoJsonError> {
        // Texts, characters, names of variants and newtypes of them are written as strings.
        match key.serialize(self.writer)? {
            Json::String(name) => self.key = Some(name),
            _ => return Err(Unrepresentable::KeyNotText.into()),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), IntoJsonError> {
        let name = self.key.take().ok_or(Unrepresentable::Refused)?;
        self.set(name, value)
    }

    fn end(self) -> Written {
        match self.key {
            None => Ok(Json::Object(self.members)),
            Some(_) => Err(Unrepresentable::Refused.into()),
        }
    }
}

impl ser::SerializeStruct for MapWriter {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), IntoJsonError> {
        self.set(name.to_owned(), value)
    }

    fn end(self) -> Written {
        Ok(Json::Object(self.members))
    }
}

/// Writes what stands in a variant of an enum.
pub(super) struct VariantWriter<W> {
    variant: &'static str,
    inner: W,
}

impl ser::SerializeTupleVariant for VariantWriter<ListWriter> {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &T) -> Result<(), IntoJsonError> {
        self.inner
            .push(field)
            .map_err(|error| error.under_member(self.variant))
    }

    fn end(self) -> Written {
        Ok(tagged(self.variant, Json::Array(self.inner.elements)))
    }
}

impl ser::SerializeStructVariant for VariantWriter<MapWriter> {
    type Ok = Json;
    type Error = IntoJsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), IntoJsonError> {
        self.inner
            .set(name.to_owned(), value)
            .map_err(|error| error.under_member(self.variant))
    }

    fn end(self) -> Written {
        Ok(tagged(self.variant, Json::Object(self.inner.members)))
    }
}
