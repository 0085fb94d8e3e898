//! Which versions an operation is served in. Any other version of it is no route at all: 404.

use crate::Enterprise;
use axum::extract::FromRequestParts;
use axum::handler::Handler;
use axum::http::request::Parts;
use domain::Error;
use httpkit::{Group, Refusal};

/// A version of the contract: the first segment of an address. Handlers take it as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Version {
    /// `v1`.
    V1,
    /// `v2`.
    V2,
    /// `v3`.
    V3,
    /// `v4`.
    V4,
}

/// The versions of most operations.
pub(crate) const FIRST_THREE: &[Version] = &[Version::V1, Version::V2, Version::V3];

impl Version {
    /// All of them.
    pub(crate) const ALL: [Version; 4] = [Version::V1, Version::V2, Version::V3, Version::V4];

    /// As it stands in an address.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V2 => "v2",
            Version::V3 => "v3",
            Version::V4 => "v4",
        }
    }

    /// The version of an address, in whatever letter case.
    pub(crate) fn of(path: &str) -> Option<Version> {
        let first = path.split('/').nth(1)?;
        Version::ALL.into_iter().find(|version| version.name().eq_ignore_ascii_case(first))
    }
}

impl<S: Sync> FromRequestParts<S> for Version {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Version, Refusal> {
        let path = parts.uri.path();
        let missing = || Refusal::from(Error::not_found("report", path));
        Version::of(path).ok_or_else(missing)
    }
}

/// Operations below an enrollment, each in the versions that have it.
pub(crate) struct Routes(Group<Enterprise>);

impl Routes {
    /// None.
    pub(crate) fn new() -> Routes {
        Routes(Group::new())
    }

    /// Adds a GET below an enrollment in some versions; `tail` is lower case, and names a billing
    /// period `{period}`.
    #[must_use]
    pub(crate) fn get<H, T>(
        self,
        id: &'static str,
        versions: &[Version],
        tail: &str,
        handler: H,
    ) -> Routes
    where
        H: Handler<T, Enterprise>,
        T: 'static,
    {
        self.on("GET", id, versions, (tail, handler))
    }

    /// Adds a POST, as [`Routes::get`].
    #[must_use]
    pub(crate) fn post<H, T>(
        self,
        id: &'static str,
        versions: &[Version],
        tail: &str,
        handler: H,
    ) -> Routes
    where
        H: Handler<T, Enterprise>,
        T: 'static,
    {
        self.on("POST", id, versions, (tail, handler))
    }

    fn on<H, T>(
        self,
        verb: &'static str,
        id: &'static str,
        versions: &[Version],
        (tail, handler): (&str, H),
    ) -> Routes
    where
        H: Handler<T, Enterprise>,
        T: 'static,
    {
        Routes(versions.iter().fold(self.0, |group, version| {
            let path = format!("/{}/enrollments/{{enrollment}}{tail}", version.name());
            group.on(verb, id, &path, handler.clone())
        }))
    }

    /// Both.
    #[must_use]
    pub(crate) fn merge(self, other: Routes) -> Routes {
        Routes(self.0.merge(other.0))
    }

    /// The operations of all versions.
    pub(crate) fn into_group(self) -> Group<Enterprise> {
        self.0
    }
}
