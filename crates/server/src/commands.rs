//! The sub-commands: one file each where there is more to one than a few lines.

mod amend;
mod apply;
mod balance;
mod callbacks;
mod close;
mod closes;
mod company;
mod drafts;
mod enterprise_keys;
mod explain;
mod import;
mod invoices;
mod keep;
mod keys;
mod ledger;
mod notes;
mod pay;
mod query;
mod serve;
mod upkeep;
mod waiting;

use clap::Subcommand;

/// What the program can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a company from a seed and serve it: to try things out.
    Demo(crate::demo::Demo),
    /// Serve an installation.
    Serve(serve::Serve),
    /// Declare accounts, catalog, prices and roles from files; shows what would change first.
    Apply(apply::Apply),
    /// Import files of usage.
    Import(import::Import),
    /// Add charges up.
    Query(query::Query),
    /// Walk a number back to records, prices and rounding.
    Explain(explain::Explain),
    /// List records that cannot be rated yet, or try them again.
    Quarantine(waiting::Quarantine),
    /// List records with a known key and other content, or settle which one counts.
    Conflicts(waiting::Conflicts),
    /// Give a record of usage another quantity.
    Amend(amend::Amend),
    /// Take a record of usage out.
    Withdraw(amend::Withdraw),
    /// Close a billing period: invoices, ledger entries, a link of the chain. Twice is once.
    Close(close::Close),
    /// List what is sealed, or where each account of a billing period stands.
    Closes(closes::Closes),
    /// Show what an account's drafts of a billing period come to now, and who has agreed to them.
    Drafts(drafts::Drafts),
    /// Agree to the drafts of one account, so that the next close lets them out.
    Approve(drafts::Approve),
    /// List invoices, and where they stand.
    Invoices(invoices::Invoices),
    /// Show an invoice with every line.
    Invoice(invoices::Invoice),
    /// Show what credit and prepayment can still pay.
    Balance(balance::Balance),
    /// Take back part of an invoice, by a credit note.
    CreditNote(notes::CreditNote),
    /// Withdraw an invoice, by a void note.
    Void(notes::Void),
    /// Withdraw an invoice and put another in its place, computed from the facts of now.
    Rebill(notes::Rebill),
    /// Write off what an invoice is owed.
    WriteOff(notes::WriteOff),
    /// Book money that came in: it settles invoices, the rest is open credit.
    Pay(pay::Pay),
    /// Book open credit that was paid out.
    Refund(pay::Refund),
    /// List what is declared.
    Company(company::Company),
    /// List the entries of a billing account's ledger, and what it holds.
    Ledger(ledger::Ledger),
    /// List what waits for a second person; who approves does it over HTTP, signed in.
    Requests(ledger::Requests),
    /// Copy an installation while it runs.
    Backup(keep::Backup),
    /// Put a backup into an empty directory.
    Restore(keep::Restore),
    /// Check everything that is kept.
    Verify(keep::Verify),
    /// Make an API key; it is shown this once.
    Key(keep::Key),
    /// List API keys, without their text.
    Keys(keys::Keys),
    /// Revoke an API key at once.
    Revoke(keys::Revoke),
    /// List, make, show, make anew and revoke keys of enrollments and their parts.
    EnterpriseKeys(enterprise_keys::EnterpriseKeys),
    /// List callbacks with usage results, of everybody, or have one sent again.
    Callbacks(callbacks::Callbacks),
    /// Read the audit log: who changed what, when and why.
    Audit(upkeep::Audit),
    /// Seal all usage and write all rated usage.
    Seal(upkeep::Seal),
    /// Print the OpenAPI document of the admin API.
    Openapi,
    /// Make a client secret: the secret for the client, its hash for the company files.
    Secret,
}

/// Carries a command out.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(demo) => demo.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Apply(apply) => apply.run().await,
        Command::Import(import) => import.run().await,
        Command::Query(query) => query.run().await,
        Command::Explain(explain) => explain.run().await,
        Command::Quarantine(quarantine) => quarantine.run().await,
        Command::Conflicts(conflicts) => conflicts.run().await,
        Command::Amend(amend) => amend.run().await,
        Command::Withdraw(withdraw) => withdraw.run().await,
        Command::Close(close) => close.run().await,
        Command::Closes(closes) => closes.run().await,
        Command::Drafts(drafts) => drafts.run().await,
        Command::Approve(approve) => approve.run().await,
        Command::Invoices(invoices) => invoices.run().await,
        Command::Invoice(invoice) => invoice.run().await,
        Command::Balance(balance) => balance.run().await,
        Command::CreditNote(note) => note.run().await,
        Command::Void(void) => void.run().await,
        Command::Rebill(rebill) => rebill.run().await,
        Command::WriteOff(write_off) => write_off.run().await,
        Command::Pay(pay) => pay.run().await,
        Command::Refund(refund) => refund.run().await,
        Command::Company(company) => company.run().await,
        Command::Ledger(ledger) => ledger.run().await,
        Command::Requests(requests) => requests.run().await,
        Command::Backup(backup) => backup.run().await,
        Command::Restore(restore) => restore.run(),
        Command::Verify(verify) => verify.run().await,
        Command::Key(key) => key.run().await,
        Command::Keys(keys) => keys.run().await,
        Command::Revoke(revoke) => revoke.run().await,
        Command::EnterpriseKeys(keys) => keys.run().await,
        Command::Callbacks(callbacks) => callbacks.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Seal(seal) => seal.run().await,
        Command::Openapi => upkeep::openapi(),
        Command::Secret => keep::secret(),
    }
}

/// The request id of a command: there is no request.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
