//! Budgets: kept at a billing account, at a place below it, at a subscription or a part of one.
//!
//! They are no facts of the company: no rating, close or page is computed from them. A budget is a
//! row with a version, changed behind the version before and with its entry in the audit log.

use crate::Reckoner;
use crate::changes::ATTEMPTS;
use crate::forecasts;
use crate::kept_budgets;
use crate::spending::{SpendPlace, Spending};
use crate::structure::Look;
use async_recursion::async_recursion as boxed;
use calendar::{Day, Interval};
use domain::access::{Action, Caller, Scope};
use domain::budgets::{Budget, Declaring, check_name};
use domain::{Error, Result};
use money::{Cost, Fixed18};
use std::ops::Range;
use std::sync::Arc;
use store::{BudgetKept, BudgetRow};

/// A budget that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetAsked {
    /// Its name; letter case makes no difference.
    pub name: String,
    /// What it says.
    pub budget: Budget,
    /// The tag of the one whose place it takes, where it must take that and no other.
    pub tag: Option<String>,
}

/// A budget as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetTold {
    /// Its name, as it was spelled last.
    pub name: String,
    /// What changes with every change of what it says, and with nothing else.
    pub tag: String,
    /// What it says.
    pub budget: Budget,
    /// What the window that is open has cost; none where usage was rated in a currency that no
    /// declared rate leads from to that of who pays.
    pub current: Option<Cost>,
    /// What it is expected to cost in all; none where too few days are known.
    pub forecast: Option<Cost>,
}

/// A budget that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetPut {
    /// The first of its name.
    Made(BudgetTold),
    /// It took another's place.
    Changed(BudgetTold),
}

/// What a budget's window comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) actual: Cost,
    pub(crate) forecast: Option<Fixed18>,
}

impl Reckoner {
    /// Keeps a budget: a new one, or in the place of the one of its name.
    ///
    /// Errors: [`Error::Forbidden`] and [`Error::NotFound`] for who may not keep budgets there, or
    /// not read what it costs; [`Error::Invalid`]; [`Error::Conflict`] where another tag was
    /// expected; [`Error::TooMuch`]; [`Error::Overtaken`].
    #[boxed]
    pub async fn put_budget(
        &self,
        caller: &Caller,
        place: &SpendPlace,
        asked: &BudgetAsked,
        request_id: &str,
    ) -> Result<BudgetPut> {
        for _ in 0..ATTEMPTS {
            let look = self.look_at_budgets(caller, Action::ManageBudgets, place).await?;
            look.demand(caller, Action::ReadCharges, &place.scope)?;
            check_name(&asked.name)?;
            let before = self.budget_row(place, &asked.name).await?;
            let known = before.as_ref().map(|row| kept_budgets::read(&row.body)).transpose()?;
            let known = known.map(|(_, _, budget)| budget);
            demand_tag(asked, before.as_ref())?;
            check(&look, place, asked, known.as_ref())?;
            let row = row_of(place, asked, before.as_ref())?;
            match self.keep_budget(caller, &row, request_id).await? {
                BudgetKept::Overtaken => {}
                BudgetKept::Full => {
                    let most = self.limits().budgets;
                    let (limit, key) = ("budgets of one scope", "limits.budgets");
                    return Err(Error::TooMuch { limit, most, key });
                }
                BudgetKept::Yes => {
                    let told = self.budget_told(&look, &row).await?;
                    return Ok(match before {
                        None => BudgetPut::Made(told),
                        Some(_) => BudgetPut::Changed(told),
                    });
                }
            }
        }
        Err(Error::Overtaken)
    }

    /// The budget of a name.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; those of [`Reckoner::charges`].
    #[boxed]
    pub async fn budget(
        &self,
        caller: &Caller,
        place: &SpendPlace,
        name: &str,
    ) -> Result<BudgetTold> {
        let look = self.look_at_budgets(caller, Action::ReadCharges, place).await?;
        let row = self.budget_row(place, name).await?;
        let row = row.ok_or_else(|| Error::not_found("budget", name))?;
        self.budget_told(&look, &row).await
    }

