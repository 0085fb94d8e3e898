//! Requests: what one alone must not do waits until a second person approves it.
//!
//! A request is known by what is asked and by whom, so that asking again finds it. An approval
//! holds for just that, until it expires; whoever approves carries it out at once.

use crate::closes::{CloseMode, ClosePeriod, Drafts, Outcome};
use crate::notes::{CreditLine, CreditNoteAsked, Withdrawal};
use crate::repricing::KeptFact;
use crate::{Inner, Reckoner, keys};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Request, Scope, demand_approved};
use domain::api_keys::KeyState;
use domain::chain::Digest;
use domain::ids::{BillingAccountId, PrincipalId};
use domain::invoice_state::Approver;
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::Fixed18;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{NewFact, RequestRow};

/// How long a request holds, approved or not: a week.
const HOLDS_S: i64 = 7 * 86_400;

/// What may need a second person.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Closing a billing period.
    Close(ClosePeriod),
    /// A credit note on an invoice of an account.
    CreditNote(BillingAccountId, CreditNoteAsked),
    /// Voiding an invoice of an account.
    Void(BillingAccountId, Withdrawal),
    /// Voiding an invoice of an account, and another in its place.
    Rebill(BillingAccountId, Withdrawal),
    /// Writing off what an invoice of an account is owed.
    WriteOff(BillingAccountId, Withdrawal),
    /// Declaring what changes the cost of usage in closed billing periods: a plan's id, its facts,
    /// and the newest fact that it was made behind, so that an approval holds once.
    Apply(Digest, Vec<NewFact>, u64),
}

impl Deed {
    fn action(&self) -> Action {
        match self {
            Deed::Close(_) => Action::ClosePeriods,
            Deed::CreditNote(..) | Deed::Void(..) | Deed::Rebill(..) => Action::VoidInvoices,
            Deed::WriteOff(..) => Action::WriteOffCharges,
            Deed::Apply(..) => Action::RepriceUsage,
        }
    }

    fn billing_account(&self) -> Option<&BillingAccountId> {
        match self {
            Deed::Close(_) | Deed::Apply(..) => None,
            Deed::CreditNote(id, _) => Some(id),
            Deed::Void(id, _) | Deed::Rebill(id, _) | Deed::WriteOff(id, _) => Some(id),
        }
    }

    fn kept(&self) -> Kept {
        let withdrawal =
            |Withdrawal { number, reason }: &Withdrawal| (number.to_string(), reason.clone());
        match self {
            Deed::Close(ClosePeriod { period, mode: _, drafts, left_out }) => Kept::Close {
                period: period.to_string(),
                issue: *drafts == Drafts::GoOut,
                leave_out: left_out.iter().map(ToString::to_string).collect(),
            },
            Deed::CreditNote(_, CreditNoteAsked { id, number, lines, reason }) => {
                let line = |CreditLine { line, amount }: &CreditLine| (*line, amount.to_string());
                Kept::CreditNote {
                    id: id.clone(),
                    number: number.to_string(),
                    lines: lines.iter().map(line).collect(),
                    reason: reason.clone(),
                }
            }
            Deed::Void(_, asked) => {
                let (number, reason) = withdrawal(asked);
                Kept::Void { number, reason }
            }
            Deed::Rebill(_, asked) => {
                let (number, reason) = withdrawal(asked);
                Kept::Rebill { number, reason }
            }
            Deed::WriteOff(_, asked) => {
                let (number, reason) = withdrawal(asked);
                Kept::WriteOff { number, reason }
            }
            Deed::Apply(plan, facts, behind) => Kept::Apply {
                plan: plan.to_string(),
                facts: facts.iter().map(KeptFact::of).collect(),
                behind: *behind,
            },
        }
    }
}

/// A deed as the books keep it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
enum Kept {
    Close { period: String, issue: bool, leave_out: Vec<String> },
    CreditNote { id: String, number: String, lines: Vec<(u32, String)>, reason: String },
    Void { number: String, reason: String },
    Rebill { number: String, reason: String },
    WriteOff { number: String, reason: String },
    Apply { plan: String, facts: Vec<KeptFact>, behind: u64 },
}

