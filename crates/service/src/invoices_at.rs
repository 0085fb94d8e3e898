//! Invoices of a billing account, of one of its billing profiles, or of a subscription.

use crate::bookings::balances_of;
use crate::documents::{File, INVOICE};
use crate::invoice_told::{Around, InvoiceTold, number_in, part_of};
use crate::pages::{ANSWER_ROWS, too_long};
use crate::structure::{AccountTold, Look};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval};
use domain::access::{Action, Caller, Scope, Sight};
use domain::closes::{Part, Share};
use domain::encoding::books::{SETTLING, decode_entry};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::ledger::{Balances, Entry};
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place};
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{DocumentHead, DocumentRow, Store};

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
    /// Lists the numbers of the invoices that were issued in an interval, as far as the caller
    /// reads them, in order. Who reads those of some billing profiles of an account is told these.
    ///
    /// Errors: [`Error::Forbidden`] for who reads none; [`Error::NotFound`] for an account, profile
    /// or subscription that the caller may not know of.
    #[boxed]
    pub async fn invoices_of(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        issued: Interval,
    ) -> Result<Vec<DocumentNumber>> {
        let meant = self.meant(caller, of, |head| issued.contains(head.issued_at)).await?;
        Ok(meant.numbers.into_iter().collect())
    }

    /// Some of [`Reckoner::invoices_of`], in order, whenever they were issued: without those that
    /// are not among them.
    ///
    /// Errors: as there; [`Error::TooMuch`].
    #[boxed]
    pub async fn invoices_told(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        numbers: &[DocumentNumber],
    ) -> Result<Vec<InvoiceTold>> {
        let asked: BTreeSet<(&str, u64)> =
            numbers.iter().map(|one| (one.seller.as_str(), one.sequence)).collect();
        let is_asked = |head: &DocumentHead| asked.contains(&(head.seller.as_str(), head.sequence));
        let meant = self.meant(caller, of, is_asked).await?;
        let most = (self.limits().answer_rows, ANSWER_ROWS);
        too_long("rows of an answer", meant.numbers.len() as u64, most)?;
        if meant.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let balances = balances_of(&self.0.ledger_of(&meant.payer).await?)?;
        let (store, now) = (Arc::clone(&self.0.store), self.now());
        crate::blocking(move || meant.told(&store, balances, now)).await
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
        let told = self.invoices_told(caller, of, std::slice::from_ref(number)).await?;
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

    /// The invoices that the caller reads now and that are asked for.
    async fn meant(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        is_asked: impl Fn(&DocumentHead) -> bool,
    ) -> Result<Meant> {
        let look = self.look();
        let wanted = wanted(&look, caller, of)?;
        let payer = of.payer().clone();
        let heads = self.0.heads_of(&payer).await?;
        let mut numbers = BTreeSet::new();
        // Further pages show what stood when the first was read.
        let issued = heads.iter().filter(|head| head.issued_at <= look.now);
        for head in issued.filter(|head| head.kind == INVOICE && is_asked(head)) {
            if part_of(&head.id, &payer)?.is_some_and(|part| wanted.has(&part)) {
                numbers.insert(number_in(head)?);
            }
        }
        Ok(Meant { look, payer, heads, numbers })
    }
}

/// Some invoices of a payer, with the heads of all of its documents.
struct Meant {
    look: Look,
    payer: BillingAccountId,
    heads: Vec<DocumentHead>,
    numbers: BTreeSet<DocumentNumber>,
}

impl Meant {
    /// Reads them and the notes on them, and tells them as they stand.
    fn told(self, store: &Store, balances: Balances, now: Instant) -> Result<Vec<InvoiceTold>> {
        let Meant { look, payer, heads, numbers } = self;
        let row = |number: &DocumentNumber| {
            read(store, number)?.ok_or_else(|| Error::not_found("document", number.to_string()))
        };
        let invoices = numbers.iter().map(row).collect::<Result<Vec<_>>>()?;
        let ids: BTreeSet<&str> = invoices.iter().map(|row| row.id.as_str()).collect();
        let notes = heads.iter().filter(|head| ids.contains(head.amends.as_str()));
        let notes = notes.map(|head| row(&number_in(head)?)).collect::<Result<Vec<_>>>()?;
        let entries = store.entries_between(payer.as_str(), SETTLING);
        let entries = entries.map_err(crate::stored("read a ledger"))?;
        let entries: Vec<Entry> =
            entries.iter().map(|row| decode_entry(&row.body)).collect::<Result<_>>()?;
        let file = File::of(&invoices, notes, balances)?;
        let around = Around::of(payer, file, &heads, &entries)?;
        invoices.iter().map(|row| around.told(&look, row, now)).collect()
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
    /// The document of a number.
    pub(crate) async fn row_of(
        self: &Arc<Self>,
        number: &DocumentNumber,
    ) -> Result<Option<DocumentRow>> {
        let (store, number) = (Arc::clone(&self.store), number.clone());
        crate::blocking(move || read(&store, &number)).await
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
}

fn read(store: &Store, number: &DocumentNumber) -> Result<Option<DocumentRow>> {
    let found = store.document(number.seller.as_str(), number.sequence);
    found.map_err(crate::stored("read a document"))
}

fn missing(number: &DocumentNumber) -> Error {
    Error::not_found("invoice", number.to_string())
}
