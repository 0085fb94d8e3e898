//! What kept a holding where it is, as jobs keep it: its words.

use domain::moves::Obstacle;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(
    obstacle: &Obstacle,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(obstacle.problem())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Obstacle, D::Error> {
    let problem = String::deserialize(deserializer)?;
    Obstacle::parse(&problem).ok_or_else(|| D::Error::custom("an obstacle that is not known"))
}