/// A request, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTold {
    /// Its id.
    pub id: String,
    /// The action that needs a second person.
    pub action: String,
    /// Of which billing account; none for the installation.
    pub billing_account: Option<String>,
    /// Who asks: `principal NAME`, `key ID`, `machine`.
    pub asked_by: String,
    /// What exactly, as JSON.
    pub what: String,
    /// When it was asked: system time.
    pub asked_at: Instant,
    /// From when on it no longer holds: system time.
    pub expires_at: Instant,
    /// Who approved it, if somebody has.
    pub approved_by: Option<String>,
}

/// A request that was approved and carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDone {
    /// It.
    pub request: RequestTold,
    /// What came of it, in words.
    pub outcome: String,
}

/// Whoever does something, and the second person where one was needed.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    caller: Caller,
    second: Option<PrincipalId>,
}

impl Agreed {
    /// Somebody alone.
    pub(crate) fn alone(caller: &Caller) -> Agreed {
        Agreed { caller: caller.clone(), second: None }
    }

    /// The person that lets documents out: the second one where there is one.
    ///
    /// Errors: [`Error::Invalid`].
    pub(crate) fn person(&self) -> Result<PrincipalId> {
        match &self.second {
            Some(second) => Ok(second.clone()),
            None => PrincipalId::new(&self.caller.actor()),
        }
    }

    /// Who agrees to documents that are made by hand.
    ///
    /// Errors: [`Error::Invalid`].
    pub(crate) fn approver(&self) -> Result<Approver> {
        Ok(Approver::Person(self.person()?))
    }

    /// Whether a second person was needed.
    pub(crate) fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// A reason for the audit log, with who approved.
    pub(crate) fn told(&self, reason: &str) -> String {
        match &self.second {
            Some(second) => format!("{reason}; approved by {second}"),
            None => reason.to_owned(),
        }
    }
}

impl Reckoner {
    /// Demands a second person for what needs one; keeps the request while nobody has approved it.
    ///
    /// Errors: [`Error::Conflict`] naming the request that waits; [`Error::Forbidden`] when who
    /// asks, or who approved, may not any more.
    pub(crate) async fn agreed(
        &self,
        caller: &Caller,
        deed: Deed,
        request_id: &str,
    ) -> Result<Agreed> {
        let (rule, action) = (&self.0.config.second_person, deed.action());
        if !rule.is_needed(action) {
            return Ok(Agreed::alone(caller));
        }
        let row = self.request_of(caller, &deed)?;
        let note = self.note(caller, "needs a second person", request_id);
        let store = Arc::clone(&self.0.store);
        let row = crate::blocking(move || {
            store.ask(&row, &note).map_err(crate::stored("keep a request"))
        })
        .await?;
        let second = match row.approved_by.as_str() {
            "" => None,
            person => Some(PrincipalId::new(person)?),
        };
        let approver = second.clone().map(Caller::Principal);
        self.demand_second((caller, approver.as_ref()), &row)?;
        Ok(Agreed { caller: caller.clone(), second })
    }

    fn demand_second(
        &self,
        (by, approved_by): (&Caller, Option<&Caller>),
        row: &RequestRow,
    ) -> Result<()> {
        let (action, scope) = place_of(row)?;
        let declared = self.0.declared();
        let asked = Request { action, scope: &scope, by, approved_by, at: self.now() };
        let demanded = demand_approved(&declared.company, &self.0.config.second_person, &asked);
        demanded.map_err(|error| match error {
            Error::Conflict { what: "request", key: _, problem } => {
                let problem = format!("{problem}; it waits until {}", row.expires_at);
                Error::Conflict { what: "request", key: row.id.clone(), problem }
            }
            other => other,
        })
    }

    /// The row of a deed; the same deed of the same caller has the same id.
    fn request_of(&self, caller: &Caller, deed: &Deed) -> Result<RequestRow> {
        let asked_by = match caller {
            Caller::Principal(principal) => format!("principal {principal}"),
            Caller::Key(grant) => format!("key {}", grant.key_id),
            Caller::Machine => "machine".to_owned(),
            Caller::Enterprise(_) => {
                return Err(Error::Forbidden { action: deed.action().name() });
            }
            Caller::Link { action, scope: _ } => {
                return Err(Error::Forbidden { action: action.name() });
            }
        };
        let body = serde_json::to_vec(&deed.kept());
        let body = body.map_err(|e| Error::internal("write a request", e))?;
        let account = deed.billing_account().map(ToString::to_string).unwrap_or_default();
        let key = blake3::hash(&[asked_by.as_bytes(), b"\n", body.as_slice()].concat());
        let id: String = key.to_hex().chars().take(16).collect();
        let now = self.system_now();
        Ok(RequestRow {
            id,
            action: deed.action().name().to_owned(),
            billing_account: account,
            asked_by,
            body,
            asked_at: now,
            expires_at: now.plus_seconds(HOLDS_S),
            approved_by: String::new(),
            approved_at: None,
        })
    }

