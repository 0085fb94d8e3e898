//! Operations: what this provider lets one do, told from the tables that are served.

use crate::listing::Listing;
use crate::{Billing, PROVIDER, V2019, V2020};
use armkit::{ArmError, List};
use axum::Json;
use httpkit::Group;
use serde::Serialize;
use std::collections::BTreeSet;

/// The namespace, as it stands in addresses and names.
const NAMESPACE: &str = "Microsoft.Billing";

pub(crate) fn group_2019() -> Group<Billing> {
    Group::new().get("Operations_List", PROVIDER, "/operations", list_2019)
}

pub(crate) fn group_2020() -> Group<Billing> {
    Group::new().get("Operations_List", PROVIDER, "/operations", list_2020)
}

/// What may be done, in each version: resources by their types, and what is done with them.
pub(crate) struct Rights(Vec<(&'static str, BTreeSet<Right>)>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    resource: String,
    operation: &'static str,
}

impl Rights {
    /// Reads the tables.
    pub(crate) fn of(served: &[(&'static str, Group<Billing>)]) -> Rights {
        let rights = |(version, group): &(&'static str, Group<Billing>)| {
            (*version, group.operations().iter().map(Right::of).collect())
        };
        Rights(served.iter().map(rights).collect())
    }

    fn of_version(&self, version: &str) -> impl Iterator<Item = &Right> {
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
            "POST" => "action",
            "DELETE" => "delete",
            _ => "write",
        };
        Right { resource, operation }
    }

    /// Source: the description: `{provider}/{resource}/{operation}`.
    fn name(&self) -> String {
        format!("{NAMESPACE}/{}/{}", self.resource, self.operation)
    }
}

async fn list_2019(listing: Listing) -> Result<Json<List<Operation2019>>, ArmError> {
    let page = listing.numbered(listing.billing.rights.of_version(V2019))?;
    Ok(Json(page.map(|right| Operation2019 {
        name: right.name(),
        display: Display2019 {
            provider: NAMESPACE,
            resource: right.resource.clone(),
            operation: right.operation,
        },
    })))
}

async fn list_2020(listing: Listing) -> Result<Json<List<Operation2020>>, ArmError> {
    let page = listing.numbered(listing.billing.rights.of_version(V2020))?;
    Ok(Json(page.map(|right| Operation2020 {
        name: right.name(),
        is_data_action: false,
        display: Display2020 {
            provider: NAMESPACE,
            resource: right.resource.clone(),
            operation: right.operation,
            description: format!("{} on {}", right.operation, right.resource),
        },
    })))
}

/// An operation, as `2019-10-01-preview` spells it.
#[derive(Serialize)]
struct Operation2019 {
    name: String,
    display: Display2019,
}

#[derive(Serialize)]
struct Display2019 {
    provider: &'static str,
    resource: String,
    operation: &'static str,
}

/// An operation, as `2020-05-01` spells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation2020 {
    name: String,
    is_data_action: bool,
    display: Display2020,
}

#[derive(Serialize)]
struct Display2020 {
    provider: &'static str,
    resource: String,
    operation: &'static str,
    description: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_by_its_type_and_what_is_done() {
        let check = |verb: &'static str, path: &str, expected: &str| {
            let operation = httpkit::Operation { path: path.to_owned(), verb, id: "X" };
            assert_eq!(Right::of(&operation).name(), expected, "{verb} {path}");
        };
        let accounts = "/providers/Microsoft.Billing/billingAccounts";
        check("GET", accounts, "Microsoft.Billing/billingAccounts/read");
        check("GET", &format!("{accounts}/{{a}}"), "Microsoft.Billing/billingAccounts/read");
        check("PATCH", &format!("{accounts}/{{a}}"), "Microsoft.Billing/billingAccounts/write");
        check(
            "GET",
            &format!("{accounts}/{{a}}/customers/{{c}}/policies/default"),
            "Microsoft.Billing/billingAccounts/customers/policies/read",
        );
        check(
            "POST",
            "/providers/Microsoft.Billing/validateAddress",
            "Microsoft.Billing/validateAddress/action",
        );
        check(
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Billing/billingProperty/default",
            "Microsoft.Billing/billingProperty/read",
        );
    }
}