    /// The budgets that are kept at a place itself, in the order of their names.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; those of [`Reckoner::charges`].
    #[boxed]
    pub async fn budgets(&self, caller: &Caller, place: &SpendPlace) -> Result<Vec<BudgetTold>> {
        let look = self.look_at_budgets(caller, Action::ReadCharges, place).await?;
        let (store, key) = (Arc::clone(&self.0.store), kept_budgets::place_key(place)?);
        let rows = crate::blocking(move || {
            store.budgets_at(&key).map_err(crate::stored("read the budgets"))
        })
        .await?;
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            told.push(self.budget_told(&look, row).await?);
        }
        Ok(told)
    }

    /// Deletes a budget; nobody is told anything of it any more.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn delete_budget(
        &self,
        caller: &Caller,
        place: &SpendPlace,
        name: &str,
        request_id: &str,
    ) -> Result<()> {
        self.look_at_budgets(caller, Action::ManageBudgets, place).await?;
        let missing = || Error::not_found("budget", name);
        check_name(name).map_err(|_| missing())?;
        let (store, key) = (Arc::clone(&self.0.store), kept_budgets::place_key(place)?);
        let (note, name_key) =
            (self.note(caller, "asked for", request_id), name.to_ascii_lowercase());
        let was_there = crate::blocking(move || {
            let deleted = store.delete_budget(&key, &name_key, &note);
            deleted.map_err(crate::stored("delete a budget"))
        })
        .await?;
        if was_there { Ok(()) } else { Err(missing()) }
    }

    /// The company by its newest facts, for who may do this at a place.
    async fn look_at_budgets(
        &self,
        caller: &Caller,
        action: Action,
        place: &SpendPlace,
    ) -> Result<Look> {
        self.0.refresh_declared().await?;
        self.demand_in_sight(caller, action, &place.scope)
    }

    async fn budget_row(&self, place: &SpendPlace, name: &str) -> Result<Option<BudgetRow>> {
        if check_name(name).is_err() {
            return Ok(None);
        }
        let (store, key) = (Arc::clone(&self.0.store), kept_budgets::place_key(place)?);
        let name_key = name.to_ascii_lowercase();
        crate::blocking(move || {
            store.budget(&key, &name_key).map_err(crate::stored("read a budget"))
        })
        .await
    }

    async fn keep_budget(
        &self,
        caller: &Caller,
        row: &BudgetRow,
        request_id: &str,
    ) -> Result<BudgetKept> {
        let (store, row) = (Arc::clone(&self.0.store), row.clone());
        let (note, most) = (self.note(caller, "asked for", request_id), self.limits().budgets);
        crate::blocking(move || {
            store.keep_budget(&row, most, &note).map_err(crate::stored("keep a budget"))
        })
        .await
    }

    async fn budget_told(&self, look: &Look, row: &BudgetRow) -> Result<BudgetTold> {
        let (name, place, budget) = kept_budgets::read(&row.body)?;
        let measure = self.measure(look, &place, &budget).await?;
        let forecast = measure.as_ref().and_then(|measure| {
            let major = measure.forecast?;
            Some(Cost { major, ..measure.actual })
        });
        let current = measure.map(|measure| measure.actual);
        Ok(BudgetTold { name, tag: tag(row), budget, current, forecast })
    }

    /// What the window of a budget that is open now comes to: nothing where none is. None where it
    /// cannot be told in one currency.
    ///
    /// Errors: those of [`Reckoner::charges`].
    pub(crate) async fn measure(
        &self,
        look: &Look,
        place: &SpendPlace,
        budget: &Budget,
    ) -> Result<Option<Measure>> {
        let today = look.now.day();
        let days = budget.window_at(look.now).map_or(today..today, days_of);
        let all = days.start.min(forecasts::looked_back(today))..days.end.max(today.next());
        let Some(spending) = self.spending(look, (place, &budget.filter), all).await? else {
            return Ok(None);
        };
        measured(&spending, days, today).map(Some)
    }
}

/// Whether it can be declared where it is asked for.
fn check(
    look: &Look,
    place: &SpendPlace,
    asked: &BudgetAsked,
    before: Option<&Budget>,
) -> Result<()> {
    let payer = place.payer(&look.company, look.now)?;
    asked.budget.check(&Declaring {
        now: look.now,
        is_at_subscription: matches!(place.scope, Scope::Subscription(_)),
        agreement: look.company.places.of(&payer).map(|places| places.kind()),
        before,
    })
}

/// The row to keep, behind the one before.
fn row_of(
    place: &SpendPlace,
    asked: &BudgetAsked,
    before: Option<&BudgetRow>,
) -> Result<BudgetRow> {
    let id = match before {
        Some(row) => row.id.clone(),
        None => uuid::Uuid::new_v4().simple().to_string(),
    };
    Ok(BudgetRow {
        id,
        place: kept_budgets::place_key(place)?,
        name_key: asked.name.to_ascii_lowercase(),
        version: before.map_or(0, |row| row.version).saturating_add(1),
        body: kept_budgets::write(place, asked)?,
    })
}

/// What days of a window come to, on one of them.
fn measured(spending: &Spending, days: Range<Day>, today: Day) -> Result<Measure> {
    let major = spending.within(days.start..days.end.min(today.next()))?;
    let actual = Cost { major, currency: spending.currency };
    let forecast =
        if days.contains(&today) { forecasts::whole(spending, days, today)? } else { None };
    Ok(Measure { actual, forecast: forecast.map(|expected| expected.cost) })
}

/// The days of a window, the one in which it ends in whole.
fn days_of(window: Interval) -> Range<Day> {
    let end = window.end();
    let last = if end.is_midnight() { end.day() } else { end.day().next() };
    window.start().day()..last.max(window.start().day())
}

/// The tag of a budget in the books.
fn tag(row: &BudgetRow) -> String {
    let hash = blake3::hash(format!("{} {}", row.id, row.version).as_bytes()).to_hex();
    format!("\"{}\"", hash.get(..16).unwrap_or_default())
}

fn demand_tag(asked: &BudgetAsked, before: Option<&BudgetRow>) -> Result<()> {
    let Some(wanted) = &asked.tag else { return Ok(()) };
    let plain = |text: &str| text.trim_matches('"').to_owned();
    let (key, problem) = (
        asked.name.clone(),
        match before {
            None => "there is none yet; leave the tag out to make it",
            Some(row) if plain(&tag(row)) == plain(wanted) => return Ok(()),
            Some(_) => "has changed since that tag was read; read it again",
        },
    );
    Err(Error::Conflict { what: "budget", key, problem: problem.to_owned() })
}
