//! Invoices of a billing account, of one of its billing profiles, or of a subscription.

use crate::bookings::balances_of;
use crate::documents::{EVERY, File, INVOICE};
use crate::invoice_told::{Around, InvoiceTold, number_in, part_of};
use crate::structure::{AccountTold, Look};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::Interval;
use domain::access::{Action, Caller, Scope, Sight};
use domain::closes::{Part, Share};
use domain::encoding::books::{SETTLING, decode_entry};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::ledger::Entry;
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place};
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{DocumentFilter, DocumentHead, DocumentRow};

/// Whose invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvoicesOf {
    /// All of a billing account.
    Account(BillingAccountId),
    /// Those of one of its billing profiles.
    Profile(Place),
    /// Those of a subscription, under an online services agreement.
    Subscription {
        /// Who pays.
        payer: BillingAccountId,
        /// Which subscription.
        subscription: SubscriptionId,
    },
}

impl InvoicesOf {
    /// Who pays them.
    pub fn payer(&self) -> &BillingAccountId {
        match self {
            InvoicesOf::Account(payer) | InvoicesOf::Subscription { payer, subscription: _ } => {
                payer
            }
            InvoicesOf::Profile(place) => &place.billing_account,
        }
    }

    /// Those of whose charges are meant; all if none.
    fn share(&self) -> Option<Share> {
        match self {
            InvoicesOf::Account(_) => None,
            InvoicesOf::Profile(place) => Some(Share::Profile(place.key.id.to_string())),
            InvoicesOf::Subscription { payer: _, subscription } => {
                Some(Share::Subscription(subscription.clone()))
            }
        }
    }
}

/// The invoices of a payer that are meant, and that somebody reads.
struct Wanted {
    share: Option<Share>,
    /// Of these billing profiles alone; of all if none.
    profiles: Option<BTreeSet<String>>,
}

impl Wanted {
    fn has(&self, part: &Part) -> bool {
        let is_read = self.profiles.as_ref().is_none_or(|profiles| {
            part.profile().is_some_and(|profile| profiles.contains(profile))
        });
        is_read && self.share.as_ref().is_none_or(|share| part.share == *share)
    }
}

impl Reckoner {
    /// Lists the invoices that were issued in an interval, as far as the caller reads them, in the
    /// order of their numbers. Who reads those of some billing profiles of an account is told
    /// these.
    ///
    /// Errors: [`Error::Forbidden`] for who reads none; [`Error::NotFound`] for an account, profile
    /// or subscription that the caller may not know of.
    #[boxed]
    pub async fn invoices_of(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        issued: Interval,
    ) -> Result<Vec<InvoiceTold>> {
        let look = self.look();
        let wanted = wanted(&look, caller, of)?;
        // Further pages show what stood when the first was read.
        let until = issued.end().min(look.now.plus_micros(1));
        let Ok(issued) = Interval::new(issued.start(), until) else { return Ok(Vec::new()) };
        let filter = DocumentFilter {
            billing_account: Some(of.payer().to_string()),
            period: None,
            kind: Some(INVOICE),
            issued: Some(issued),
        };
        let rows = self.0.document_rows(filter, EVERY).await?;
        self.told_of_wanted(&look, of.payer(), &wanted, rows).await
    }

    /// One of [`Reckoner::invoices_of`], whenever it was issued.
    ///
    /// Errors: as there; [`Error::NotFound`] for an invoice that is not among them.
    #[boxed]
    pub async fn invoice_of(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        number: &DocumentNumber,
    ) -> Result<InvoiceTold> {
        let look = self.look();
        let wanted = wanted(&look, caller, of)?;
        let row = self.0.row_of(number).await?;
        let row =
            row.filter(|row| row.kind == INVOICE && row.billing_account == of.payer().as_str());
        let told =
            self.told_of_wanted(&look, of.payer(), &wanted, row.into_iter().collect()).await?;
        told.into_iter().next().ok_or_else(|| missing(number))
    }

    /// An invoice by its number alone.
    ///
    /// Errors: [`Error::NotFound`], whether there is none or the caller may not read it.
    #[boxed]
    pub async fn invoice_by_number(
        &self,
        caller: &Caller,
        number: &DocumentNumber,
    ) -> Result<InvoiceTold> {
        let row = self.0.row_of(number).await?.ok_or_else(|| missing(number))?;
        let of = InvoicesOf::Account(BillingAccountId::new(&row.billing_account)?);
        let told = self.invoice_of(caller, &of, number).await;
        told.map_err(|error| match error {
            Error::Forbidden { .. } | Error::NotFound { .. } => missing(number),
            other => other,
        })
    }

    /// Whether some documents, invoices or notes on them, are among those that the caller reads of
    /// somebody: one answer for each.
    ///
    /// Errors: as [`Reckoner::invoices_of`].
    #[boxed]
    pub async fn reads_documents(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        numbers: &[DocumentNumber],
    ) -> Result<Vec<bool>> {
        let wanted = wanted(&self.look(), caller, of)?;
        let mut known = BTreeSet::new();
        for head in self.0.heads_of(of.payer()).await? {
            let id = if head.kind == INVOICE { &head.id } else { &head.amends };
            if part_of(id, of.payer())?.is_some_and(|part| wanted.has(&part)) {
                known.insert(number_in(&head)?);
            }
        }
        Ok(numbers.iter().map(|number| known.contains(number)).collect())
    }

