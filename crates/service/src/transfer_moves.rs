//! What moves by an accepted transfer: one holding after the other, behind the answer.
//!
//! A holding's move and what came of it are one transaction, behind the newest fact; the last one
//! ends the transfer with it. So a program that dies leaves a holding moved and noted, or neither;
//! whoever comes next goes on, and nothing moves twice.

use crate::Reckoner;
use crate::account_closes::with_causes;
use crate::changes::Decided;
use crate::company::{self, Step, Thing};
use crate::structure::Look;
use crate::structure_changes::deed;
use crate::transfers::{ValidatedProduct, told};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Caller, Scope};
use domain::ids::{ReservationId, TransferId};
use domain::tags::Tags;
use domain::transfers::{
    Finding, Judge, Judged, Moved, Outcome, ProductEnd, ProductKind, Rebought, Transfer,
    TransferProduct,
};
use domain::{Error, Kind, Result};
use futures::FutureExt;
use std::iter;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// The longest pause after a fault.
const PAUSE_MOST_S: i64 = 60;

/// How long a node lets transfers rest that failed by its own fault.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Until when: microseconds of system time.
    until: AtomicI64,
    /// Rounds in vain, one after the other.
    faults: AtomicU32,
}

impl Rest {
    /// Pauses are of 1, 2, 4 … seconds, up to a minute.
    fn fault(&self, now: Instant) {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed);
        let pause_s = 2_i64.saturating_pow(faults.min(16)).min(PAUSE_MOST_S);
        self.until.store(now.plus_seconds(pause_s).micros(), Ordering::Relaxed);
    }

    fn well(&self) {
        self.faults.store(0, Ordering::Relaxed);
        self.until.store(0, Ordering::Relaxed);
    }

    fn holds(&self, now: Instant) -> bool {
        now.micros() < self.until.load(Ordering::Relaxed)
    }
}

impl Reckoner {
    /// Moves what was accepted, each holding by itself, in order of the transfers' ids; answers how
    /// many holdings have ended. To be called when the program starts, and often.
    ///
    /// Errors: the first fault that is no holding's own; what it was about is tried again after a
    /// pause.
    #[boxed]
    pub async fn carry_out_transfers(&self) -> Result<u64> {
        let now = self.system_now();
        if self.0.moves.holds(now) {
            return Ok(0);
        }
        self.0.refresh_declared().await?;
        let company = self.look().company;
        let running = company.transfers.values().filter(|one| one.turn().is_some());
        let running: Vec<TransferId> = running.map(|one| one.id.clone()).collect();
        let (mut ended, mut faults) = (0_u64, Vec::new());
        for id in &running {
            let moved = AssertUnwindSafe(self.carry_out_transfer(id)).catch_unwind();
            let panicked = |_| Err(Error::internal("move what was accepted", "it panicked"));
            match moved.await.unwrap_or_else(panicked) {
                Ok(count) => ended = ended.saturating_add(count),
                Err(error) => faults.push(error),
            }
        }
        let mut faults = faults.into_iter();
        let Some(first) = faults.next() else {
            self.0.moves.well();
            return Ok(ended);
        };
        // Books that cannot be had are asked again at once.
        if first.kind() != Kind::Unavailable {
            self.0.moves.fault(now);
        }
        for other in faults {
            // The first is the caller's to tell.
            tracing::error!(error = %with_causes(&other), "a transfer failed");
        }
        Err(first)
    }

