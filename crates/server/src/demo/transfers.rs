//! Transfers that the demo's owner asked for: one that waits, and one for each way to end it.

use crate::commands::request_id;
use anyhow::Context;
use domain::access::Caller;
use domain::ids::{BillingAccountId, PlaceId, ResellerId, TransferId};
use domain::places::{Level, Place, PlaceKey};
use service::{Reckoner, TransferAsked};
use world::World;

/// Their names, as the context tells them.
pub(super) struct Transfers {
    /// To an invoice section of the customer agreement.
    pub(super) section: TransferId,
    pub(super) section_to_cancel: TransferId,
    pub(super) section_to_accept: TransferId,
    /// To a partner's customer.
    pub(super) customer: TransferId,
    pub(super) customer_to_cancel: TransferId,
    pub(super) customer_to_decline: TransferId,
}

/// Where products would stand and who would pay for them.
struct To<'a> {
    place: Place,
    profile: &'a PlaceId,
    reseller: Option<&'a ResellerId>,
}

fn place(account: &BillingAccountId, level: Level, id: &PlaceId) -> Place {
    Place { billing_account: account.clone(), key: PlaceKey { level, id: id.clone() } }
}

/// Asks the demo's recipient for what it holds.
pub(super) async fn asked(reckoner: &Reckoner, world: &World) -> anyhow::Result<Transfers> {
    let (mca, mpa) = (&world.accounts.mca, &world.accounts.mpa);
    let section = To {
        place: place(&mca.billing_account, Level::InvoiceSection, &mca.invoice_section),
        profile: &mca.billing_profile,
        reseller: None,
    };
    let customer = To {
        place: place(&mpa.billing_account, Level::Customer, &mpa.customer),
        profile: &mpa.billing_profile,
        reseller: Some(&mpa.reseller),
    };
    Ok(Transfers {
        section: ask(reckoner, world, &section).await?,
        section_to_cancel: ask(reckoner, world, &section).await?,
        section_to_accept: ask(reckoner, world, &section).await?,
        customer: ask(reckoner, world, &customer).await?,
        customer_to_cancel: ask(reckoner, world, &customer).await?,
        customer_to_decline: ask(reckoner, world, &customer).await?,
    })
}

async fn ask(reckoner: &Reckoner, world: &World, to: &To<'_>) -> anyhow::Result<TransferId> {
    let client = |name| world.client(name).with_context(|| format!("the demo's {name}"));
    let (owner, recipient) = (client("owner")?, client("recipient")?);
    let asked = TransferAsked {
        recipient_email: recipient.email.clone().context("the recipient's mail address")?,
        reseller: to.reseller.cloned(),
    };
    let (caller, request_id) = (Caller::Principal(owner.id.clone()), request_id());
    let told = reckoner.initiate_transfer(&caller, &to.place, to.profile, &asked, &request_id);
    Ok(told.await?.id)
}
