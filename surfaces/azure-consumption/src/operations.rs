//! Operations: what this provider lets one do, told from the tables that are served.

use crate::at::{At, Version};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Group};
use serde::Serialize;
use std::collections::BTreeSet;

/// The namespace, as it stands in addresses and names.
const NAMESPACE: &str = "Microsoft.Consumption";

pub(crate) fn group(_: Version) -> Group<Consumption> {
    Group::new().get("Operations_List", PROVIDER, "/operations", list)
}

/// What may be done, in each version: resources by their types, and what is done with them.
pub(crate) struct Rights(Vec<(Version, BTreeSet<Right>)>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    resource: String,
    operation: &'static str,
}

impl Rights {
    /// Reads the tables.
    pub(crate) fn of(served: &[(Version, Group<Consumption>)]) -> Rights {
        let rights = |(version, group): &(Version, Group<Consumption>)| {
            (*version, group.operations().iter().map(Right::of).collect())
        };
        Rights(served.iter().map(rights).collect())
    }

    fn of_version(&self, version: Version) -> impl Iterator<Item = &Right> {
        let rights = self.0.iter().filter(move |(of, _)| *of == version);
        rights.flat_map(|(_, rights)| rights)
    }
}

impl Right {
    fn of(operation: &httpkit::Operation) -> Right {
        let (_, below) = operation.path.split_once(NAMESPACE).unwrap_or_default();
        let is_type = |segment: &&str| {
            !segment.is_empty() && !segment.starts_with('{') && *segment != "default"
        };
        let resource = below.split('/').filter(is_type).collect::<Vec<_>>().join("/");
        let operation = match operation.verb {
            "GET" => "read",
            "DELETE" => "delete",
            _ => "write",
        };
        Right { resource, operation }
    }
}

/// All of them: they are few, so there is one page.
async fn list(
    State(consumption): State<Consumption>,
    Asking(_): Asking,
    at: At,
) -> Result<Json<List<Operation>>, ArmError> {
    Ok(Json(List { value: told(&consumption.rights, at.version), next_link: None }))
}

/// The operations of a version.
pub(crate) fn told(rights: &Rights, version: Version) -> Vec<Operation> {
    rights.of_version(version).map(Operation::of).collect()
}

/// `Operation`.
#[derive(Serialize)]
pub(crate) struct Operation {
    id: String,
    name: String,
    display: Display,
}

#[derive(Serialize)]
struct Display {
    provider: &'static str,
    resource: String,
    operation: &'static str,
    description: String,
}

impl Operation {
    /// Source: the descriptions: `{provider}/{resource}/{operation}`.
    fn of(Right { resource, operation }: &Right) -> Operation {
        let name = format!("{NAMESPACE}/{resource}/{operation}");
        Operation {
            id: name.clone(),
            name,
            display: Display {
                provider: NAMESPACE,
                resource: resource.clone(),
                operation,
                description: format!("{operation} on {resource}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_by_its_type_and_what_is_done() {
        let check = |verb: &'static str, path: &str, expected: &str| {
            let operation = httpkit::Operation { path: path.to_owned(), verb, id: "X" };
            let told = Operation::of(&Right::of(&operation));
            assert_eq!(told.name, expected, "{verb} {path}");
        };
        let budgets = "/{scope}/providers/Microsoft.Consumption/budgets";
        check("GET", budgets, "Microsoft.Consumption/budgets/read");
        check("PUT", &format!("{budgets}/{{b}}"), "Microsoft.Consumption/budgets/write");
        check("DELETE", &format!("{budgets}/{{b}}"), "Microsoft.Consumption/budgets/delete");
        check(
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Consumption/pricesheets/default",
            "Microsoft.Consumption/pricesheets/read",
        );
    }
}
