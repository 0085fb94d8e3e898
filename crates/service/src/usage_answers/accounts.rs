//! At which messaging account usage stands: where its subscription stood when it began.

use super::Asking;
use super::groups::{DAY_MICROS, Dates, Piece};
use crate::{Inner, codes};
use calendar::{BillingPeriod, Instant, Interval};
use domain::Result;
use domain::company::Company;
use domain::holdings::Held;
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::places::{Level, Place};
use domain::usage_queries::UsageKey;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the subscriptions of a company stood in a time in which none moved.
#[derive(Debug)]
pub(super) struct Stood {
    company: Arc<Company>,
    billing_account: BillingAccountId,
    at: Instant,
    /// Keys of accounts by codes of subscriptions, as they were looked up.
    known: Mutex<HashMap<i32, Arc<str>>>,
}

impl Stood {
    fn new(company: &Arc<Company>, billing_account: &BillingAccountId, at: Instant) -> Stood {
        let (company, billing_account) = (Arc::clone(company), billing_account.clone());
        Stood { company, billing_account, at, known: Mutex::default() }
    }

    /// The key of the account that a subscription stood at, by its code.
    pub(super) fn account_of(&self, inner: &Inner, subscription: i32) -> Result<Arc<str>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&subscription) {
            return Ok(Arc::clone(key));
        }
        let id = SubscriptionId::new(&inner.codes.value(codes::SUBSCRIPTION, subscription)?)?;
        let key: Arc<str> = Arc::from(self.key_of(&id));
        known.insert(subscription, Arc::clone(&key));
        Ok(key)
    }

    /// The codes of the subscriptions that stood at some accounts.
    pub(super) fn subscriptions_at(&self, inner: &Inner, keys: &BTreeSet<String>) -> Vec<i32> {
        let ids: BTreeSet<&SubscriptionId> = self
            .company
            .subscriptions
            .keys()
            .chain(self.company.places.subscriptions.keys())
            .collect();
        let there = ids.into_iter().filter(|id| keys.contains(self.key_of(id)));
        there.filter_map(|id| inner.codes.find(codes::SUBSCRIPTION, id.as_str())).collect()
    }

    /// The key of the account that a subscription stood at; that of the company itself where it
    /// stood at none.
    fn key_of(&self, id: &SubscriptionId) -> &str {
        let held = self.company.places.subscriptions.get(id);
        let place = held.and_then(|held| place_at(held, self.at));
        let place = place.and_then(|place| within(place, &self.billing_account));
        place.map_or(self.billing_account.as_str(), |place| place.key.id.as_str())
    }
}

/// Where something stands at a moment; before it stands anywhere, where it stands first.
fn place_at(held: &Held, at: Instant) -> Option<&Place> {
    let first = || held.standings.spans().next().map(|(_, standing)| standing);
    held.standings.at(at).or_else(first)?.place.as_ref()
}

fn within<'a>(place: &'a Place, account: &BillingAccountId) -> Option<&'a Place> {
    let is_within = place.billing_account == *account && place.key.level == Level::MessagingAccount;
    is_within.then_some(place)
}

/// When subscriptions of a company moved, within a time.
fn moves(company: &Company, account: &BillingAccountId, during: Interval) -> BTreeSet<Instant> {
    let mut all = BTreeSet::new();
    for held in company.places.subscriptions.values() {
        let mut before: Option<Option<&Place>> = None;
        for (span, standing) in held.standings.spans() {
            let place = standing.place.as_ref().and_then(|place| within(place, account));
            let has_moved = before.is_some_and(|before| before != place);
            before = Some(place);
            if has_moved && during.start() < span.start() && span.start() < during.end() {
                all.insert(span.start());
            }
        }
    }
    all
}

/// Cuts a part of a billing period where subscriptions moved, and, where days of another zone are
/// asked for, where its clocks changed.
pub(super) fn pieces_of(
    asking: &Asking<'_>,
    company: &Arc<Company>,
    (month, part): (BillingPeriod, Interval),
) -> Vec<Piece> {
    let has = |key: UsageKey| asking.keys.contains(&key);
    let is_dated = has(UsageKey::Day) || has(UsageKey::Month);
    let spans = match is_dated && !asking.zone.is_utc() {
        true => local_spans(asking, part),
        false => vec![(part.start()..part.end(), Dates::OfUse)],
    };
    let mut pieces = Vec::new();
    for (span, dates) in spans {
        for begun in cut(asking, company, span) {
            pieces.push(piece(asking, company, (month, month), (begun, dates)));
        }
    }
    pieces
}

