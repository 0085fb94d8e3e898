//! Numbers in JSON without a float between: digits out, text in.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use std::fmt::Display;
use std::str::FromStr;

/// A number that is written as JSON digits by its `Display`, and read by its `FromStr` from a
/// JSON number's own digits or from a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ExactNumber<T>(pub T);

impl<T: Display> Serialize for ExactNumber<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.to_string();
        let number = Number::from_str(&digits)
            .map_err(|_| S::Error::custom(format!("`{digits}` is not a number in JSON")))?;
        number.serialize(serializer)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for ExactNumber<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExactNumber<T>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let digits = match &value {
            Value::Number(number) => number.as_str(),
            Value::String(text) => text.trim(),
            _ => return Err(D::Error::custom("a number is expected")),
        };
        digits.parse().map(ExactNumber).map_err(D::Error::custom)
    }
}
