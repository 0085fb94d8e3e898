//! Everything that an operator does, as JSON: charges, explanations, quarantine, conflicts,
//! amendments, closes, drafts, invoices and what becomes of them, payments, ledgers, keys,
//! callbacks, audit log, upkeep.

mod audit;
mod balances;
mod callbacks;
mod charges;
mod closes;
mod company;
mod conflicts;
mod drafts;
mod enterprise_keys;
mod explain;
mod explain_figures;
mod explain_lines;
mod invoices;
mod kept_answers;
mod keys;
mod ledger;
mod notes;
mod openapi;
mod operations;
mod payments;
mod prices;
mod quarantine;
mod requests;
mod usage;
mod wire;

use domain::ids::PaymentId;
use domain::usage::{QuarantineReason, Quarantined};
use httpkit::{House, Surface, Table, conditional};
use service::{
    AccountDrafts, Amended, AuditRow, AvailableBalance, BalanceOfPeriod, CallbackLogged, Checked,
    CloseStanding, Closing, Conflict, DeclaredFact, EnterpriseKeyShown, EnterpriseKeyTold,
    ExplainedFigure, ExplainedLine, Explanation, Issued, IssuedNote, KeyMade, KeyRow, LedgerTold,
    PaymentBooked, Rebilled, Reckoner, Replayed, RequestTold, SealedPeriod, WrittenOff,
};

/// Where everything of this surface stands.
const ADMIN: &str = "/admin/v1";

/// The surface.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    let (group, described) = table().into_parts();
    let group = group.within(|routes| {
        // What was answered before is answered again, whatever has changed since.
        let routes = conditional(routes, reckoner.clone());
        kept_answers::repeatable(routes, reckoner, &described)
    });
    Surface::new("admin", group, reckoner.clone(), house.frame(httpkit::plain))
}

/// The operations: `post` changes something, `ask` only reads.
fn table() -> Table<Reckoner> {
    Table::new()
        .ask("Charges_Query", ADMIN, "/charges/query", charges::query)
        .get("Explain_Record", ADMIN, "/explain/record", explain::record)
        .ask("Explain_Total", ADMIN, "/explain/total", explain::total)
        .get("Explain_Line", ADMIN, "/explain/line", explain_lines::line)
        .get("Explain_Document", ADMIN, "/explain/document", explain_figures::figure)
        .get("Company_List", ADMIN, "/company", company::list)
        .ask("Company_Plan", ADMIN, "/company/plan", company::plan)
        .post("Company_Apply", ADMIN, "/company/apply", company::apply)
        .get("Quarantine_List", ADMIN, "/quarantine", quarantine::list)
        .post("Quarantine_Replay", ADMIN, "/quarantine/replay", quarantine::replay)
        .get("Conflicts_List", ADMIN, "/conflicts", conflicts::list)
        .post("Conflicts_Settle", ADMIN, "/conflicts/settle", conflicts::settle)
        .post("Usage_Amend", ADMIN, "/usage/amend", usage::amend)
        .post("Usage_Withdraw", ADMIN, "/usage/withdraw", usage::withdraw)
        .post("Closes_Run", ADMIN, "/closes", closes::run)
        .get("Closes_List", ADMIN, "/closes", closes::list)
        .get("Closes_Get", ADMIN, "/closes/{period}", closes::one)
        .get("Drafts_Get", ADMIN, "/drafts", drafts::get)
        .post("Drafts_Approve", ADMIN, "/drafts/approve", drafts::approve)
        .post("Drafts_TakeBack", ADMIN, "/drafts/take-back", drafts::take_back)
        .get("Balances_Get", ADMIN, "/balance", balances::one)
        .get("Balances_OfPeriod", ADMIN, "/balance/{period}", balances::of_period)
        .get("Invoices_List", ADMIN, "/invoices", invoices::list)
        .get("Invoices_Get", ADMIN, "/invoices/{number}", invoices::one)
        .post("Invoices_Credit", ADMIN, "/invoices/{number}/credit-notes", notes::credit)
        .post("Invoices_Void", ADMIN, "/invoices/{number}/void", notes::void)
        .post("Invoices_Rebill", ADMIN, "/invoices/{number}/rebill", notes::rebill)
        .post("Invoices_WriteOff", ADMIN, "/invoices/{number}/write-off", notes::write_off)
        .post("Payments_Record", ADMIN, "/payments", payments::pay)
        .post("Refunds_Record", ADMIN, "/refunds", payments::refund)
        .get("Ledger_List", ADMIN, "/ledger", ledger::list)
        .get("Requests_List", ADMIN, "/requests", requests::list)
        .post("Requests_Approve", ADMIN, "/requests/{id}/approve", requests::approve)
        .post("Keys_Make", ADMIN, "/keys", keys::make)
        .get("Keys_List", ADMIN, "/keys", keys::list)
        .post("Keys_Revoke", ADMIN, "/keys/{id}/revoke", keys::revoke)
        .post("EnterpriseKeys_Make", ADMIN, "/enterprise-keys", enterprise_keys::make)
        .get("EnterpriseKeys_List", ADMIN, "/enterprise-keys", enterprise_keys::list)
        .get("EnterpriseKeys_Get", ADMIN, "/enterprise-keys/{id}", enterprise_keys::one)
        .post(
            "EnterpriseKeys_Remake",
            ADMIN,
            "/enterprise-keys/{id}/remake",
            enterprise_keys::remake,
        )
        .post(
            "EnterpriseKeys_Revoke",
            ADMIN,
            "/enterprise-keys/{id}/revoke",
            enterprise_keys::revoke,
        )
        .get("Callbacks_List", ADMIN, "/callbacks", callbacks::list)
        .post("Callbacks_Resend", ADMIN, "/callbacks/{id}/resend", callbacks::resend)
        .get("Audit_List", ADMIN, "/audit", audit::list)
        .post("Operations_Seal", ADMIN, "/operations/seal", operations::seal)
        .ask("Operations_Verify", ADMIN, "/operations/verify", operations::verify)
        .get("OpenApi_Get", ADMIN, "/openapi.json", openapi::get)
        .rest("/admin")
}

