//! What the address of a request names, and in which version it is asked.

use crate::Consumption;
use armkit::{ArmError, Chosen};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use domain::Error;
use httpkit::Path;
use std::collections::HashMap;

/// The versions that are answered, as they are asked for.
pub(crate) const VERSIONS: [&str; 3] = ["2019-10-01", "2021-10-01", "2023-05-01"];

/// A version by its shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2019,
    V2021,
}

impl Version {
    /// Both.
    pub(crate) const ALL: [Version; 2] = [Version::V2019, Version::V2021];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Version::V2019 => "2019-10-01",
            Version::V2021 => "2021-10-01",
        }
    }

    /// The one whose shapes answer what is asked for so: what is newer, the newest.
    pub(crate) fn of(name: &str) -> Version {
        if name == Version::V2019.name() { Version::V2019 } else { Version::V2021 }
    }
}

/// What the path of a request names.
#[derive(Debug)]
pub(crate) struct At {
    /// The operation that is asked for.
    pub(crate) operation: &'static str,
    /// In the shapes of which version.
    pub(crate) version: Version,
    /// The path as the table of routes has it, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) names: HashMap<String, String>,
}

impl At {
    /// The name at a parameter, as the caller spells it; empty where the path has no such thing.
    pub(crate) fn name(&self, parameter: &str) -> &str {
        self.given(parameter).unwrap_or_default()
    }

    /// The name at a parameter that the path may have.
    pub(crate) fn given(&self, parameter: &str) -> Option<&str> {
        self.names.get(parameter).map(String::as_str)
    }
}

impl FromRequestParts<Consumption> for At {
    type Rejection = ArmError;

    async fn from_request_parts(parts: &mut Parts, state: &Consumption) -> Result<At, ArmError> {
        let Path(names) = Path::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        let missing = || Error::internal("find an operation", parts.uri.path().to_owned());
        let Chosen { operation, version } =
            *parts.extensions.get::<Chosen>().ok_or_else(missing)?;
        let path = parts.extensions.get::<MatchedPath>().ok_or_else(missing)?.as_str().to_owned();
        Ok(At { operation, version: Version::of(version), path, names })
    }
}
