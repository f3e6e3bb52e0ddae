//! One-of-many tables: the key names the choice, as in `[signal.voiced]` or `jitter.normal = "2ms"`.
//!
//! Serde's externally tagged enums have this form. What they lack are messages: for none or two choices this module
//! names the possible ones, and points at the second.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::mend::list;

/// For serde's `deserialize_with`, on a field whose type is an enum.
pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(OneOf(deserializer))
}

/// The same for a choice that may be left out; to be used with serde's `default`.
pub(super) fn some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserialize(deserializer).map(Some)
}

struct OneOf<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for OneOf<D> {
    type Error = D::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(OneKey { choices, visitor })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct OneKey<V> {
    choices: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for OneKey<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table with one of {}", list(self.choices))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        if map.size_hint() == Some(0) {
            return Err(Error::custom(format_args!("nothing is chosen: give one of {}", list(self.choices))));
        }
        let value = self.visitor.visit_enum(MapAccessDeserializer::new(&mut map))?;
        map.next_key_seed(Refuse(self.choices))?;
        Ok(value)
    }
}

/// Refuses any key, so that the error carries the key's place.
struct Refuse(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Refuse {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<(), D::Error> {
        let key = String::deserialize(key)?;
        let choices = list(self.0);
        Err(Error::custom(format_args!("`{key}` is a second choice, and only one can be made among {choices}")))
    }
}