    /// Lists up to `limit` requests of an account, or of all, newest first.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see.
    #[boxed]
    pub async fn requests(
        &self,
        caller: &Caller,
        billing_account: Option<BillingAccountId>,
        limit: u64,
    ) -> Result<Vec<RequestTold>> {
        let scope = billing_account.clone().map_or(Scope::Installation, Scope::Account);
        self.demand(caller, Action::ApproveRequests, &scope).await?;
        let store = Arc::clone(&self.0.store);
        let account = billing_account.map(|id| id.to_string()).unwrap_or_default();
        let rows = crate::blocking(move || {
            store.requests(&account, limit).map_err(crate::stored("read the requests"))
        })
        .await?;
        Ok(rows.into_iter().map(told).collect())
    }

    /// Approves a request and carries it out for who asked. Again, by the same person, it is
    /// carried out again, which changes nothing that is done.
    ///
    /// Errors: [`Error::NotFound`], also for who may not approve it; [`Error::Conflict`] when it
    /// has expired, somebody else has approved it, or the caller is no second person; what carrying
    /// it out comes to.
    #[boxed]
    pub async fn approve_request(
        &self,
        caller: &Caller,
        id: &str,
        request_id: &str,
    ) -> Result<RequestDone> {
        let missing = || Error::not_found("request", id);
        let row = self.0.request_row(id).await?.ok_or_else(missing)?;
        let (_, scope) = place_of(&row)?;
        let allowed = self.demand(caller, Action::ApproveRequests, &scope).await;
        // Whoever may not approve it is not told that it is there.
        allowed.map_err(|_| missing())?;
        let conflict =
            |problem: String| Err(Error::Conflict { what: "request", key: id.to_owned(), problem });
        if row.expires_at <= self.system_now() {
            return conflict(format!("has expired at {}; ask again", row.expires_at));
        }
        let by = self.0.asker(&row, self.system_now()).await?;
        self.demand_second((&by, Some(caller)), &row)?;
        let person = caller.actor();
        if row.approved_by.is_empty() {
            let note = self.note(caller, &format!("asked by {}", row.asked_by), request_id);
            let (store, id, person) = (Arc::clone(&self.0.store), id.to_owned(), person);
            crate::blocking(move || {
                store.approve(&id, &person, &note).map_err(crate::stored("approve a request"))
            })
            .await?;
        } else if row.approved_by != person {
            return conflict(format!("was approved by {}", row.approved_by));
        }
        let outcome = self.carry_out(&by, &row, request_id).await?;
        let row = self.0.request_row(id).await?.ok_or_else(missing)?;
        Ok(RequestDone { request: told(row), outcome })
    }

    /// Does what was asked, for who asked; the approval is found by it.
    async fn carry_out(&self, by: &Caller, row: &RequestRow, request_id: &str) -> Result<String> {
        let kept = kept_of(&row.body).map_err(|e| Error::internal("read a request", e))?;
        let withdrawal = |number: &str, reason: String| {
            Ok::<_, Error>(Withdrawal { number: DocumentNumber::parse(number)?, reason })
        };
        match kept {
            Kept::Close { period, issue, leave_out } => {
                let asked = closing(&period, issue, &leave_out)?;
                let closing = self.close_period(by, &asked, request_id).await?;
                let count = |is: fn(&Outcome) -> bool| {
                    closing.accounts.iter().filter(|one| is(&one.outcome)).count()
                };
                let waits = count(|outcome| matches!(outcome, Outcome::Waits { .. }));
                let parked = count(|outcome| matches!(outcome, Outcome::Parked { .. }));
                let all = closing.accounts.len();
                Ok(format!(
                    "{period}: {all} accounts, of which {waits} wait and {parked} are parked"
                ))
            }
            Kept::CreditNote { id, number, lines, reason } => {
                let lines = lines.into_iter().map(|(line, amount)| {
                    let amount = Fixed18::parse(&amount).map_err(|e| Error::money("a line", e))?;
                    Ok(CreditLine { line, amount })
                });
                let lines = lines.collect::<Result<_>>()?;
                let number = DocumentNumber::parse(&number)?;
                let asked = CreditNoteAsked { id, number, lines, reason };
                let issued = self.credit_note(by, &asked, request_id).await?;
                Ok(format!("{} on {}", issued.number, issued.amends))
            }
            Kept::Void { number, reason } => {
                let asked = withdrawal(&number, reason)?;
                let issued = self.void_invoice(by, &asked, request_id).await?;
                Ok(format!("{} on {}", issued.number, issued.amends))
            }
            Kept::Rebill { number, reason } => {
                let asked = withdrawal(&number, reason)?;
                let rebilled = self.rebill(by, &asked, request_id).await?;
                let (void, invoice) = (&rebilled.void, &rebilled.invoice);
                Ok(format!("{} on {}; {} in its place", void.number, void.amends, invoice.number))
            }
            Kept::WriteOff { number, reason } => {
                let asked = withdrawal(&number, reason)?;
                let written_off = self.write_off(by, &asked, request_id).await?;
                Ok(format!("{} of {number}", written_off.amount))
            }
            Kept::Apply { plan, facts, behind: _ } => {
                self.apply_kept(by, (&plan, &facts), request_id).await
            }
        }
    }
}