/// The OpenAPI document of this surface, as text.
pub fn openapi() -> &'static str {
    openapi::text()
}

/// An explanation as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn explanation_json(explanation: Explanation) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&explain::Answer::from(explanation))
}

/// How a line of an invoice came about as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn line_json(explained: &ExplainedLine) -> domain::Result<String> {
    pretty(&explain_lines::Explained::of(explained)?)
}

/// How a figure of a document came about as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn figure_json(explained: &ExplainedFigure) -> domain::Result<String> {
    pretty(&explain_figures::Answer::of(explained)?)
}

/// An available balance as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn balance_json(balance: AvailableBalance) -> domain::Result<String> {
    pretty(&balances::Answer::from(balance))
}

/// A balance of a billing period as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn period_balance_json(balance: BalanceOfPeriod) -> domain::Result<String> {
    pretty(&balances::OfPeriod::of(balance)?)
}

/// What is declared as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn declared_json(facts: Vec<DeclaredFact>) -> domain::Result<String> {
    pretty(&facts.into_iter().map(company::Fact::of).collect::<domain::Result<Vec<_>>>()?)
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

/// Where a billing period stands as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn close_standing_json(
    standing: CloseStanding,
    now: calendar::Instant,
) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&closes::Standing::of(standing, now))
}

/// What is sealed as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn sealed_periods_json(sealed: Vec<SealedPeriod>) -> serde_json::Result<String> {
    let items: Vec<closes::Sealed> = sealed.into_iter().map(closes::Sealed::from).collect();
    serde_json::to_string_pretty(&items)
}

/// An account's drafts as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Internal`] when they cannot be written.
pub fn drafts_json(drafts: AccountDrafts) -> domain::Result<String> {
    pretty(&drafts::Answer::from(drafts))
}

/// What a key says as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn key_made_json(made: KeyMade) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&keys::Made::from(made))
}

