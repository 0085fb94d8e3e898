//! Everything that an operator does, as JSON: charges, explanations, quarantine, conflicts, keys,
//! audit log, upkeep.

mod audit;
mod charges;
mod conflicts;
mod explain;
mod keys;
mod operations;
mod prices;
mod quarantine;
mod wire;

use domain::usage::Quarantined;
use httpkit::{Group, House, Surface};
use service::{Explanation, Reckoner};

/// Where everything of this surface stands.
const ADMIN: &str = "/admin/v1";

/// The surface.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    Surface::new("admin", group(), reckoner.clone(), house.frame(httpkit::plain))
}

fn group() -> Group<Reckoner> {
    Group::new()
        .post("Charges_Query", ADMIN, "/charges/query", charges::query)
        .get("Explain_Record", ADMIN, "/explain/record", explain::record)
        .post("Explain_Total", ADMIN, "/explain/total", explain::total)
        .get("Quarantine_List", ADMIN, "/quarantine", quarantine::list)
        .get("Conflicts_List", ADMIN, "/conflicts", conflicts::list)
        .post("Conflicts_Settle", ADMIN, "/conflicts/settle", conflicts::settle)
        .post("Keys_Make", ADMIN, "/keys", keys::make)
        .get("Keys_List", ADMIN, "/keys", keys::list)
        .post("Keys_Revoke", ADMIN, "/keys/{id}/revoke", keys::revoke)
        .get("Audit_List", ADMIN, "/audit", audit::list)
        .post("Operations_Seal", ADMIN, "/operations/seal", operations::seal)
        .post("Operations_Verify", ADMIN, "/operations/verify", operations::verify)
        .rest("/admin")
}

/// An explanation as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn explanation_json(explanation: Explanation) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&explain::Answer::from(explanation))
}

/// Quarantined records as this surface spells them, for the command line.
///
/// Errors: they cannot be written as JSON.
pub fn quarantine_json(records: Vec<Quarantined>) -> serde_json::Result<String> {
    let items: Vec<quarantine::Item> = records.into_iter().map(quarantine::Item::from).collect();
    serde_json::to_string_pretty(&items)
}

#[cfg(test)]
mod tests;
