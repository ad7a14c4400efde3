//! A layer between serde and the two file formats: it makes [`Spanned`] work with both, and null lenient in YAML.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::{StrDeserializer, U64Deserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// A value and the place in its file where it begins (a block text: its first line), for errors that are found only after reading.
///
/// Only for files read by this crate's `yaml` and `toml` modules. Inside `#[serde(flatten)]` and `#[serde(untagged)]` serde keeps no places,
/// and reading fails.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Line, from 1; 0 where the value was not read from a file.
    pub line: usize,
    /// Column in characters, from 1; 0 where the value was not read from a file.
    pub column: usize,
}

impl<T> Spanned<T> {
    /// A value that was not read from a file.
    pub fn unplaced(value: T) -> Spanned<T> {
        Spanned { value, line: 0, column: 0 }
    }

    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), line: self.line, column: self.column }
    }

    /// An error at this place of the file it was read from.
    pub fn error(&self, file: &str, text: &str, message: impl Into<String>) -> crate::TextError {
        crate::TextError::at(file, text, self.line, self.column, message)
    }
}

/// The value alone counts: the same rule at another line is the same rule.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

const SPANNED: &str = "$__watchglass_spanned";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(SPANNED, &["value", "line", "column"], SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spanned<T>, A::Error> {
        let (mut value, mut line, mut column) = (None, 0u64, 0u64);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "value" => value = Some(map.next_value()?),
                "line" => line = map.next_value()?,
                _ => column = map.next_value()?,
            }
        }
        let value = value.ok_or_else(|| A::Error::custom("no value where one with its place was expected"))?;
        Ok(Spanned { value, line: line as usize, column: column as usize })
    }
}

/// Which file format lies below, with what its places need.
#[derive(Clone, Copy)]
pub(crate) enum Flavor<'t> {
    /// Places come as line and column; null is lenient.
    Yaml,
    /// Places come as offsets into this text.
    Toml(&'t str),
}

/// Wraps a format's deserializer, and everything that comes out of it.
pub(crate) struct Wrap<'t, X> {
    pub(crate) inner: X,
    pub(crate) flavor: Flavor<'t>,
}

impl<'t, X> Wrap<'t, X> {
    fn visitor<V>(&self, visitor: V) -> Wrap<'t, V> {
        Wrap { inner: visitor, flavor: self.flavor }
    }
}

macro_rules! forward {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.visitor(visitor);
            self.inner.$name(visitor)
        }
    )*};
}

macro_rules! forward_lenient {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.visitor(visitor);
            match self.flavor {
                Flavor::Toml(_) => self.inner.$name(visitor),
                Flavor::Yaml => {
                    struct NullOr<X>(X);
                    impl<'de, V: Visitor<'de>> Visitor<'de> for NullOr<Wrap<'_, V>> {
                        type Value = V::Value;
                        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            self.0.inner.expecting(f)
                        }
                        fn visit_none<E: Error>(self) -> Result<V::Value, E> {
                            null(stringify!($name), self.0.inner)
                        }
                        fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
                            null(stringify!($name), self.0.inner)
                        }
                        fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<V::Value, D::Error> {
                            d.$name(self.0)
                        }
                    }
                    self.inner.deserialize_option(NullOr(visitor))
                }
            }
        }
    )*};
}

/// What Go's YAML library leaves in a map, a list or a text for null: the empty one.
fn null<'de, V: Visitor<'de>, E: Error>(wanted: &str, visitor: V) -> Result<V::Value, E> {
    match wanted {
        "deserialize_seq" => visitor.visit_seq(Nothing(PhantomData)),
        "deserialize_str" | "deserialize_string" => visitor.visit_str(""),
        _ => visitor.visit_map(Nothing(PhantomData)),
    }
}

/// A map or list with nothing in it.
struct Nothing<E>(PhantomData<E>);

impl<'de, E: Error> SeqAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<Option<T::Value>, E> {
        Ok(None)
    }
}

