//! Invoices: what both versions say of one. They differ in how they tell of rebills.

use crate::at::profile_id;
use crate::invoice_files::Links;
use crate::invoices::Whose;
use crate::resource::{Amount, Resource, amount, filled};
use calendar::Instant;
use domain::Result;
use domain::agreements::AgreementType;
use domain::closes::PartKind;
use domain::invoice_state::InvoiceState;
use domain::notes::NoteKind;
use domain::numbering::DocumentNumber;
use serde::Serialize;
use service::{
    Charged, Document as Issued, InvoicePayment, InvoiceTold, IssuedNote, PaymentSource,
};

/// `InvoiceProperties`; `R` is what the version tells of rebills.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct InvoiceProperties<R> {
    due_date: String,
    invoice_date: String,
    status: &'static str,
    amount_due: Amount,
    billed_amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    azure_prepayment_applied: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_azure_credit_applied: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_total: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_amount: Option<Amount>,
    invoice_period_start_date: String,
    invoice_period_end_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_monthly_invoice: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase_order_number: Option<String>,
    documents: Vec<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payments: Option<Vec<Payment>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rebill_details: Option<R>,
    /// Of `2020-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document_type: Option<&'static str>,
    /// Of `2020-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) billed_document_id: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_for_document_id: Option<String>,
}

/// `Document`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct Document {
    kind: &'static str,
    url: String,
    /// Of `2019-10-01-preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_numbers: Option<Vec<String>>,
    /// Of `2020-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

/// `PaymentProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct Payment {
    payment_type: &'static str,
    amount: Amount,
    date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_family: Option<&'static str>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_type: Option<&'static str>,
}

/// How a version shows invoices.
pub(crate) struct Manner<'a> {
    /// What the ids of invoices begin with.
    pub(crate) above: String,
    /// What the addresses of their documents begin with.
    pub(crate) linked_above: String,
    /// Their type below the provider.
    pub(crate) kind: &'static str,
    pub(crate) links: Links<'a>,
    /// What the version calls the place that documents lie in.
    pub(crate) source: Option<&'static str>,
    /// Whether the version tells the numbers of enterprises' documents.
    pub(crate) tells_numbers: bool,
}

impl Manner<'_> {
    /// An invoice, but for what the versions tell in their own words.
    pub(crate) fn invoice<R>(
        &self,
        whose: &Whose,
        told: &InvoiceTold,
    ) -> Result<Resource<InvoiceProperties<R>>> {
        let Issued { number, invoice, issued_at, due_until, state, owed, .. } = &told.document;
        let Charged { charged, returned } = told.charged()?;
        let totals = invoice.totals()?;
        let has_sums = matches!(whose.kind, Some(AgreementType::Customer | AgreementType::Partner));
        let sum = |money| if has_sums { amount(money).map(Some) } else { Ok(None) };
        let profile = told.profile.as_ref();
        let payments: Vec<Payment> =
            told.payments.iter().map(Payment::of).collect::<Result<_>>()?;
        let properties = InvoiceProperties {
            due_date: last_day(*due_until),
            invoice_date: issued_at.to_string(),
            status: status(*state),
            amount_due: amount(*owed)?,
            billed_amount: amount(charged)?,
            azure_prepayment_applied: sum(totals.prepayment)?,
            credit_amount: sum(returned)?,
            free_azure_credit_applied: sum(totals.credit)?,
            sub_total: sum(totals.subtotal)?,
            tax_amount: sum(totals.tax)?,
            total_amount: sum(totals.total)?,
            invoice_period_start_date: invoice.period.start().to_string(),
            invoice_period_end_date: last_day(invoice.period.end()),
            invoice_type: Some(match told.part.kind {
                PartKind::Own => "AzureService",
                PartKind::Marketplace => "AzureMarketplace",
            }),
            is_monthly_invoice: has_sums.then_some(invoice.replaces.is_none()),
            billing_profile_id: profile.map(|one| profile_id(&one.place)),
            billing_profile_display_name: profile.map(|one| one.name.clone()),
            purchase_order_number: profile.and_then(|one| filled(&one.order_number)),
            documents: self.documents(whose, told)?,
            payments: (!payments.is_empty()).then_some(payments),
            subscription_id: told.part.subscription().map(ToString::to_string),
            rebill_details: None,
            document_type: None,
            billed_document_id: None,
            credit_for_document_id: None,
        };
        let name = number.to_string();
        let id = format!("{}/invoices/{name}", self.above);
        Ok(Resource::new(id, &name, self.kind, properties))
    }

    /// The id of another invoice at the same place.
    pub(crate) fn id(&self, number: &DocumentNumber) -> String {
        format!("{}/invoices/{number}", self.above)
    }

    /// The invoice itself, then the notes on it.
    fn documents(&self, whose: &Whose, told: &InvoiceTold) -> Result<Vec<Document>> {
        let Issued { number, notes, .. } = &told.document;
        let note = |issued: &IssuedNote| {
            let kind = match issued.note.kind {
                NoteKind::Credit => "CreditNote",
                NoteKind::Void => "VoidNote",
            };
            (kind, issued.number.clone())
        };
        let all = std::iter::once(("Invoice", number.clone())).chain(notes.iter().map(note));
        let account = whose.of.payer();
        let is_enterprise = whose.kind == Some(AgreementType::Enterprise);
        all.map(|(kind, document)| {
            let numbers = (self.tells_numbers && is_enterprise).then(|| vec![document.to_string()]);
            Ok(Document {
                kind,
                url: self.links.to(&self.linked_above, account, (number, &document))?,
                document_numbers: numbers,
                source: self.source,
            })
        })
        .collect()
    }
}

impl Payment {
    fn of(payment: &InvoicePayment) -> Result<Payment> {
        Ok(Payment {
            payment_type: "credited",
            amount: amount(payment.amount)?,
            date: payment.at.to_string(),
            // How money came in is not kept.
            payment_method_family: match payment.source {
                PaymentSource::Money => None,
                PaymentSource::OpenCredit => Some("Credits"),
            },
            payment_method_type: None,
        })
    }
}

/// The last day before a moment.
fn last_day(end: Instant) -> String {
    end.plus_micros(-1).start_of_day().to_string()
}

/// What is issued is never less than due.
const fn status(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Draft | InvoiceState::Approved | InvoiceState::Due => "Due",
        InvoiceState::OverDue => "OverDue",
        InvoiceState::Paid => "Paid",
        InvoiceState::Void => "Void",
    }
}
