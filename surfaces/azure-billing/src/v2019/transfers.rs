//! Transfers: what an invoice section, or a partner for its customer, asks somebody to hand over.

use super::transfer_details::{
    Details, InitiateTransferProperties, NAME, One, TransferProperties, made_at, one, view,
};
use crate::Billing;
use crate::at::{self, At};
use crate::given::{Body, Wrapped, sent, told, wrong};
use crate::listing::Listing;
use crate::writing::Writing;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::access::Caller;
use domain::ids::{PlaceId, ResellerId};
use domain::places::{Level, Place};
use domain::{Error, Kind};
use httpkit::{Asking, Group};
use service::{TransferAsked, TransferTold};

/// Where transfers are asked for, listed, and one of them stands.
pub(crate) const INITIATE: &str = "/initiateTransfer";
pub(crate) const ALL: &str = "/transfers";
pub(crate) const ONE: &str = "/transfers/{transferName}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("Transfers_Initiate", at::SECTION, INITIATE, initiate)
        .get("Transfers_Get", at::SECTION, ONE, get)
        .delete("Transfers_Cancel", at::SECTION, ONE, cancel)
        .get("Transfers_List", at::SECTION, ALL, list)
}

/// Who asks: where products would stand, and the billing profile that would pay for them.
struct Initiator {
    place: Place,
    profile: PlaceId,
    /// The id of the list of its transfers.
    list: String,
}

impl Initiator {
    /// The one of a path. A customer lies beside the billing profiles of its account; a section
    /// lies below the one that the path names.
    async fn of(billing: &Billing, caller: &Caller, at: &At) -> Result<Initiator, ArmError> {
        let account = billing.account(caller, at.account(), at.operation).await?;
        let way = at.way();
        let profile: Vec<(Level, &str)> = way.iter().copied().take(1).collect();
        let profile = billing.reckoner.place(caller, &account.id, &profile).await?;
        let is_beside = way.last().is_some_and(|(level, _)| *level == Level::Customer);
        let own: Vec<(Level, &str)> = way.into_iter().skip(usize::from(is_beside)).collect();
        let place = billing.reckoner.place(caller, &account.id, &own).await?.place;
        let list = format!("{}{}{ALL}", at::id(&profile), at::tail(Some(&place.key)));
        Ok(Initiator { place, profile: profile.place.key.id, list })
    }

    /// Whether one of its transfers is meant by its path: a customer has some for each billing
    /// profile beside it. A section has all of its own, whatever it lay below when they were made.
    fn has(&self, told: &TransferTold) -> bool {
        self.place.key.level != Level::Customer || told.profile == self.profile
    }

    /// The transfer that a path names.
    async fn found(
        &self,
        billing: &Billing,
        caller: &Caller,
        at: &At,
    ) -> Result<TransferTold, ArmError> {
        let name = at.name(NAME);
        let found = match billing.reckoner.transfer_of(caller, &self.place, name).await {
            Err(error) if error.kind() == Kind::NotFound => {
                made_at(billing.reckoner.transfers_of(caller, &self.place).await?, name)
            }
            answer => Some(answer?),
        };
        let found = found.filter(|told| self.has(told));
        Ok(found.ok_or_else(|| Error::not_found("transfer", name))?)
    }

    fn show(&self, told: &TransferTold) -> One<TransferProperties> {
        one(&self.list, told, view(told))
    }
}

/// Asks somebody, by mail address, for subscriptions and reservations.
pub(crate) async fn initiate(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Wrapped<InitiateTransferProperties>>,
) -> Result<One<TransferProperties>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let refused = |error| told(at.operation, error);
    let InitiateTransferProperties { recipient_email_id, reseller_id } = given.properties;
    let initiator = Initiator::of(&billing, caller, at).await?;
    let missing = || wrong(sent(at.operation, "recipient_email"), "must be there");
    let recipient_email = recipient_email_id.ok_or_else(missing)?;
    let reseller = reseller_id.map(|id| ResellerId::new(&id)).transpose().map_err(refused)?;
    let asked = TransferAsked { recipient_email, reseller };
    let (place, profile) = (&initiator.place, &initiator.profile);
    let reckoner = writing.reckoner(&billing);
    let told = reckoner.initiate_transfer(caller, place, profile, &asked, request_id).await;
    Ok(initiator.show(&told.map_err(refused)?))
}

/// Lists what was asked for at a place for a billing profile.
pub(crate) async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Details<TransferProperties>>>, ArmError> {
    let initiator = Initiator::of(&listing.billing, &caller, &at).await?;
    let mut all = listing.billing.reckoner.transfers_of(&caller, &initiator.place).await?;
    all.retain(|told| initiator.has(told));
    Ok(Json(listing.numbered(all)?.map(|told| view(&told))))
}

pub(crate) async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<One<TransferProperties>, ArmError> {
    let initiator = Initiator::of(&billing, &caller, &at).await?;
    let told = initiator.found(&billing, &caller, &at).await?;
    Ok(initiator.show(&told))
}

/// Withdraws it; answers with what it is then.
pub(crate) async fn cancel(
    State(billing): State<Billing>,
    writing: Writing,
) -> Result<One<TransferProperties>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let initiator = Initiator::of(&billing, caller, at).await?;
    let found = initiator.found(&billing, caller, at).await?;
    let (place, id) = (&initiator.place, found.id.as_str());
    let reckoner = writing.reckoner(&billing);
    let told = reckoner.cancel_transfer(caller, place, id, request_id).await?;
    Ok(initiator.show(&told))
}
