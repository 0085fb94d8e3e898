//! Everything that an operator does, as JSON: charges, explanations, quarantine, conflicts,
//! amendments, closes, invoices, keys, audit log, upkeep.

mod audit;
mod charges;
mod closes;
mod conflicts;
mod explain;
mod invoices;
mod keys;
mod operations;
mod prices;
mod quarantine;
mod usage;
mod wire;

use domain::usage::{QuarantineReason, Quarantined};
use httpkit::{Group, House, Surface};
use service::{Closing, Conflict, Document, Explanation, Reckoner, Replayed};

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
        .post("Quarantine_Replay", ADMIN, "/quarantine/replay", quarantine::replay)
        .get("Conflicts_List", ADMIN, "/conflicts", conflicts::list)
        .post("Conflicts_Settle", ADMIN, "/conflicts/settle", conflicts::settle)
        .post("Usage_Amend", ADMIN, "/usage/amend", usage::amend)
        .post("Usage_Withdraw", ADMIN, "/usage/withdraw", usage::withdraw)
        .post("Closes_Run", ADMIN, "/closes", closes::run)
        .get("Invoices_List", ADMIN, "/invoices", invoices::list)
        .get("Invoices_Get", ADMIN, "/invoices/{number}", invoices::one)
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

/// What a replay came to as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn replayed_json(replayed: Replayed) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&quarantine::Outcome::from(replayed))
}

/// Conflicts as this surface spells them, for the command line.
///
/// Errors: they cannot be written as JSON.
pub fn conflicts_json(conflicts: Vec<Conflict>) -> serde_json::Result<String> {
    let items: Vec<conflicts::Item> = conflicts.into_iter().map(conflicts::Item::from).collect();
    serde_json::to_string_pretty(&items)
}

/// What closing came to as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn closing_json(closing: Closing) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&closes::Answer::from(closing))
}

/// Invoices in short as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when they cannot be written.
pub fn invoices_json(documents: &[Document]) -> domain::Result<String> {
    let items = documents.iter().map(invoices::Short::of).collect::<domain::Result<Vec<_>>>()?;
    serde_json::to_string_pretty(&items).map_err(|e| domain::Error::internal("write JSON", e))
}

/// An invoice with all its lines as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn invoice_json(document: &Document) -> domain::Result<String> {
    let whole = invoices::Whole::of(document)?;
    serde_json::to_string_pretty(&whole).map_err(|e| domain::Error::internal("write JSON", e))
}

/// Reads why a record waits, by the name that this surface gives it.
///
/// Errors: [`domain::Error::Invalid`].
pub fn reason(name: &str) -> domain::Result<QuarantineReason> {
    wire::reason(name)
}

#[cfg(test)]
mod tests;