impl<'de, E: Error> MapAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<T::Value, E> {
        Err(E::custom("a value without a key"))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Wrap<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }
    forward_lenient! { deserialize_map deserialize_seq deserialize_str deserialize_string }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == SPANNED {
            let places = Places(self.visitor(visitor));
            return match self.flavor {
                Flavor::Yaml => self.inner.deserialize_newtype_struct("__yaml_spanned", places),
                Flavor::Toml(_) => {
                    self.inner.deserialize_struct(TOML_SPANNED, &[TOML_START, TOML_END, TOML_VALUE], places)
                }
            };
        }
        let visitor = self.visitor(visitor);
        match self.flavor {
            Flavor::Toml(_) => self.inner.deserialize_struct(name, fields, visitor),
            Flavor::Yaml => self.inner.deserialize_option(NullStruct { name, fields, visitor }),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

struct NullStruct<X> {
    name: &'static str,
    fields: &'static [&'static str],
    visitor: X,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for NullStruct<Wrap<'_, V>> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.inner.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        null("deserialize_struct", self.visitor.inner)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        null("deserialize_struct", self.visitor.inner)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<V::Value, D::Error> {
        d.deserialize_struct(self.name, self.fields, self.visitor)
    }
}

macro_rules! forward_visit {
    ($($name:ident($t:ty))*) => {$(
        fn $name<E: Error>(self, v: $t) -> Result<V::Value, E> {
            self.inner.$name(v)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Wrap<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visit! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128) visit_f32(f32) visit_f64(f64)
        visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Wrap { inner: d, flavor: self.flavor })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Wrap { inner: d, flavor: self.flavor })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Wrap { inner: seq, flavor: self.flavor })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Wrap { inner: map, flavor: self.flavor })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Wrap { inner: data, flavor: self.flavor })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Wrap<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Wrap { inner: d, flavor: self.flavor })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Wrap<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Wrap { inner: seed, flavor: self.flavor })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Wrap<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Wrap { inner: seed, flavor: self.flavor })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Wrap { inner: seed, flavor: self.flavor })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 't, A: EnumAccess<'de>> EnumAccess<'de> for Wrap<'t, A> {
    type Error = A::Error;
    type Variant = Wrap<'t, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Wrap { inner: variant, flavor: self.flavor }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Wrap<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Wrap { inner: seed, flavor: self.flavor })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Wrap { inner: visitor, flavor: self.flavor })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Wrap { inner: visitor, flavor: self.flavor })
    }
}

// The names by which the TOML library knows that a place is asked for (its `Spanned` asks in the same way).
const TOML_SPANNED: &str = "$__serde_spanned_private_Spanned";
const TOML_START: &str = "$__serde_spanned_private_start";
const TOML_END: &str = "$__serde_spanned_private_end";
const TOML_VALUE: &str = "$__serde_spanned_private_value";

/// Takes either library's answer to the question for a place and hands it on as a map of `value`, `line` and `column`.
struct Places<X>(X);

impl<'de, V: Visitor<'de>> Visitor<'de> for Places<Wrap<'_, V>> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.inner.expecting(f)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<V::Value, D::Error> {
        d.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Wrap { inner: visitor, flavor } = self.0;
        visitor.visit_map(PlaceMap { map, flavor, next: Next::Value, line: 0, column: None })
    }
}

enum Next {
    Value,
    Line,
    Column,
}

struct PlaceMap<'t, A> {
    map: A,
    flavor: Flavor<'t>,
    next: Next,
    line: u64,
    column: Option<u64>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for PlaceMap<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key = |name: &'static str, seed: K| seed.deserialize(StrDeserializer::<A::Error>::new(name)).map(Some);
        if self.column.is_some() {
            self.next = Next::Column;
            return key("column", seed);
        }
        while let Some(name) = self.map.next_key::<String>()? {
            match name.as_str() {
                "value" | TOML_VALUE => {
                    self.next = Next::Value;
                    return key("value", seed);
                }
                "referenced" => {
                    let place: serde_saphyr::Location = self.map.next_value()?;
                    (self.line, self.column) = (place.line(), Some(place.column()));
                }
                // The other place that the YAML library names; it answers to nothing but being asked for as what it is.
                "defined" => {
                    self.map.next_value::<serde_saphyr::Location>()?;
                    continue;
                }
                TOML_START => {
                    let offset: usize = self.map.next_value()?;
                    let text = if let Flavor::Toml(text) = self.flavor { text } else { "" };
                    let (line, column) = crate::toml::place(text, offset);
                    (self.line, self.column) = (line as u64, Some(column as u64));
                }
                _ => {
                    self.map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            self.next = Next::Line;
            return key("line", seed);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let number = |n: u64| -> U64Deserializer<A::Error> { n.into_deserializer() };
        match self.next {
            Next::Value => self.map.next_value_seed(Wrap { inner: seed, flavor: self.flavor }),
            Next::Line => seed.deserialize(number(self.line)),
            Next::Column => seed.deserialize(number(self.column.take().unwrap_or(0))),
        }
    }
}