/// Keys as this surface spells them, for the command line.
///
/// Errors: they cannot be written as JSON.
pub fn keys_json(rows: Vec<KeyRow>) -> serde_json::Result<String> {
    let items: Vec<keys::Item> = rows.into_iter().map(keys::Item::from).collect();
    serde_json::to_string_pretty(&items)
}

/// An enterprise key with its text as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn enterprise_key_json(shown: EnterpriseKeyShown) -> domain::Result<String> {
    pretty(&enterprise_keys::Shown::from(shown))
}

/// Enterprise keys as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Internal`] when they cannot be written.
pub fn enterprise_keys_json(told: Vec<EnterpriseKeyTold>) -> domain::Result<String> {
    pretty(&told.into_iter().map(enterprise_keys::Item::from).collect::<Vec<_>>())
}

/// Callbacks of everybody as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Internal`] when they cannot be written.
pub fn callbacks_json(callbacks: Vec<CallbackLogged>) -> domain::Result<String> {
    pretty(&callbacks.into_iter().map(callbacks::Item::from).collect::<Vec<_>>())
}

/// Entries of the audit log as this surface spells them, for the command line.
///
/// Errors: they cannot be written as JSON.
pub fn audit_json(rows: Vec<AuditRow>) -> serde_json::Result<String> {
    let items: Vec<audit::Item> = rows.into_iter().map(audit::Item::from).collect();
    serde_json::to_string_pretty(&items)
}

/// What verifying found as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn checked_json(checked: Checked) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&operations::Found::from(checked))
}

/// What amending came to as this surface spells it, for the command line.
///
/// Errors: it cannot be written as JSON.
pub fn amended_json(amended: Amended) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&usage::Outcome::from(amended))
}

/// Invoices and notes in short as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when they cannot be written.
pub fn invoices_json(issued: &[Issued]) -> domain::Result<String> {
    pretty(&issued.iter().map(invoices::Listed::of).collect::<domain::Result<Vec<_>>>()?)
}

/// An invoice or note with all its lines as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn invoice_json(issued: &Issued) -> domain::Result<String> {
    pretty(&invoices::Shown::of(issued)?)
}

/// A note that was made as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn note_json(note: &IssuedNote) -> domain::Result<String> {
    pretty(&notes::WholeNote::of(note)?)
}

/// A rebill as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Money`]; [`domain::Error::Internal`] when it cannot be written.
pub fn rebilled_json(rebilled: &Rebilled) -> domain::Result<String> {
    pretty(&notes::Replaced::of(rebilled)?)
}

/// What was written off as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn written_off_json(written_off: WrittenOff) -> domain::Result<String> {
    pretty(&notes::GivenUp::from(written_off))
}

/// A payment as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn payment_json(id: &PaymentId, booked: PaymentBooked) -> domain::Result<String> {
    pretty(&payments::Booked::of(id.to_string(), booked))
}

/// Requests as this surface spells them, for the command line.
///
/// Errors: [`domain::Error::Internal`] when they cannot be read or written.
pub fn requests_json(requests: Vec<RequestTold>) -> domain::Result<String> {
    let items = requests.into_iter().map(requests::Item::try_from);
    pretty(&items.collect::<domain::Result<Vec<_>>>()?)
}

/// A ledger as this surface spells it, for the command line.
///
/// Errors: [`domain::Error::Internal`] when it cannot be written.
pub fn ledger_json(told: LedgerTold) -> domain::Result<String> {
    pretty(&ledger::Answer::from(told))
}

fn pretty(answer: &impl serde::Serialize) -> domain::Result<String> {
    serde_json::to_string_pretty(answer).map_err(|e| domain::Error::internal("write JSON", e))
}

/// Reads why a record waits, by the name that this surface gives it.
///
/// Errors: [`domain::Error::Invalid`].
pub fn reason(name: &str) -> domain::Result<QuarantineReason> {
    wire::reason(name)
}

#[cfg(test)]
mod tests;
