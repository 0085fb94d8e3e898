//! Transfers between billing accounts: who will pay asks and may take it back; whoever signs in
//! with the mail address that was named sees it, and says what of it moves. What then moves:
//! [`crate::transfer_moves`].

use crate::Reckoner;
use crate::changes::Decided;
use crate::company::Thing;
use crate::structure::{Look, is_same};
use crate::structure_changes::deed;
use crate::transfer_given::{address, check_products};
use crate::transfer_moves::validated;
use async_recursion::async_recursion as boxed;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::access::{Action, Caller, Scope, may_at};
use domain::agreements::AgreementType;
use domain::ids::{PlaceId, PrincipalId, ResellerId, TransferId};
use domain::places::{Detail, Level, Place, PlaceFacts, PlaceState, Reseller};
use domain::transfers::{
    ANSWERED_WITHIN_S, Acceptance, Finding, Outcome, ProductEnd, ProductKind, ProductTransferState,
    Step, Transfer, TransferProblem, TransferProduct, TransferState,
};
use domain::{Error, Result};

/// A transfer that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferAsked {
    /// The mail address of who is asked.
    pub recipient_email: String,
    /// Who sells what a partner's customer takes over, in any letter case.
    pub reseller: Option<ResellerId>,
}

/// A transfer, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTold {
    /// Its id.
    pub id: TransferId,
    /// Where what moves shall stand: an invoice section, or a partner's customer.
    pub initiator: Place,
    /// The billing profile that will pay.
    pub profile: PlaceId,
    /// The mail address of who asked, if one was known then.
    pub initiator_email: Option<String>,
    /// The mail address of who is asked.
    pub recipient_email: String,
    /// Who sells what a partner's customer takes over.
    pub reseller: Option<Reseller>,
    /// The kind of the agreement of who will pay.
    pub kind: AgreementType,
    /// How far it is.
    pub state: TransferState,
    /// When it was asked.
    pub created_at: Instant,
    /// From when on nobody can answer any more.
    pub expires_at: Instant,
    /// When it changed last.
    pub modified_at: Instant,
    /// The mail address of who took it back, if one was known then.
    pub canceled_by: Option<String>,
    /// What was chosen, once it was accepted.
    pub products: Vec<TransferredProduct>,
}

/// One holding of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferredProduct {
    /// Of which kind.
    pub kind: ProductKind,
    /// Its id, as it was named.
    pub id: String,
    /// Where it stands.
    pub state: ProductTransferState,
    /// Why it stays where it was, if it does.
    pub error: Option<TransferProblem>,
}

/// Whether one holding can move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedProduct {
    /// Of which kind.
    pub kind: ProductKind,
    /// Its id, as it was named.
    pub id: String,
    /// Whether it can move.
    pub outcome: Outcome,
    /// Why not, or what is lost by it; errors first.
    pub findings: Vec<Finding>,
}

impl Reckoner {
    /// Asks somebody, by mail address, for holdings that shall stand at an invoice section or a
    /// partner's customer, and be paid for by a billing profile there.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for a place or profile that is not there
    /// or not the caller's to know; [`Error::Invalid`] for no mail address, and a reseller that the
    /// customer does not have; [`Error::Conflict`] where nothing can be put there now;
    /// [`Error::TooManyKept`] where too many wait for an answer there.
    #[boxed]
    pub async fn initiate_transfer(
        &self,
        caller: &Caller,
        at: &Place,
        profile: &PlaceId,
        asked: &TransferAsked,
        request_id: &str,
    ) -> Result<TransferTold> {
        let id = TransferId::new(&uuid::Uuid::new_v4().to_string())?;
        let most = self.limits().pending_transfers;
        let attempt = |look: &Look| look.asking(caller, (at, profile), asked, (&id, most));
        self.change(caller, request_id, &attempt).await?.told(&id)
    }