    /// Who pays for a subscription, or paid for it: the newest of these whose invoices the caller
    /// reads, else the newest of all, for who may know of the subscription.
    ///
    /// Errors: [`Error::NotFound`].
    #[boxed]
    pub async fn payer_of(&self, caller: &Caller, of: &SubscriptionId) -> Result<AccountTold> {
        let look = self.look();
        let missing = || Error::not_found("subscription", of.as_str());
        let view = look.view(caller);
        let subscription = look.company.subscriptions.get(of).ok_or_else(missing)?;
        let placements = subscription.placements.iter().rev();
        let mut payers = placements
            .filter(|placement| placement.during.start() <= look.now)
            .map(|placement| &placement.billing_account);
        let newest = payers.clone().next();
        let seen = newest.filter(|_| view.sight(&Scope::Subscription(of.clone())).is_some());
        let read =
            payers.find(|payer| view.may(Action::ReadInvoices, &Scope::Account((*payer).clone())));
        let payer = read.or(seen).ok_or_else(missing)?;
        look.account(payer, Sight::Shell).ok_or_else(missing)
    }

    async fn told_of_wanted(
        &self,
        look: &Look,
        payer: &BillingAccountId,
        wanted: &Wanted,
        rows: Vec<DocumentRow>,
    ) -> Result<Vec<InvoiceTold>> {
        let mut meant = Vec::new();
        for row in rows.into_iter().filter(|row| row.issued_at <= look.now) {
            if part_of(&row.id, payer)?.is_some_and(|part| wanted.has(&part)) {
                meant.push(row);
            }
        }
        if meant.is_empty() {
            return Ok(Vec::new());
        }
        meant.sort_by(|a, b| (&a.seller, a.sequence).cmp(&(&b.seller, b.sequence)));
        let around = self.0.around(payer, meant).await?;
        around.told(look, self.now())
    }
}

/// What of a payer's invoices somebody reads.
///
/// Errors: [`Error::Forbidden`], [`Error::NotFound`].
fn wanted(look: &Look, caller: &Caller, of: &InvoicesOf) -> Result<Wanted> {
    let (view, action) = (look.view(caller), Action::ReadInvoices);
    let scope = match of {
        InvoicesOf::Profile(place) => Scope::Place(place.clone()),
        InvoicesOf::Account(payer) | InvoicesOf::Subscription { payer, subscription: _ } => {
            Scope::Account(payer.clone())
        }
    };
    let share = of.share();
    if view.may(action, &scope) {
        look.demand_paid(of)?;
        return Ok(Wanted { share, profiles: None });
    }
    let refused = || match view.sight(&scope) {
        Some(_) => Error::Forbidden { action: action.name() },
        None => scope.missing(action),
    };
    let InvoicesOf::Account(payer) = of else { return Err(refused()) };
    let known = look.company.places.of(payer).into_iter().flat_map(|known| known.places.keys());
    let profiles = known.filter(|key| {
        let place = Place { billing_account: payer.clone(), key: (*key).clone() };
        key.level == Level::BillingProfile && view.may(action, &Scope::Place(place))
    });
    let profiles: BTreeSet<String> = profiles.map(|key| key.id.to_string()).collect();
    if profiles.is_empty() {
        return Err(refused());
    }
    Ok(Wanted { share, profiles: Some(profiles) })
}

impl Look {
    /// Demands that a subscription was ever paid for by who is named as its payer.
    fn demand_paid(&self, of: &InvoicesOf) -> Result<()> {
        let InvoicesOf::Subscription { payer, subscription } = of else { return Ok(()) };
        let known = self.company.subscriptions.get(subscription);
        let mut placements = known.into_iter().flat_map(|one| &one.placements);
        if placements.any(|placement| placement.billing_account == *payer) {
            return Ok(());
        }
        Err(Error::not_found("billing subscription", subscription.as_str()))
    }
}

impl Inner {
    async fn around(
        self: &Arc<Self>,
        payer: &BillingAccountId,
        invoices: Vec<DocumentRow>,
    ) -> Result<Around> {
        let (heads, entries) = (self.heads_of(payer).await?, self.settling(payer).await?);
        let rows = invoices.into_iter().chain(self.notes_of(payer).await?).collect();
        let balances = balances_of(&self.ledger_of(payer).await?)?;
        Ok(Around { payer: payer.clone(), file: File { rows, balances }, heads, entries })
    }

    /// The document of a number.
    pub(crate) async fn row_of(
        self: &Arc<Self>,
        number: &DocumentNumber,
    ) -> Result<Option<DocumentRow>> {
        let (store, number) = (Arc::clone(&self.store), number.clone());
        crate::blocking(move || {
            let found = store.document(number.seller.as_str(), number.sequence);
            found.map_err(crate::stored("read a document"))
        })
        .await
    }

    /// Which documents a payer was sent, in the order of their numbers.
    pub(crate) async fn heads_of(
        self: &Arc<Self>,
        payer: &BillingAccountId,
    ) -> Result<Vec<DocumentHead>> {
        let (store, payer) = (Arc::clone(&self.store), payer.clone());
        crate::blocking(move || {
            store.document_heads(payer.as_str()).map_err(crate::stored("read the documents"))
        })
        .await
    }

    async fn notes_of(self: &Arc<Self>, payer: &BillingAccountId) -> Result<Vec<DocumentRow>> {
        let (store, payer) = (Arc::clone(&self.store), payer.clone());
        crate::blocking(move || {
            store.notes(payer.as_str()).map_err(crate::stored("read the notes"))
        })
        .await
    }

    /// What settled a payer's invoices.
    async fn settling(self: &Arc<Self>, payer: &BillingAccountId) -> Result<Vec<Entry>> {
        let (store, payer) = (Arc::clone(&self.store), payer.clone());
        let rows = crate::blocking(move || {
            let found = store.entries_between(payer.as_str(), SETTLING);
            found.map_err(crate::stored("read a ledger"))
        })
        .await?;
        rows.iter().map(|row| decode_entry(&row.body)).collect()
    }
}

fn missing(number: &DocumentNumber) -> Error {
    Error::not_found("invoice", number.to_string())
}
