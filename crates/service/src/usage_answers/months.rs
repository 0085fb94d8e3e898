//! What a month is answered from: rated rows as they are, or as its close saw them.
//!
//! A closed month never changes. Where nothing that its rows are made of has come since its close,
//! or they come out the same and their meters are described the same, they are read; else they are
//! rated again from the records that the close saw, by what was declared then.
//!
//! Memory holds, of what is rated again, the records and rows of one meter of the account (and of
//! the meters that a reservation covers with it) at a time: what a counter counts is rated in one
//! go. Rows become groups in portions of [`PORTION_ROWS`].

use super::Asking;
use super::accounts::pieces_of;
use super::corrections::{Adjusted, Costs, costed};
use super::groups::{Adding, Piece, Sign};
use crate::cells::CellKey;
use crate::declared::Declared;
use crate::rating::View;
use crate::units::{account_of, meter_code};
use crate::{Inner, codes, rated_rows};
use calendar::{BillingPeriod, Interval};
use domain::Result;
use domain::chain::Digest;
use domain::company::Company;
use domain::delivery::Sent;
use domain::ids::{BillingAccountId, MeterId};
use domain::rated::RatedRow;
use engine::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{AccountClose, CloseState};

/// Rows that are turned into columns and added up at a time.
const PORTION_ROWS: usize = 50_000;

/// What was closed of a company, and what it was sent.
pub(super) struct AnswerBooks {
    pub(super) closes: BTreeMap<BillingPeriod, AnswerClose>,
    pub(super) sent: Sent,
}

/// A close of a company's month.
pub(super) struct AnswerClose {
    pub(super) close: AccountClose,
    /// Whether a link of the chain covers it: the month is final.
    pub(super) is_sealed: bool,
}

/// Rated rows of a month.
enum Source {
    /// As they are.
    View(View),
    /// Rated again from records before a sequence of the shard.
    Again(u64),
}

impl AnswerBooks {
    /// Whether the company's close of a month is sealed.
    pub(super) fn is_final(&self, month: BillingPeriod) -> bool {
        self.closes.get(&month).is_some_and(|closed| closed.is_sealed)
    }

    /// The month whose close will bill what closed months are short of: the first that is open
    /// behind all closed ones; none if nothing is closed.
    pub(super) fn next_to_close(&self) -> Option<BillingPeriod> {
        self.closes.keys().next_back().map(|last| last.next())
    }
}

impl Inner {
    pub(super) async fn answer_books(
        self: &Arc<Self>,
        account: &BillingAccountId,
    ) -> Result<AnswerBooks> {
        let mut closes = BTreeMap::new();
        for row in self.closes_of(account).await? {
            if let CloseState::Closed { closed: close, link } = row.state {
                let month = crate::closes::period_of(row.period)?;
                closes.insert(month, AnswerClose { close, is_sealed: link.is_some() });
            }
        }
        Ok(AnswerBooks { closes, sent: self.sent_to(account).await? })
    }

    /// Adds the usage of a part of a month; gives what its adjustments cost where it is all of a
    /// closed one.
    pub(super) async fn add_month(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        (month, part): (BillingPeriod, Interval),
        closed: Option<&AnswerClose>,
        adding: &mut Adding,
    ) -> Result<Adjusted> {
        let account = &asking.sight.billing_account;
        let (declared, source) = match closed {
            None => {
                let view = self.refresh(self.cell_of(account, month)).await?;
                (self.declared(), Source::View(view))
            }
            Some(closed) => self.closed_source(account, month, &closed.close).await?,
        };
        let is_booked = closed.is_some() && asking.is_of_all() && part == month.interval();
        let pieces = pieces_of(asking, &declared.company, (month, part));
        let mut adjusted = Costs::new();
        match source {
            Source::View(view) => {
                self.add_pieces(asking, &pieces, &view.rows(), Sign::Plus, adding).await?;
                if is_booked {
                    adjusted = self.adjusted_in(account, &view).await?;
                }
            }
            Source::Again(end_sequence) => {
                for meter in self.meters_of(&declared, account, month).await? {
                    let (of, seen) = ((account, &meter), (end_sequence, &declared));
                    let rows = self.meter_rated_again(of, month, seen).await?;
                    let (rows, mut costs) = costed(rows).await?;
                    costs.retain(|key, _| key.may_be_discounted());
                    adjusted.extend(costs);
                    self.add_rows(asking, &pieces, rows, Sign::Plus, adding).await?;
                }
            }
        }
        Ok(Adjusted::from([(month, adjusted)]))
    }

    /// Adds rows that the books do not have, coded by the company of the pieces, and drops them.
    pub(super) async fn add_rows(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        pieces: &[Piece],
        mut rows: Vec<RatedRow>,
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        let Some(first) = pieces.first() else { return Ok(()) };
        while !rows.is_empty() {
            let portion = rows.split_off(rows.len().saturating_sub(PORTION_ROWS));
            let (company, units) = (&first.company, [portion.as_slice()]);
            let columns = rated_rows::to_columns(&self.codes, company, &units).await?;
            drop(portion);
            let inputs: Vec<Input> = columns.into_iter().map(Input::Memory).collect();
            self.add_pieces(asking, pieces, &inputs, sign, adding).await?;
        }
        Ok(())
    }

    pub(super) async fn add_pieces(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        pieces: &[Piece],
        inputs: &[Input],
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        for piece in pieces {
            self.add_usage(asking, piece, inputs.to_vec(), sign, adding).await?;
        }
        Ok(())
    }

    /// The cell of an account's usage of a month.
    pub(super) fn cell_of(&self, account: &BillingAccountId, month: BillingPeriod) -> CellKey {
        CellKey { period: month, bucket: self.bucket_of(account) }
    }

