//! What the operator of the demo did in the months before: closes, payments, a void invoice.

use crate::cards::decimal;
use crate::company::{date, month};
use crate::ids::{HAULIER, Ids, MESSENGER, MILL, PARTNER, PRESS, RETAILER, STUDIO};
use calendar::{BillingPeriod, Instant};
use domain::closes::{Part, PartKind, Share};
use domain::ids::{BillingAccountId, DocumentId, PaymentId};
use money::Fixed18;

/// The closed billing periods.
pub(crate) const CLOSED: [&str; 3] = ["2026-08", "2026-09", "2026-10"];
/// The open one.
pub(crate) const OPEN: &str = "2026-11";

/// What was done, and when: usage that was reported by then was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// One thing that an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A billing period is closed, and all drafts go out.
    Close(BillingPeriod),
    /// Money comes in.
    Pay {
        /// Its id.
        id: PaymentId,
        /// Whose.
        billing_account: BillingAccountId,
        /// For this invoice; for all that is owed if none.
        invoice: Option<DocumentId>,
        /// How much.
        paid: Paid,
    },
    /// Open credit is paid out.
    Refund {
        /// Its id.
        id: PaymentId,
        /// Whose.
        billing_account: BillingAccountId,
        /// Major units.
        amount: Fixed18,
    },
    /// An invoice is withdrawn.
    Void {
        /// Whose.
        billing_account: BillingAccountId,
        /// Which.
        invoice: DocumentId,
        /// Why.
        reason: String,
    },
}

/// How much of what is owed is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// All.
    Whole,
    /// Half of it, in whole major units.
    Half,
    /// All, and so many major units too much.
    TooMuch(Fixed18),
}

/// Everything that was done, in order of time.
pub(crate) fn deeds(ids: &Ids) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut on = |at: &str, what: What| deeds.push(Deed { at: date(at), what });
    let [august, september, october] = CLOSED.map(month);

    on("2026-09-05T06:00:00Z", What::Close(august));
    for (number, account) in
        [RETAILER, MILL, PARTNER, STUDIO, MESSENGER, HAULIER, PRESS].into_iter().enumerate()
    {
        let id = format!("bank-09-{number:02}");
        on("2026-09-16T09:00:00Z", pay(ids, &id, account, None, Paid::Whole));
    }

    on("2026-10-05T06:00:00Z", What::Close(september));
    // The retailer pays its marketplace charges; of its profiles neither pays in time.
    let september_of = |kind| invoice(ids, september, "retail profile", kind);
    let marketplace = Some(september_of(PartKind::Marketplace));
    on("2026-10-14T09:00:00Z", pay(ids, "bank-10-00", RETAILER, marketplace, Paid::Whole));
    for (number, account) in [(1, MILL), (3, STUDIO), (4, MESSENGER), (6, PRESS)] {
        let id = format!("bank-10-{number:02}");
        on("2026-10-16T09:00:00Z", pay(ids, &id, account, None, Paid::Whole));
    }
    // The partner pays too much, and has a part of it back; the rest pays the next invoice.
    let too_much = Paid::TooMuch(decimal("50"));
    on("2026-10-16T09:00:00Z", pay(ids, "bank-10-02", PARTNER, None, too_much));
    // A wrong purchase order number: the group's invoice is withdrawn.
    on(
        "2026-10-20T09:00:00Z",
        What::Void {
            billing_account: ids.account(RETAILER),
            invoice: invoice(ids, september, "group profile", PartKind::Own),
            reason: "issued to the wrong purchase order".to_owned(),
        },
    );
    on(
        "2026-10-28T09:00:00Z",
        What::Refund {
            id: payment("back-10-02"),
            billing_account: ids.account(PARTNER),
            amount: decimal("30"),
        },
    );

    on("2026-11-05T06:00:00Z", What::Close(october));
    let group = invoice(ids, october, "group profile", PartKind::Own);
    on("2026-11-12T09:00:00Z", pay(ids, "bank-11-00", RETAILER, Some(group), Paid::Half));
    on("2026-11-13T09:00:00Z", pay(ids, "bank-11-03", STUDIO, None, Paid::Whole));
    deeds
}

fn payment(id: &str) -> PaymentId {
    PaymentId::new(id).expect("a short plain text")
}

fn pay(ids: &Ids, id: &str, account: &str, invoice: Option<DocumentId>, paid: Paid) -> What {
    What::Pay { id: payment(id), billing_account: ids.account(account), invoice, paid }
}

/// The retailer's invoice of a billing profile.
fn invoice(ids: &Ids, period: BillingPeriod, profile: &str, kind: PartKind) -> DocumentId {
    let part = Part { share: Share::Profile(ids.of(profile).to_owned()), kind };
    part.document(&ids.account(RETAILER), period).expect("a short plain text")
}