/// All of an earlier billing period, as it counts in the month that bills what it was short of: on
/// that month's first day.
pub(super) fn pieces_behind(
    asking: &Asking<'_>,
    company: &Arc<Company>,
    earlier: BillingPeriod,
    month: BillingPeriod,
) -> Vec<Piece> {
    let dates = Dates::On(asking.zone.day_of(month.start()));
    let cuts = cut(asking, company, earlier.start()..earlier.end()).into_iter();
    cuts.map(|begun| piece(asking, company, (earlier, month), (begun, dates))).collect()
}

fn piece(
    asking: &Asking<'_>,
    company: &Arc<Company>,
    (used, month): (BillingPeriod, BillingPeriod),
    (begun, dates): (Range<Instant>, Dates),
) -> Piece {
    let stood = Stood::new(company, &asking.sight.billing_account, begun.start);
    let is_all = begun.start <= used.start() && used.end() <= begun.end;
    let (begun, company) = ((!is_all).then_some(begun), Arc::clone(company));
    Piece { month, begun, dates, stood: Arc::new(stood), company }
}

fn cut(asking: &Asking<'_>, company: &Arc<Company>, span: Range<Instant>) -> Vec<Range<Instant>> {
    let Ok(during) = Interval::new(span.start, span.end) else { return Vec::new() };
    let moves = moves(company, &asking.sight.billing_account, during);
    let mut from = span.start;
    let mut ranges = Vec::new();
    for until in moves.into_iter().chain([span.end]) {
        if from < until {
            ranges.push(from..until);
        }
        from = until;
    }
    ranges
}

