//! For the tests: an invoice that has everything, to be shown by the published descriptions.

use crate::at;
use crate::described::{account, during, key, usd};
use crate::invoice_files::Links;
use crate::invoices::Whose;
use crate::same::invoices::Manner;
use calendar::{BillingPeriod, Instant};
use domain::agreements::AgreementType;
use domain::chain::Digest;
use domain::closes::{Part, PartKind, Share};
use domain::ids::{BillingAccountId, DocumentId, LegalEntityId, SubscriptionId};
use domain::invoice::Invoice;
use domain::invoice_state::InvoiceState;
use domain::notes::{Note, NoteKind};
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place};
use httpkit::BaseUrl;
use money::Money;
use service::{
    Document, InvoicePayment, InvoiceTold, InvoicedProfile, InvoicesOf, IssuedNote, PaymentSource,
    Replaced,
};
use std::collections::BTreeMap;

fn number(sequence: u64) -> DocumentNumber {
    DocumentNumber { seller: LegalEntityId::new("reck").unwrap(), sequence }
}

fn seller() -> LegalEntityId {
    LegalEntityId::new("reck").unwrap()
}

fn north() -> BillingAccountId {
    account(AgreementType::Customer).id
}

fn note(kind: NoteKind, sequence: u64) -> IssuedNote {
    let note = Note {
        id: DocumentId::new(&format!("north/{}/{sequence}", kind.name())).unwrap(),
        kind,
        billing_account: north(),
        seller: seller(),
        amends: DocumentId::new("north/2026-09/rebill/1/profile/ships").unwrap(),
        reason: String::new(),
        currency: usd(),
        lines: Vec::new(),
    };
    IssuedNote {
        number: number(sequence),
        note,
        amends: number(7),
        period: BillingPeriod::parse("2026-10").unwrap(),
        issued_at: during().start(),
        approved_by: "rule billing terms".to_owned(),
        digest: Digest::from_bytes([0; 32]),
    }
}

/// An invoice that stands in the place of another, and that another stands in the place of.
pub(crate) fn told(share: Share) -> InvoiceTold {
    let profile = match &share {
        Share::Profile(_) => Some(InvoicedProfile {
            place: Place { billing_account: north(), key: key(Level::BillingProfile, "ships") },
            name: "Ships".to_owned(),
            order_number: "4711".to_owned(),
        }),
        Share::Account | Share::Subscription(_) => None,
    };
    let invoice = Invoice {
        id: DocumentId::new("north/2026-09/rebill/1/profile/ships").unwrap(),
        billing_account: north(),
        seller: seller(),
        period: BillingPeriod::parse("2026-09").unwrap(),
        currency: usd(),
        lines: Vec::new(),
        taxes: Vec::new(),
        replaces: Some(DocumentId::new("north/2026-09/profile/ships").unwrap()),
    };
    let payment = |source| {
        let at = during().start();
        InvoicePayment { at, amount: Money::from_minor(200, usd()), source }
    };
    let document = Document {
        number: number(7),
        invoice,
        issued_at: Instant::parse("2026-10-05T06:00:00Z").unwrap(),
        due_until: Instant::parse("2026-10-20").unwrap(),
        approved_by: "rule billing terms".to_owned(),
        state: InvoiceState::Void,
        owed: Money::from_minor(0, usd()),
        written_off: Money::from_minor(0, usd()),
        notes: vec![note(NoteKind::Credit, 8), note(NoteKind::Void, 9)],
        creditable: BTreeMap::new(),
        digest: Digest::from_bytes([0; 32]),
    };
    InvoiceTold {
        document,
        part: Part { share, kind: PartKind::Own },
        profile,
        payments: vec![payment(PaymentSource::Money), payment(PaymentSource::OpenCredit)],
        replaces: [1, 3].map(|n| Replaced { invoice: number(n), void: Some(number(n + 1)) }).into(),
        replaced_by: Some((number(10), number(12))),
    }
}

/// Invoices of an account of a kind: of its profile, or of its subscription.
pub(crate) fn shown(kind: AgreementType) -> (Whose, InvoiceTold) {
    let share = match kind {
        AgreementType::Customer | AgreementType::Partner => Share::Profile("ships".to_owned()),
        AgreementType::OnlineServices => Share::Subscription(SubscriptionId::new("ferry").unwrap()),
        AgreementType::Enterprise | AgreementType::Messaging => Share::Account,
    };
    let whose = Whose { of: InvoicesOf::Account(north()), kind: Some(kind) };
    (whose, told(share))
}

/// How a version shows them.
pub(crate) fn manner<'a>(base: &'a BaseUrl, version: &'static str) -> Manner<'a> {
    let is_first = version == crate::V2019;
    let above = at::account_id(&north());
    Manner {
        linked_above: above.clone(),
        above,
        kind: "billingAccounts/invoices",
        links: Links::signed([7; 32], 0, base, version),
        source: (!is_first).then_some("DRS"),
        tells_numbers: is_first,
    }
}
