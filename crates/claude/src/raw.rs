//! JSON handled as text, so that what is not understood is not changed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object as a list of keys and raw values in their original order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawObject(Vec<(String, Box<RawValue>)>);

impl RawObject {
    pub(crate) fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// A field's text; `None` when it is missing or not a string.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(decode).map(Cow::into_owned)
    }

    /// Replaces a field in its place, or adds it at the end.
    pub(crate) fn set(&mut self, key: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// The object as JSON text, values byte for byte.
    pub(crate) fn to_json(&self) -> String {
        let fields: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}:{}", quote(key), value.get())).collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawObject(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The text between the quotes of a raw JSON string, escapes untouched; `None` for anything else.
pub(crate) fn inner(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// The text a raw JSON string stands for. Half a surrogate pair, which has no Unicode text, becomes U+FFFD.
pub(crate) fn decode(raw: &RawValue) -> Option<Cow<'_, str>> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    let inner = inner(raw)?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    // Asked for bytes, the parser lets half a surrogate pair pass instead of refusing the whole string.
    serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(Bytes).ok().map(Cow::Owned)
}

/// A JSON string for a text.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn an_object_keeps_order_numbers_and_escapes() {
        let json = r#"{"z":1.0e3,"a":"\u0041","z2":[1,  2],"k\"ey":null}"#;
        let object: RawObject = serde_json::from_str(json).unwrap();
        assert_eq!(object.to_json(), json);
    }

    #[test]
    fn a_field_is_replaced_where_it_stands() {
        let mut object: RawObject = serde_json::from_str(r#"{"a":1,"b":2}"#).unwrap();
        object.set("a", raw("{}"));
        object.set("c", raw("3"));
        assert_eq!(object.to_json(), r#"{"a":{},"b":2,"c":3}"#);
    }

    #[test]
    fn strings_decode() {
        assert_eq!(decode(&raw(r#""plain""#)).unwrap(), "plain");
        assert_eq!(decode(&raw(r#""a\n\ud83d\ude00""#)).unwrap(), "a\n\u{1f600}");
        assert!(decode(&raw(r#""half \ud83d""#)).unwrap().starts_with("half \u{fffd}"));
        assert!(decode(&raw("5")).is_none());
    }
}