impl Inner {
    async fn request_row(self: &Arc<Self>, id: &str) -> Result<Option<RequestRow>> {
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        crate::blocking(move || store.request(&id).map_err(crate::stored("read a request"))).await
    }

    /// Who asked, as they come in today.
    async fn asker(self: &Arc<Self>, row: &RequestRow, now: Instant) -> Result<Caller> {
        let ended = || Error::Conflict {
            what: "request",
            key: row.id.clone(),
            problem: format!("{} does not hold any more", row.asked_by),
        };
        if row.asked_by == "machine" {
            return Ok(Caller::Machine);
        }
        if let Some(principal) = row.asked_by.strip_prefix("principal ") {
            return Ok(Caller::Principal(PrincipalId::new(principal)?));
        }
        let store = Arc::clone(&self.store);
        let rows =
            crate::blocking(move || store.keys().map_err(crate::stored("read the API keys")))
                .await?;
        let key = row.asked_by.strip_prefix("key ");
        let key = rows.iter().find(|one| Some(one.key_id.as_str()) == key).ok_or_else(ended)?;
        let key = keys::read(key)?;
        if key.state_at(now) == KeyState::Live { Ok(Caller::Key(key.grant)) } else { Err(ended()) }
    }
}

/// What a kept close asks for.
fn closing(period: &str, issue: bool, leave_out: &[String]) -> Result<ClosePeriod> {
    let period = BillingPeriod::parse(period);
    Ok(ClosePeriod {
        period: period.map_err(|e| Error::internal("read a request", e))?,
        mode: CloseMode::Final,
        drafts: if issue { Drafts::GoOut } else { Drafts::Wait },
        left_out: leave_out.iter().map(|id| BillingAccountId::new(id)).collect::<Result<_>>()?,
    })
}

/// What a request is for, and where.
fn place_of(row: &RequestRow) -> Result<(Action, Scope)> {
    let action = Action::parse(&row.action);
    let action = action.ok_or_else(|| Error::not_found("action", row.action.clone()))?;
    let scope = match row.billing_account.as_str() {
        "" => Scope::Installation,
        account => Scope::Account(BillingAccountId::new(account)?),
    };
    Ok((action, scope))
}

/// Reads a deed. By way of a value: numbers that keep their digits can't be read behind a tag.
fn kept_of(body: &[u8]) -> serde_json::Result<Kept> {
    serde_json::from_slice(body).and_then(serde_json::from_value)
}

/// What is asked, as JSON.
fn shown(body: &[u8]) -> String {
    match kept_of(body) {
        Ok(Kept::Apply { plan, facts, behind }) => {
            let facts = facts.into_iter().map(KeptFact::without_secrets).collect();
            serde_json::to_string(&Kept::Apply { plan, facts, behind }).unwrap_or_default()
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

fn told(row: RequestRow) -> RequestTold {
    let RequestRow { id, action, billing_account, asked_by, body, .. } = row;
    let RequestRow { asked_at, expires_at, approved_by, .. } = row;
    let said = |text: String| (!text.is_empty()).then_some(text);
    RequestTold {
        id,
        action,
        billing_account: said(billing_account),
        asked_by,
        what: shown(&body),
        asked_at,
        expires_at,
        approved_by: said(approved_by),
    }
}