    /// Lists the transfers that were asked for at a place, in order of id.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn transfers_of(&self, caller: &Caller, at: &Place) -> Result<Vec<TransferTold>> {
        let scope = Scope::Place(at.clone());
        let look = self.demand_in_sight(caller, Action::RequestTransfers, &scope)?;
        let all = look.company.transfers.values().filter(|one| one.initiator == *at);
        Ok(all.map(|one| look.transfer_told(one)).collect())
    }

    /// A transfer that was asked for at a place; its id in any letter case.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn transfer_of(&self, caller: &Caller, at: &Place, id: &str) -> Result<TransferTold> {
        let scope = Scope::Place(at.clone());
        let look = self.demand_in_sight(caller, Action::RequestTransfers, &scope)?;
        Ok(look.transfer_told(look.asked_at(at, id)?))
    }

    /// Takes a transfer back that nobody has answered.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] for one that was
    /// answered, taken back or not answered in time.
    #[boxed]
    pub async fn cancel_transfer(
        &self,
        caller: &Caller,
        at: &Place,
        id: &str,
        request_id: &str,
    ) -> Result<TransferTold> {
        let attempt = |look: &Look| -> Result<Decided> {
            look.demand(caller, Action::RequestTransfers, &Scope::Place(at.clone()))?;
            let after = look.asked_at(at, id)?.after(Step::Cancel, look.now)?;
            let canceled_by = look.email_of(caller);
            Ok(decided("transfer.cancel", Transfer { canceled_by, ..after }))
        };
        let look = self.change(caller, request_id, &attempt).await?;
        Ok(look.transfer_told(look.asked_at(at, id)?))
    }

    /// Lists the transfers that the caller was asked for, in order of id: those to the mail address
    /// that it signs in with.
    ///
    /// Errors: none of its own.
    #[boxed]
    pub async fn received_transfers(&self, caller: &Caller) -> Result<Vec<TransferTold>> {
        let look = self.look();
        let all = look.company.transfers.values();
        let own = all.filter(|one| look.is_recipient(caller, one).is_some());
        Ok(own.map(|one| look.transfer_told(one)).collect())
    }

    /// A transfer that the caller was asked for; its id in any letter case.
    ///
    /// Errors: [`Error::NotFound`], also for everybody else.
    #[boxed]
    pub async fn received_transfer(&self, caller: &Caller, id: &str) -> Result<TransferTold> {
        let look = self.look();
        Ok(look.transfer_told(look.received(caller, id)?.0))
    }

    /// Says of some holdings whether they can move by a transfer that the caller was asked for, and
    /// what is lost by it; in the order in which they are named. Changes nothing.
    ///
    /// Errors: [`Error::NotFound`] as [`Reckoner::received_transfer`]; [`Error::Invalid`] for no
    /// product, too many, or one that is named twice; [`Error::Conflict`] for a transfer that
    /// cannot be accepted any more.
    #[boxed]
    pub async fn validate_transfer(
        &self,
        caller: &Caller,
        id: &str,
        products: &[(ProductKind, String)],
    ) -> Result<Vec<ValidatedProduct>> {
        let look = self.look();
        let (transfer, _) = look.received(caller, id)?;
        check_products(products)?;
        look.accepted(transfer)?;
        Ok(validated(&look, caller, transfer, products))
    }

    /// Accepts a transfer, for some holdings: it is durable, and they move behind the answer, one
    /// after the other. What cannot move then stays, and says why.
    ///
    /// Errors: as [`Reckoner::validate_transfer`]; [`Error::Conflict`] where none of them can move.
    #[boxed]
    pub async fn accept_transfer(
        &self,
        caller: &Caller,
        id: &str,
        products: &[(ProductKind, String)],
        request_id: &str,
    ) -> Result<TransferTold> {
        let attempt = |look: &Look| look.accepting(caller, id, products, request_id);
        let look = self.change(caller, request_id, &attempt).await?;
        self.0.jobs.wake();
        look.told(&TransferId::new(id)?)
    }

    /// Refuses a transfer that the caller was asked for.
    ///
    /// Errors: [`Error::NotFound`] as [`Reckoner::received_transfer`]; [`Error::Conflict`] for one
    /// that was answered, taken back or not answered in time.
    #[boxed]
    pub async fn decline_transfer(
        &self,
        caller: &Caller,
        id: &str,
        request_id: &str,
    ) -> Result<TransferTold> {
        let attempt = |look: &Look| -> Result<Decided> {
            let after = look.received(caller, id)?.0.after(Step::Decline, look.now)?;
            Ok(decided("transfer.decline", after))
        };
        self.change(caller, request_id, &attempt).await?.told(&TransferId::new(id)?)
    }
}

impl Look {
    fn asking(
        &self,
        caller: &Caller,
        (at, profile): (&Place, &PlaceId),
        asked: &TransferAsked,
        (id, most): (&TransferId, u64),
    ) -> Result<Decided> {
        let TransferAsked { recipient_email, reseller } = asked;
        self.demand(caller, Action::RequestTransfers, &Scope::Place(at.clone()))?;
        let missing = || Error::not_found(at.key.level.name(), at.key.id.as_str());
        let facts = self.company.places.facts_at(at, self.now).ok_or_else(missing)?;
        let known = self.known(&at.billing_account, Level::BillingProfile, profile.as_str());
        let (profile, above) = known
            .ok_or_else(|| Error::not_found(Level::BillingProfile.name(), profile.as_str()))?;
        let sellers: &[Reseller] = match &facts.detail {
            Detail::Customer(customer) => customer.resellers.as_slice(),
            Detail::InvoiceSection if facts.parent.as_ref() == Some(&profile.key) => &[],
            Detail::InvoiceSection
            | Detail::BillingProfile(_)
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => return Err(missing()),
        };
        demand_active(&profile, above)?;
        demand_active(at, facts)?;
        self.demand_room(at, most)?;
        let reseller = reseller.as_ref().map(|id| seller(sellers, id)).transpose()?;
        let transfer = Transfer {
            id: id.clone(),
            initiator: at.clone(),
            profile: profile.key.id,
            reseller,
            asked_by: principal(caller).cloned(),
            asked_by_email: self.email_of(caller),
            recipient_email: address(recipient_email)?,
            created_at: self.now,
            expires_at: self.now.plus_seconds(ANSWERED_WITHIN_S),
            modified_at: self.now,
            state: TransferState::Pending,
            canceled_by: None,
            accepted: None,
            products: Vec::new(),
        };
        Ok(decided("transfer.initiate", transfer))
    }