/// A part of time by local days: days of 24 hours together, others by themselves.
fn local_spans(asking: &Asking<'_>, part: Interval) -> Vec<(Range<Instant>, Dates)> {
    let zone = asking.zone;
    let mut spans: Vec<(Range<Instant>, Dates)> = Vec::new();
    let mut day = zone.day_of(part.start());
    while zone.start_of(day) < part.end() {
        let (start, end) = (zone.start_of(day), zone.start_of(day.next()));
        let is_even = end.since(start) == DAY_MICROS;
        let joins = |last: &&mut (Range<Instant>, Dates)| {
            is_even && last.0.end == start && matches!(last.1, Dates::From(_, _))
        };
        match spans.last_mut().filter(joins) {
            Some((span, _)) => span.end = end,
            None if is_even => spans.push((start..end, Dates::From(start, day))),
            None => spans.push((start..end, Dates::On(day))),
        }
        day = day.next();
    }
    let clip = |(span, dates): (Range<Instant>, Dates)| {
        let clipped = span.start.max(part.start())..span.end.min(part.end());
        (clipped.start < clipped.end).then_some((clipped, dates))
    };
    spans.into_iter().filter_map(clip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging_accounts::UsageSight;
    use crate::time_zones::Zone;
    use domain::holdings::{HoldingState, Standing};
    use domain::ids::PlaceId;
    use domain::places::PlaceKey;
    use domain::timeline::Timeline;
    use domain::usage_queries::{
        UsageColumn, UsageFilter, UsageOptions, UsageQuestion, effective_columns,
    };

    fn t(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn acme() -> BillingAccountId {
        BillingAccountId::new("acme").unwrap()
    }

    /// Where a subscription stands from when on.
    fn held(steps: &[(&str, &str)]) -> Held {
        let standing = |(from, at): &(&str, &str)| {
            let key = PlaceKey { level: Level::MessagingAccount, id: PlaceId::new(at).unwrap() };
            let place = Place { billing_account: acme(), key };
            (t(from), Standing { place: Some(place), reseller: None })
        };
        Held {
            created_by: None,
            state: Timeline::from(t("2020-01-01"), HoldingState::Active),
            standings: Timeline::new("standings", steps.iter().map(standing)).unwrap(),
        }
    }

    fn company() -> Arc<Company> {
        let mut company = Company::default();
        let subscriptions = [
            ("van", held(&[("2020-01-01", "north"), ("2026-03-15", "south")])),
            ("late", held(&[("2026-03-20", "east")])),
            ("still", held(&[("2020-01-01", "west"), ("2026-03-10", "west")])),
        ];
        for (id, held) in subscriptions {
            company.places.subscriptions.insert(SubscriptionId::new(id).unwrap(), held);
        }
        Arc::new(company)
    }

    fn question(columns: &[UsageColumn], zone: Option<&str>) -> UsageQuestion {
        let options =
            UsageOptions { time_zone: zone.map(str::to_owned), ..UsageOptions::default() };
        UsageQuestion {
            days: t("2026-03-01").day()..t("2026-04-01").day(),
            columns: effective_columns(columns),
            filter: UsageFilter::default(),
            unfinalized: true,
            options,
        }
    }

    /// The pieces of March 2026, or of a part of it.
    fn pieces(
        company: &Arc<Company>,
        question: &UsageQuestion,
        part: Option<(&str, &str)>,
    ) -> Vec<Piece> {
        let sight = UsageSight { billing_account: acme(), whole: true, places: BTreeSet::new() };
        let zone = Zone::named(question.options.time_zone.as_deref()).unwrap();
        let asking = Asking::of(question, &sight, zone, company);
        let month = BillingPeriod::parse("2026-03").unwrap();
        let part = part
            .map_or(month.interval(), |(from, until)| Interval::new(t(from), t(until)).unwrap());
        pieces_of(&asking, company, (month, part))
    }

    #[test]
    fn usage_is_at_the_account_where_its_subscription_stood() {
        let (company, question) = (company(), question(&[UsageColumn::Month], None));
        let pieces = pieces(&company, &question, None);
        let moved = t("2026-03-15");
        let begun: Vec<_> = pieces.iter().map(|piece| piece.begun.clone()).collect();
        assert_eq!(begun, [Some(t("2026-03-01")..moved), Some(moved..t("2026-04-01"))]);
        let check = |id: &str, expected: [&str; 2]| {
            let id = SubscriptionId::new(id).unwrap();
            let keys: Vec<&str> = pieces.iter().map(|piece| piece.stood.key_of(&id)).collect();
            assert_eq!(keys, expected, "{id}");
        };
        check("van", ["north", "south"]);
        check("late", ["east", "east"]);
        check("still", ["west", "west"]);
        check("nowhere", ["acme", "acme"]);
    }

    #[test]
    fn a_month_in_which_nobody_moves_is_read_at_once() {
        let (company, question) =
            (Arc::new(Company::default()), question(&[UsageColumn::Day], None));
        let check = |part: Option<(&str, &str)>, expected: Option<Range<Instant>>| {
            let pieces = pieces(&company, &question, part);
            let found: Vec<_> =
                pieces.iter().map(|piece| (piece.begun.clone(), piece.dates)).collect();
            assert_eq!(found, [(expected, Dates::OfUse)], "{part:?}");
        };
        check(None, None);
        let (from, until) = ("2026-03-02", "2026-03-05");
        check(Some((from, until)), Some(t(from)..t(until)));
    }

    #[test]
    fn days_of_a_zone_are_cut_where_its_clocks_change() {
        let company = Arc::new(Company::default());
        let question = question(&[UsageColumn::Day], Some("Europe/Berlin"));
        let found: Vec<_> = pieces(&company, &question, None)
            .into_iter()
            .map(|piece| (piece.begun, piece.dates))
            .collect();
        let (before, after) = (t("2026-03-28T23:00:00Z"), t("2026-03-29T22:00:00Z"));
        let from = |day: &str, begins: &str| Dates::From(t(begins), t(day).day());
        let expected = [
            (Some(t("2026-03-01")..before), from("2026-03-01", "2026-02-28T23:00:00Z")),
            (Some(before..after), Dates::On(t("2026-03-29").day())),
            (Some(after..t("2026-04-01")), from("2026-03-30", "2026-03-29T22:00:00Z")),
        ];
        assert_eq!(found, expected);
        // Nobody asks for days: the zone's own months begin and end the answer, and no more.
        let question = self::question(&[UsageColumn::CountryCode], Some("Europe/Berlin"));
        assert_eq!(pieces(&company, &question, None).len(), 1);
    }

    #[test]
    fn what_was_late_counts_on_the_first_day_of_the_month_that_bills_it() {
        let (company, question) = (company(), question(&[UsageColumn::Day], None));
        let sight = UsageSight { billing_account: acme(), whole: true, places: BTreeSet::new() };
        let asking = Asking::of(&question, &sight, Zone::named(None).unwrap(), &company);
        let month = |text: &str| BillingPeriod::parse(text).unwrap();
        let pieces = pieces_behind(&asking, &company, month("2026-03"), month("2026-05"));
        let first = Dates::On(t("2026-05-01").day());
        let found: Vec<_> = pieces.iter().map(|piece| (piece.month, piece.dates)).collect();
        assert_eq!(found, [(month("2026-05"), first), (month("2026-05"), first)]);
    }
}
