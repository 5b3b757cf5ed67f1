use std::slice;

use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{FromJsonError, Mismatch, number};
use crate::canonical::{Iter, Json, Number};

/// Reads a value from [`Json`], as `serde` describes its type.
///
/// Integers are read as integers; a type that asks for a float gets the double that the decimal was
/// admitted for. No type gets a fraction as an integer, or a number as a text.
///
/// # Errors
/// [`FromJsonError`] if the type does not accept it, with the place in the value.
pub fn from_json<T: DeserializeOwned>(json: &Json) -> Result<T, FromJsonError> {
    T::deserialize(Reader(json))
}

struct Reader<'de>(&'de Json);

impl<'de> Reader<'de> {
    fn list<V: Visitor<'de>>(elements: &'de [Json], visitor: V) -> Result<V::Value, FromJsonError> {
        let mut list = ListReader {
            elements: elements.iter(),
            index: 0,
        };
        let value = visitor.visit_seq(&mut list)?;
        if list.elements.len() == 0 {
            Ok(value)
        } else {
            Err(FromJsonError::new(Mismatch::Length {
                expected: "fewer elements".to_owned(),
                found: elements.len(),
            }))
        }
    }

    fn number<V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, FromJsonError> {
        match number.as_i64() {
            Some(integer) => match u64::try_from(integer) {
                Ok(natural) => visitor.visit_u64(natural),
                Err(_) => visitor.visit_i64(integer),
            },
            None => visitor.visit_f64(number.to_f64()),
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = FromJsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromJsonError> {
        match self.0 {
            Json::Null => visitor.visit_unit(),
            Json::Bool(truth) => visitor.visit_bool(*truth),
            Json::Number(number) => Self::number(*number, visitor),
            Json::String(text) => visitor.visit_borrowed_str(text),
            Json::Array(elements) => Self::list(elements, visitor),
            Json::Object(members) => visitor.visit_map(MapReader {
                members: members.iter(),
                value: None,
            }),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromJsonError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromJsonError> {
        match self.0 {
            Json::Number(number) => visitor.visit_f64(number.to_f64()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromJsonError> {
        match self.0 {
            Json::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        match self.0 {
            Json::Number(number) if name == number::NEWTYPE => {
                visitor.visit_str(&number.to_string())
            }
            // A text is not a number, also where other formats write one as the other.
            Json::String(text) if name == number::NEWTYPE => {
                Err(FromJsonError::invalid_type(Unexpected::Str(text), &visitor))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        let (variant, value) = match self.0 {
            Json::String(variant) => (variant.as_str(), None),
            Json::Object(members) => match (members.iter().next(), members.len()) {
                (Some((variant, value)), 1) => (variant, Some(value)),
                _ => {
                    return Err(FromJsonError::invalid_value(
                        Unexpected::Map,
                        &"one variant",
                    ));
                }
            },
            _ => return self.deserialize_any(visitor),
        };
        visitor.visit_enum(VariantReader { variant, value })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

struct ListReader<'de> {
    elements: slice::Iter<'de, Json>,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for ListReader<'de> {
    type Error = FromJsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FromJsonError> {
        let Some(element) = self.elements.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Reader(element))
            .map(Some)
            .map_err(|error| error.under_element(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

struct MapReader<'de> {
    members: Iter<'de>,
    value: Option<(&'de str, &'de Json)>,
}

impl<'de> de::MapAccess<'de> for MapReader<'de> {
    type Error = FromJsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FromJsonError> {
        self.value = self.members.next();
        let Some((name, _)) = self.value else {
            return Ok(None);
        };
        seed.deserialize(Key(name))
            .map(Some)
            .map_err(|error| error.under_member(name))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FromJsonError> {
        let (name, value) = self
            .value
            .take()
            .ok_or_else(|| FromJsonError::new(Mismatch::Refused))?;
        seed.deserialize(Reader(value))
            .map_err(|error| error.under_member(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

/// The name of a member: a text, or whatever is written as one.
struct Key<'de>(&'de str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = FromJsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromJsonError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        let (variant, value) = (self.0, None);
        visitor.visit_enum(VariantReader { variant, value })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant of an enum, alone or as the one member of an object.
struct VariantReader<'de> {
    variant: &'de str,
    value: Option<&'de Json>,
}

impl<'de> VariantReader<'de> {
    fn value(&self) -> Result<&'de Json, FromJsonError> {
        self.value.ok_or_else(|| {
            FromJsonError::invalid_type(Unexpected::UnitVariant, &"a variant with a value")
        })
    }
}

impl<'de> de::EnumAccess<'de> for VariantReader<'de> {
    type Error = FromJsonError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), FromJsonError> {
        let variant: StrDeserializer<'_, FromJsonError> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for VariantReader<'de> {
    type Error = FromJsonError;

    fn unit_variant(self) -> Result<(), FromJsonError> {
        match self.value {
            None | Some(Json::Null) => Ok(()),
            Some(_) => Err(FromJsonError::invalid_type(
                Unexpected::NewtypeVariant,
                &"a variant without a value",
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, FromJsonError> {
        seed.deserialize(Reader(self.value()?))
            .map_err(|error| error.under_member(self.variant))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        Reader(self.value()?)
            .deserialize_any(visitor)
            .map_err(|error| error.under_member(self.variant))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FromJsonError> {
        self.tuple_variant(0, visitor)
    }
}