    fn accepting(
        &self,
        caller: &Caller,
        id: &str,
        products: &[(ProductKind, String)],
        request_id: &str,
    ) -> Result<Decided> {
        let (transfer, by) = self.received(caller, id)?;
        check_products(products)?;
        let after = self.accepted(transfer)?;
        let validated = validated(self, caller, transfer, products);
        if validated.iter().all(|one| one.outcome == Outcome::Failed) {
            let first = validated.first().and_then(|one| one.findings.first());
            let why = first.map(|finding| finding.message.as_str()).unwrap_or_default();
            let problem = format!("nothing of it can move: {why}");
            return Err(Error::Conflict { what: "transfer", key: after.id.to_string(), problem });
        }
        let products = products.iter().map(|(kind, id)| TransferProduct {
            kind: *kind,
            id: id.clone(),
            end: None,
        });
        let accepted = Some(Acceptance { by: by.clone(), request_id: request_id.to_owned() });
        let after = Transfer { accepted, products: products.collect(), ..after };
        Ok(decided("transfer.accept", after))
    }

    /// Demands that one more may wait for an answer at a place.
    fn demand_room(&self, at: &Place, most: u64) -> Result<()> {
        let there = self.company.transfers.values().filter(|one| one.initiator == *at);
        let waiting = there.filter(|one| one.state_at(self.now) == TransferState::Pending);
        let ends: Vec<Instant> = waiting.map(|one| one.expires_at).collect();
        if u64::try_from(ends.len()).is_ok_and(|count| count < most) {
            return Ok(());
        }
        let first = ends.into_iter().min().unwrap_or(self.now);
        let wait_s = first.since(self.now).checked_div(MICROS_PER_SECOND).unwrap_or(0);
        Err(Error::TooManyKept {
            limit: "pending transfers to one place",
            most,
            key: "limits.pending_transfers",
            retry_after_s: u64::try_from(wait_s).unwrap_or(0).saturating_add(1),
        })
    }

    /// A transfer once it is accepted: by then, too, who asked must be allowed to ask.
    fn accepted(&self, transfer: &Transfer) -> Result<Transfer> {
        let after = transfer.after(Step::Accept, self.now)?;
        let asker = transfer.asked_by.clone().map_or(Caller::Machine, Caller::Principal);
        let scope = Scope::Place(transfer.initiator.clone());
        if !may_at(&self.company, &asker, Action::RequestTransfers, &scope, self.now) {
            let problem = "who asked for it may ask for nothing there any more".to_owned();
            return Err(Error::Conflict { what: "transfer", key: after.id.to_string(), problem });
        }
        Ok(Transfer { profile: self.profile_of(transfer), ..after })
    }

    /// The billing profile that will pay: as long as nobody has answered, the one that the section
    /// lies below now.
    fn profile_of(&self, transfer: &Transfer) -> PlaceId {
        let Place { billing_account, key } = &transfer.initiator;
        let is_pending = transfer.state_at(self.now) == TransferState::Pending;
        let places = self.company.places.of(billing_account).filter(|_| is_pending);
        let above = places.and_then(|of| of.enclosing(key, Level::BillingProfile, self.now));
        above.map_or_else(|| transfer.profile.clone(), |above| above.id.clone())
    }

    /// The transfer of an id that was asked for at a place.
    fn asked_at(&self, at: &Place, id: &str) -> Result<&Transfer> {
        let found = TransferId::new(id).ok().and_then(|id| self.company.transfers.get(&id));
        found.filter(|one| one.initiator == *at).ok_or_else(|| Error::not_found("transfer", id))
    }

