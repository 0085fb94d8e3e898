//! What is published and not served yet: it is there, and says so.

use crate::Billing;
use armkit::ArmError;
use axum::http::StatusCode;
use httpkit::{Asking, Group, Operation};

/// Version, verb, path and id of an operation on a line.
const NOT_YET: &str = include_str!("../not_yet.txt");

/// The operations of a version that are not served yet.
pub(crate) fn operations(version: &str) -> impl Iterator<Item = Operation> {
    NOT_YET.lines().filter_map(move |line| {
        let mut words = line.split(' ');
        if words.next()? != version {
            return None;
        }
        let (verb, path, id) = (words.next()?, words.next()?, words.next()?);
        Some(Operation { path: path.to_owned(), verb, id })
    })
}

/// They answer 501 to whoever is signed in.
pub(crate) fn group(version: &'static str) -> Group<Billing> {
    operations(version).fold(Group::new(), |group, Operation { path, verb, id }| {
        group.on(verb, id, &path, move |_: Asking| async move { refusal(version, id) })
    })
}

fn refusal(version: &str, id: &str) -> ArmError {
    let message = format!("`{id}` is part of api-version `{version}` and not served here yet");
    ArmError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
}