    /// What a close rated its usage by, and where its rows are now.
    async fn closed_source(
        self: &Arc<Self>,
        account: &BillingAccountId,
        month: BillingPeriod,
        close: &AccountClose,
    ) -> Result<(Arc<Declared>, Source)> {
        let touched = self.declared().touched_last(account);
        // Before it is asked whether anything has changed: nothing new is in it then.
        let view = self.refresh(self.cell_of(account, month)).await?;
        let declared = self.declared_at(close.company_version).await?;
        let mut closed = self.closed_periods(&self.declared(), account).await?.into_iter();
        let of_month = closed.find(|closed| closed.period == month);
        let has_changed = of_month.is_none_or(|closed| closed.has_changed);
        let (of, by) = ((account, month), (touched, &declared));
        if !has_changed || self.comes_out_the_same(of, close, &view, by).await? {
            return Ok((declared, Source::View(view)));
        }
        Ok((declared, Source::Again(close.end_sequence)))
    }

    /// Whether a closed month's rows in a view are those of its close, and their meters are still
    /// described as they were then; `touched` is the newest fact about the account that the view
    /// was made by, `declared` what was declared at the close. Found once for each state of the
    /// cell, for a fact that touches everybody changes few rows.
    async fn comes_out_the_same(
        self: &Arc<Self>,
        (account, month): (&BillingAccountId, BillingPeriod),
        close: &AccountClose,
        view: &View,
        (touched, declared): (u64, &Arc<Declared>),
    ) -> Result<bool> {
        let is_still = || self.declared().touched_last(account) == touched;
        if !is_still() {
            return Ok(false);
        }
        let cell = self.cells.cell(self.cell_of(account, month));
        let state = (touched, view.end_sequence());
        if let Some(known) = cell.comes_out_the_same(state, account) {
            return Ok(known);
        }
        let meters = self.meters_of(declared, account, month).await?;
        let now = Arc::clone(&self.declared().company);
        let is_same = match are_described_the_same(&declared.company, &now, &meters) {
            false => false,
            true => {
                let of = (vec![account.clone()], month);
                let charged = self.period_charges(declared, of, |_| {}).await?.remove(account);
                let Some(Ok(charged)) = charged else { return Ok(false) };
                if charged.usage.end_sequence() != view.end_sequence() {
                    return Ok(false);
                }
                charged.row_count == close.row_count
                    && charged.rows_digest == Digest::from_bytes(close.rows_digest)
            }
        };
        let is_still = is_still();
        if is_still {
            cell.keep_coming_out(state, account, is_same);
        }
        Ok(is_same && is_still)
    }

    /// The meters that an account can have rated rows of in a month, as they are known now.
    async fn meters_of(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        account: &BillingAccountId,
        month: BillingPeriod,
    ) -> Result<BTreeSet<MeterId>> {
        let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(BTreeSet::new());
        };
        let key = self.cell_of(account, month);
        let state = self.cells.cell(key).state().clone();
        let (_, mut units) = self.units_of(&state.tail).await?;
        units.extend(Inner::known_units(&state));
        units.extend(state.overlay.iter().flat_map(|overlay| overlay.units.iter().copied()));
        units.extend(self.standing_units(declared, key, &state).await?);
        let own = units.into_iter().filter(|unit| account_of(*unit) == code);
        // 0 stands for records that cannot be read.
        let meters = own.map(meter_code).filter(|meter| *meter != 0);
        meters.map(|code| MeterId::new(&self.codes.value(codes::METER, code)?)).collect()
    }
}

/// Whether what rows tell of their meters is the same by two companies.
fn are_described_the_same(then: &Company, now: &Company, meters: &BTreeSet<MeterId>) -> bool {
    let described = |company: &Company, meter: &MeterId| {
        let meter = company.meters.get(meter)?;
        Some((meter.category.clone(), meter.subcategory.clone(), meter.unit.clone()))
    };
    meters.iter().all(|meter| described(then, meter) == described(now, meter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::{Aggregation, Meter};

    fn company(meters: &[(&str, &str, &str, &str)]) -> Company {
        let meter = |(id, category, subcategory, unit): &(&str, &str, &str, &str)| {
            let id = MeterId::new(id).unwrap();
            let meter = Meter {
                id: id.clone(),
                name: "Messages".to_owned(),
                category: (*category).to_owned(),
                subcategory: (*subcategory).to_owned(),
                region: String::new(),
                unit: (*unit).to_owned(),
                tags: Vec::new(),
                aggregation: Aggregation::Sum,
                names: BTreeMap::new(),
            };
            (id, meter)
        };
        Company { meters: meters.iter().map(meter).collect(), ..Company::default() }
    }

    #[test]
    fn a_close_is_told_by_how_its_meters_were_described() {
        let then = company(&[("sms", "SMS", "National", "message"), ("odd", "RCS", "", "session")]);
        let check = |now: &[(&str, &str, &str, &str)], used: &[&str], expected: bool| {
            let meters = used.iter().map(|id| MeterId::new(id).unwrap()).collect();
            let found = are_described_the_same(&then, &company(now), &meters);
            assert_eq!(found, expected, "{now:?} {used:?}");
        };
        check(&[("sms", "SMS", "National", "message")], &["sms"], true);
        check(&[("sms", "Messages", "National", "message")], &["sms"], false);
        check(&[("sms", "SMS", "", "message")], &["sms"], false);
        check(&[("sms", "SMS", "National", "segment")], &["sms"], false);
        check(&[("sms", "SMS", "National", "message")], &["sms", "odd"], false);
        // What was never used tells nothing.
        check(&[("sms", "SMS", "National", "message"), ("new", "Voice", "", "minute")], &[], true);
        check(&[("sms", "Messages", "", "segment")], &["odd", "sms"], false);
    }
}