    /// The transfer of an id that a caller was asked for, and which principal that is.
    fn received<'a>(
        &'a self,
        caller: &'a Caller,
        id: &str,
    ) -> Result<(&'a Transfer, &'a PrincipalId)> {
        let found = TransferId::new(id).ok().and_then(|id| self.company.transfers.get(&id));
        let own = found.and_then(|one| Some((one, self.is_recipient(caller, one)?)));
        own.ok_or_else(|| Error::not_found("transfer", id))
    }

    /// The principal that a caller is, if it signs in with the mail address that was asked.
    fn is_recipient<'a>(&self, caller: &'a Caller, transfer: &Transfer) -> Option<&'a PrincipalId> {
        let principal = principal(caller)?;
        let email = self.company.clients.get(principal)?.email.as_deref()?;
        is_same(email, &transfer.recipient_email).then_some(principal)
    }

    /// The transfer of an id, whoever asks.
    fn told(&self, id: &TransferId) -> Result<TransferTold> {
        let found = self.company.transfers.get(id);
        let missing = || Error::not_found("transfer", id.as_str());
        found.map(|one| self.transfer_told(one)).ok_or_else(missing)
    }

    fn transfer_told(&self, transfer: &Transfer) -> TransferTold {
        let Transfer {
            id,
            initiator,
            profile: _,
            reseller,
            asked_by: _,
            asked_by_email,
            recipient_email,
            created_at,
            expires_at,
            modified_at: _,
            state: _,
            canceled_by,
            accepted: _,
            products,
        } = transfer;
        let products = products.iter().enumerate().map(|(number, product)| {
            let TransferProduct { kind, id, end } = product;
            let error = match end {
                Some(ProductEnd::Refused(problem)) => Some(problem.clone()),
                Some(ProductEnd::Moved) | None => None,
            };
            let state = transfer.product_state(number);
            TransferredProduct { kind: *kind, id: id.clone(), state, error }
        });
        TransferTold {
            id: id.clone(),
            initiator: initiator.clone(),
            profile: self.profile_of(transfer),
            initiator_email: asked_by_email.clone(),
            recipient_email: recipient_email.clone(),
            reseller: reseller.as_ref().map(|id| self.reseller(initiator, id)),
            kind: kind_of(initiator.key.level),
            state: transfer.state_at(self.now),
            created_at: *created_at,
            expires_at: *expires_at,
            modified_at: transfer.modified_at(self.now),
            canceled_by: canceled_by.clone(),
            products: products.collect(),
        }
    }

    /// A customer's reseller; by its id alone, once it sells there no more.
    fn reseller(&self, customer: &Place, id: &ResellerId) -> Reseller {
        let facts = self.company.places.facts_at(customer, self.now);
        let known = match facts.map(|facts| &facts.detail) {
            Some(Detail::Customer(of)) => of.resellers.iter().find(|one| one.id == *id),
            Some(
                Detail::BillingProfile(_)
                | Detail::InvoiceSection
                | Detail::Department { .. }
                | Detail::EnrollmentAccount
                | Detail::MessagingAccount { .. },
            )
            | None => None,
        };
        known.cloned().unwrap_or_else(|| Reseller { id: id.clone(), name: id.to_string() })
    }

    fn email_of(&self, caller: &Caller) -> Option<String> {
        principal(caller).and_then(|principal| self.person(principal).email)
    }
}

/// Changes a transfer alone.
fn decided(action: &'static str, transfer: Transfer) -> Decided {
    let deed = deed(action, told(&transfer));
    Decided { things: vec![Thing::Transfer(Box::new(transfer))], deed }
}

/// A transfer, for the audit log.
pub(crate) fn told(transfer: &Transfer) -> String {
    let Place { billing_account, key } = &transfer.initiator;
    format!("transfer `{}` to {key} of `{billing_account}`", transfer.id)
}

fn principal(caller: &Caller) -> Option<&PrincipalId> {
    match caller {
        Caller::Principal(principal) => Some(principal),
        Caller::Key(_) | Caller::Enterprise(_) | Caller::Link { .. } | Caller::Machine => None,
    }
}

/// The agreement that has places of a level where transfers are asked for.
const fn kind_of(level: Level) -> AgreementType {
    match level {
        Level::BillingProfile | Level::InvoiceSection => AgreementType::Customer,
        Level::Customer => AgreementType::Partner,
        Level::Department | Level::EnrollmentAccount => AgreementType::Enterprise,
        Level::MessagingAccount => AgreementType::Messaging,
    }
}

fn demand_active(place: &Place, facts: &PlaceFacts) -> Result<()> {
    if facts.state == PlaceState::Active {
        return Ok(());
    }
    let problem = "is not active: nothing can be put there".to_owned();
    let (what, key) = (place.key.level.name(), place.key.id.to_string());
    Err(Error::Conflict { what, key, problem })
}

fn seller(sellers: &[Reseller], asked: &ResellerId) -> Result<ResellerId> {
    let found = sellers.iter().find(|one| is_same(one.id.as_str(), asked.as_str()));
    let refused = || Error::invalid("reseller", "sells nothing to this customer");
    found.map(|one| one.id.clone()).ok_or_else(refused)
}