    /// Moves what is left of one transfer; answers how many of its holdings have ended.
    async fn carry_out_transfer(&self, id: &TransferId) -> Result<u64> {
        let mut ended = 0_u64;
        loop {
            let look = self.look();
            let open = look.company.transfers.get(id);
            let open = open.and_then(|one| Some((giver(one)?, one.turn()?, one)));
            let Some((giver, number, transfer)) = open else {
                return Ok(ended);
            };
            let request_id =
                transfer.accepted.as_ref().map_or("", |accepted| accepted.request_id.as_str());
            let attempt = |look: &Look| look.next_move(&giver, id);
            let tried = self.change(&giver, request_id, &attempt).await;
            let tried = match tried {
                Err(error) if is_its_own(&error) => {
                    let why = error.to_string();
                    let attempt = |look: &Look| look.given_up(id, number, &why);
                    self.change(&giver, request_id, &attempt).await
                }
                tried => tried,
            };
            match tried {
                Ok(_) => ended = ended.saturating_add(1),
                // Others are always faster: the next round goes on.
                Err(Error::Overtaken) => return Ok(ended),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Look {
    /// The move of the holding whose turn it is; nothing where another node was faster.
    fn next_move(&self, giver: &Caller, id: &TransferId) -> Result<Decided> {
        let transfer = self.moving(id)?;
        let turn =
            transfer.turn().and_then(|number| Some((number, transfer.products.get(number)?)));
        let Some((number, product)) = turn else { return Ok(nothing(transfer)) };
        let kept = transfer.products.iter();
        let along: Vec<_> = kept
            .filter(|one| !matches!(one.end, Some(ProductEnd::Refused(_))))
            .map(|one| (one.kind, one.id.clone()))
            .collect();
        let (kind, named) = (product.kind, product.id.as_str());
        let Judged { findings, moved } =
            self.judged((giver, transfer), (kind, named), (number, &along));
        let things = moved.map(|moved| self.things(moved));
        let problem = things.as_deref().and_then(|things| self.problems(things).into_iter().next());
        match (things, problem) {
            (Some(mut things), None) => {
                let after = transfer.with_end(number, ProductEnd::Moved, self.now)?;
                things.push(Thing::Transfer(Box::new(after)));
                Ok(Decided { things, deed: deed("transfer.move", target(transfer, product)) })
            }
            // What does not hold is the operator's to know: it may name the other side.
            (_, Some(problem)) => self.refused((transfer, number, product), unfit(), &problem),
            (None, None) => {
                let finding = findings.into_iter().next().unwrap_or_else(unfit);
                let why = finding.message.clone();
                self.refused((transfer, number, product), finding, &why)
            }
        }
    }

    /// That a holding stays whose move the books do not take, if it is still its turn.
    fn given_up(&self, id: &TransferId, number: usize, why: &str) -> Result<Decided> {
        let transfer = self.moving(id)?;
        let product = transfer.products.get(number).filter(|_| transfer.turn() == Some(number));
        match product {
            Some(product) => self.refused((transfer, number, product), unfit(), why),
            None => Ok(nothing(transfer)),
        }
    }

    fn moving(&self, id: &TransferId) -> Result<&Transfer> {
        let missing = || Error::not_found("transfer", id.as_str());
        self.company.transfers.get(id).ok_or_else(missing)
    }

    /// That a holding stays where it is; `why` is the audit log's.
    fn refused(
        &self,
        (transfer, number, product): (&Transfer, usize, &TransferProduct),
        finding: Finding,
        why: &str,
    ) -> Result<Decided> {
        let target = format!("{}: {}: {why}", target(transfer, product), finding.code);
        let end = ProductEnd::Refused(finding.into());
        let after = transfer.with_end(number, end, self.now)?;
        let things = vec![Thing::Transfer(Box::new(after))];
        Ok(Decided { things, deed: deed("transfer.refuse", target) })
    }

    /// What is to be said of a holding; `number` is its own in the transfer.
    fn judged(
        &self,
        (giver, transfer): (&Caller, &Transfer),
        product: (ProductKind, &str),
        (number, along): (usize, &[(ProductKind, String)]),
    ) -> Judged {
        let judge = Judge {
            company: &self.company,
            book: &self.declared.book,
            transfer,
            giver,
            now: self.now,
            along,
        };
        match fresh_id(&transfer.id, number) {
            Ok(fresh) => judge.judge(product, &fresh),
            Err(_) => Judged { findings: vec![unfit()], moved: None },
        }
    }

    /// What is to be said of holdings that move together, where some go along.
    fn judged_all(
        &self,
        by: (&Caller, &Transfer),
        products: &[(ProductKind, String)],
        along: &[(ProductKind, String)],
    ) -> Vec<Vec<Finding>> {
        let mut found: Vec<(Vec<Finding>, Vec<Thing>)> = Vec::with_capacity(products.len());
        for (number, (kind, id)) in products.iter().enumerate() {
            let Judged { findings, moved } = self.judged(by, (*kind, id), (number, along));
            found.push((findings, moved.map_or_else(Vec::new, |moved| self.things(moved))));
        }
        let all: Vec<Thing> = found.iter().flat_map(|(_, things)| things.iter().cloned()).collect();
        let problems = if all.is_empty() { Vec::new() } else { self.problems(&all) };
        for problem in problems {
            let is_about = |thing: &Thing| {
                problem.starts_with(&format!("{} `{}`: ", thing.kind(), thing.key()))
            };
            let about = found.iter_mut().filter(|(_, things)| things.iter().any(is_about));
            for (findings, _) in about {
                if Outcome::of(findings) != Outcome::Failed {
                    findings.insert(0, unfit());
                }
            }
        }
        found.into_iter().map(|(findings, _)| findings).collect()
    }

    /// The facts of a move.
    fn things(&self, moved: Moved) -> Vec<Thing> {
        match moved {
            Moved::Subscription(moved) => {
                let (subscription, held) = *moved;
                let mut things = self.untagged(&Scope::Subscription(subscription.id.clone()));
                things.push(Thing::Subscription(subscription, Some(held)));
                things
            }
            Moved::Reservation(moved) => {
                let Rebought { from, given_back, to, bought } = *moved;
                vec![
                    Thing::Reservation(from, Box::new(given_back)),
                    Thing::Reservation(to, Box::new(bought)),
                ]
            }
        }
    }

    /// That nothing is noted on a subscription from now on, nor later: tags stay with the house
    /// that noted them.
    fn untagged(&self, of: &Scope) -> Vec<Thing> {
        let Some(known) = self.company.tags.get(of) else { return Vec::new() };
        let is_noted =
            known.spans().any(|(during, tags)| self.now < during.end() && *tags != Tags::default());
        if !is_noted {
            return Vec::new();
        }
        let later = known.spans().map(|(during, _)| during.start());
        let later = later.filter(|from| *from > self.now);
        let step = |from| Thing::Tags(Step { of: of.clone(), from, value: Tags::default() });
        iter::once(self.now).chain(later).map(step).collect()
    }

    /// What does not hold between some things and all else that is declared.
    fn problems(&self, things: &[Thing]) -> Vec<String> {
        company::Declared::from(things.to_vec()).problems(&self.company)
    }
}

/// Whether holdings can move by a transfer; in the order in which they are named.
pub(crate) fn validated(
    look: &Look,
    giver: &Caller,
    transfer: &Transfer,
    products: &[(ProductKind, String)],
) -> Vec<ValidatedProduct> {
    let mut along = products.to_vec();
    let mut found = look.judged_all((giver, transfer), products, &along);
    // Nothing goes along with what stays: subscriptions stay by themselves, and reservations where
    // these do.
    for kind in [ProductKind::Subscription, ProductKind::Reservation] {
        let judged = products.iter().zip(&found);
        let going = judged
            .filter(|((of, _), findings)| *of > kind || Outcome::of(findings) != Outcome::Failed);
        let going: Vec<_> = going.map(|(product, _)| product.clone()).collect();
        if going != along {
            found = look.judged_all((giver, transfer), products, &going);
            along = going;
        }
    }
    let told = products.iter().zip(found).map(|((kind, id), findings)| {
        let (kind, id, outcome) = (*kind, id.clone(), Outcome::of(&findings));
        ValidatedProduct { kind, id, outcome, findings }
    });
    told.collect()
}

/// Where another node was faster.
fn nothing(transfer: &Transfer) -> Decided {
    Decided { things: Vec::new(), deed: deed("transfer.move", told(transfer)) }
}

/// A holding of a transfer, for the audit log.
fn target(transfer: &Transfer, product: &TransferProduct) -> String {
    let TransferProduct { kind, id, end: _ } = product;
    format!("{} `{}` of {}", kind.name(), id.escape_debug(), told(transfer))
}

/// Whether a move fails however often it is tried.
fn is_its_own(error: &Error) -> bool {
    match error.kind() {
        Kind::Invalid | Kind::TooMuch => true,
        Kind::Conflict => !matches!(error, Error::Overtaken),
        Kind::NotFound
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotReady
        | Kind::TooMany
        | Kind::Unavailable
        | Kind::Internal => false,
    }
}

/// What is told of a holding that does not fit what is declared beside it.
fn unfit() -> Finding {
    let message = "it does not fit what is declared where it would go; ask who sent the transfer";
    Finding::error("TransferNotAllowed", message)
}

/// Who gives what moves: whoever accepted it.
fn giver(transfer: &Transfer) -> Option<Caller> {
    let accepted = transfer.accepted.as_ref()?;
    Some(Caller::Principal(accepted.by.clone()))
}

/// The id of a reservation that is bought anew: the same however often it is decided, and of
/// nothing else.
pub(crate) fn fresh_id(transfer: &TransferId, number: usize) -> Result<ReservationId> {
    let digest = blake3::hash(format!("reservation {number} of transfer {transfer}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    ReservationId::new(&uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::Declared;
    use domain::company::Company;
    use domain::ids::{BillingAccountId, PlaceId};
    use domain::places::{Level, Place, PlaceKey};
    use domain::transfers::TransferState;
    use std::sync::Arc;
    use store::Deed;

    /// Two subscriptions that were accepted.
    fn accepted() -> Transfer {
        let product = |id: &str| TransferProduct {
            kind: ProductKind::Subscription,
            id: id.to_owned(),
            end: None,
        };
        let key = PlaceKey { level: Level::InvoiceSection, id: PlaceId::new("s").unwrap() };
        Transfer {
            id: TransferId::new("t").unwrap(),
            initiator: Place { billing_account: BillingAccountId::new("a").unwrap(), key },
            profile: PlaceId::new("p").unwrap(),
            reseller: None,
            asked_by: None,
            asked_by_email: None,
            recipient_email: "bob@example.com".to_owned(),
            created_at: Instant::EPOCH,
            expires_at: Instant::EPOCH,
            modified_at: Instant::EPOCH,
            state: TransferState::InProgress,
            canceled_by: None,
            accepted: None,
            products: ["one", "two"].map(product).into(),
        }
    }

    /// What giving a holding up comes to, with what the audit log tells; none where it changes
    /// nothing.
    fn given_up(transfer: &Transfer, number: usize) -> Option<(Transfer, Deed)> {
        let mut company = Company::default();
        company.transfers.insert(transfer.id.clone(), transfer.clone());
        let known = (Arc::new(company), Instant::EPOCH);
        let look = Look::new(Arc::new(Declared::default()), known, None);
        let Decided { mut things, deed } = look.given_up(&transfer.id, number, "why").unwrap();
        match things.pop()? {
            Thing::Transfer(after) if things.is_empty() => Some((*after, deed)),
            other => panic!("{} {}", other.kind(), other.key()),
        }
    }

    #[test]
    fn what_the_books_never_take_stays_and_the_rest_goes_on() {
        let first = accepted();
        // Somebody else was faster, or it is not its turn.
        assert!(given_up(&first, 1).is_none());
        let (then, deed) = given_up(&first, 0).unwrap();
        assert_eq!((then.state, then.turn()), (TransferState::InProgress, Some(1)));
        let refused = ProductEnd::Refused(unfit().into());
        assert_eq!(then.products.first().and_then(|one| one.end.clone()), Some(refused));
        assert_eq!(deed.action, "transfer.refuse");
        assert_eq!(
            deed.target,
            "subscription `one` of transfer `t` to invoice section `s` of `a`: \
             TransferNotAllowed: why"
        );
        assert!(given_up(&then, 0).is_none());
        let (last, _) = given_up(&then, 1).unwrap();
        assert_eq!((last.state, last.turn()), (TransferState::Failed, None));
        assert!(given_up(&last, 1).is_none());
    }

    #[test]
    fn what_is_given_up_would_fail_however_often_it_is_tried() {
        let check = |error: Error, expected: bool| assert_eq!(is_its_own(&error), expected);
        let conflict = |problem: &str| Error::Conflict {
            what: "change",
            key: "t".to_owned(),
            problem: problem.to_owned(),
        };
        check(conflict("does not fit"), true);
        check(Error::invalid("text", "holds a NUL"), true);
        check(Error::TooMuch { limit: "facts", most: 1, key: "limits.facts" }, true);
        check(Error::Overtaken, false);
        check(Error::not_found("transfer", "t"), false);
        check(Error::Unavailable { problem: "the books are busy".to_owned() }, false);
        check(Error::internal("append facts", "the disk broke"), false);
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_end_with_what_goes_well() {
        let (rest, now) = (Rest::default(), Instant::EPOCH.plus_seconds(1_000));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            rest.fault(now);
            let until = rest.until.load(Ordering::Relaxed);
            pauses.push((until - now.micros()) / calendar::MICROS_PER_SECOND);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(rest.holds(now.plus_seconds(59)) && !rest.holds(now.plus_seconds(60)));
        rest.well();
        assert!(!rest.holds(now));
    }

    #[test]
    fn what_is_bought_anew_has_an_id_of_its_own() {
        let transfer = |id: &str| TransferId::new(id).unwrap();
        let fresh = |id: &str, number| fresh_id(&transfer(id), number).unwrap();
        assert_eq!(fresh("t", 0), fresh("t", 0));
        assert_ne!(fresh("t", 0), fresh("t", 1));
        assert_ne!(fresh("t", 0), fresh("u", 0));
        assert_eq!(fresh("t", 0).as_str().len(), 36);
    }
}
