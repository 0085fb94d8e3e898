//! At which messaging account usage stands: where its subscription stood when it began.

use super::Asking;
use super::groups::{DAY_MICROS, Dates, Piece};
use crate::{Inner, codes};
use calendar::{BillingPeriod, Instant, Interval};
use domain::Result;
use domain::company::Company;
use domain::holdings::{Held, Standing};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::places::{Level, Place};
use domain::usage_queries::UsageKey;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of the accounts where a subscription stood, each from when on.
type Stays = Arc<[(Instant, Arc<str>)]>;

/// Where the subscriptions of a company stood in a time. Hardly any moved meanwhile: usage of
/// those that stayed is added up at once, whoever else moved.
#[derive(Debug)]
pub(super) struct Stood {
    company: Arc<Company>,
    billing_account: BillingAccountId,
    during: Range<Instant>,
    /// Those that moved meanwhile.
    moved: BTreeSet<SubscriptionId>,
    /// Stays by codes of subscriptions, as they were looked up.
    known: Mutex<HashMap<i32, Stays>>,
}

impl Stood {
    fn new(company: &Arc<Company>, account: &BillingAccountId, during: &Range<Instant>) -> Stood {
        let moved = moved_within(company, account, during);
        let (company, billing_account) = (Arc::clone(company), account.clone());
        Stood { company, billing_account, during: during.clone(), moved, known: Mutex::default() }
    }

    /// The key of the account that a subscription stood at, by its code, when usage began; any
    /// time does for those that stayed.
    pub(super) fn account_of(
        &self,
        inner: &Inner,
        subscription: i32,
        begun: Option<Instant>,
    ) -> Result<Arc<str>> {
        let at = begun.unwrap_or(self.during.start);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stays) = known.get(&subscription) {
            return Ok(self.stayed_then(stays, at));
        }
        let id = SubscriptionId::new(&inner.codes.value(codes::SUBSCRIPTION, subscription)?)?;
        let stays = self.stays_of(&id);
        let key = self.stayed_then(&stays, at);
        known.insert(subscription, stays);
        Ok(key)
    }

    /// The codes of the subscriptions that stayed at some accounts.
    pub(super) fn stayed_at(&self, inner: &Inner, keys: &BTreeSet<String>) -> Vec<i32> {
        let ids: BTreeSet<&SubscriptionId> = self
            .company
            .subscriptions
            .keys()
            .chain(self.company.places.subscriptions.keys())
            .collect();
        let stayed = ids.into_iter().filter(|id| !self.moved.contains(*id));
        let there = stayed.filter(|id| keys.contains(self.key_of(id, self.during.start)));
        codes_of(inner, there)
    }

    /// The codes of the subscriptions that moved meanwhile: all, or those that were at one of some
    /// accounts.
    pub(super) fn moved(&self, inner: &Inner, keys: Option<&BTreeSet<String>>) -> Vec<i32> {
        let was_there = |id: &&SubscriptionId| keys.is_none_or(|keys| self.was_at(id, keys));
        codes_of(inner, self.moved.iter().filter(was_there))
    }

    /// Whether a subscription was at one of some accounts meanwhile.
    fn was_at(&self, id: &SubscriptionId, keys: &BTreeSet<String>) -> bool {
        let stays = self.stays_of(id);
        let ends = stays.iter().skip(1).map(|(from, _)| *from).chain([Instant::MAX]);
        stays.iter().zip(ends).any(|((_, key), end)| {
            let is_over = end <= self.during.start;
            !is_over && keys.contains(&**key)
        })
    }

    /// The key of the account that a subscription stood at; that of the company itself where it
    /// stood at none.
    fn key_of(&self, id: &SubscriptionId, at: Instant) -> &str {
        let held = self.company.places.subscriptions.get(id);
        let standing = held.and_then(|held| standing_at(held, at));
        standing.map_or(self.billing_account.as_str(), |standing| self.key_in(standing))
    }

    fn key_in<'a>(&'a self, standing: &'a Standing) -> &'a str {
        let place = standing.place.as_ref().and_then(|place| within(place, &self.billing_account));
        place.map_or(self.billing_account.as_str(), |place| place.key.id.as_str())
    }

    /// Where a subscription stood until the time was over; nowhere but at the company if it is at
    /// no place.
    fn stays_of(&self, id: &SubscriptionId) -> Stays {
        let Some(held) = self.company.places.subscriptions.get(id) else {
            return Stays::from([]);
        };
        let spans = held.standings.spans().enumerate();
        let spans =
            spans.take_while(|(nth, (span, _))| *nth == 0 || span.start() < self.during.end);
        let stay = |(_, (span, standing)): (usize, (Interval, &Standing))| {
            let key: Arc<str> = Arc::from(self.key_in(standing));
            (span.start(), key)
        };
        spans.map(stay).collect()
    }

    /// The key of the last stay that had begun; before all of them that of the first.
    fn stayed_then(&self, stays: &Stays, at: Instant) -> Arc<str> {
        let begun = stays.iter().rev().find(|(from, _)| *from <= at);
        let stay = begun.or_else(|| stays.first());
        stay.map_or_else(|| Arc::from(self.billing_account.as_str()), |(_, key)| Arc::clone(key))
    }
}

fn codes_of<'a>(inner: &Inner, ids: impl Iterator<Item = &'a SubscriptionId>) -> Vec<i32> {
    ids.filter_map(|id| inner.codes.find(codes::SUBSCRIPTION, id.as_str())).collect()
}

/// Where something stands at a moment; before it stands anywhere, where it stands first.
fn standing_at(held: &Held, at: Instant) -> Option<&Standing> {
    let first = || held.standings.spans().next().map(|(_, standing)| standing);
    held.standings.at(at).or_else(first)
}

fn within<'a>(place: &'a Place, account: &BillingAccountId) -> Option<&'a Place> {
    let is_within = place.billing_account == *account && place.key.level == Level::MessagingAccount;
    is_within.then_some(place)
}

/// The subscriptions of a company that moved within a time.
fn moved_within(
    company: &Company,
    account: &BillingAccountId,
    during: &Range<Instant>,
) -> BTreeSet<SubscriptionId> {
    let has_moved = |held: &Held| {
        let mut before: Option<Option<&Place>> = None;
        held.standings.spans().any(|(span, standing)| {
            let place = standing.place.as_ref().and_then(|place| within(place, account));
            let is_another = before.replace(place).is_some_and(|before| before != place);
            is_another && during.start < span.start() && span.start() < during.end
        })
    };
    let all = company.places.subscriptions.iter();
    all.filter(|(_, held)| has_moved(held)).map(|(id, _)| id.clone()).collect()
}

/// Cuts a part of a billing period, where days of another zone are asked for, where its clocks
/// changed.
pub(super) fn pieces_of(
    asking: &Asking,
    company: &Arc<Company>,
    (month, part): (BillingPeriod, Interval),
) -> Vec<Piece> {
    let has = |key: UsageKey| asking.keys.contains(&key);
    let is_dated = has(UsageKey::Day) || has(UsageKey::Month);
    let spans = match is_dated && !asking.zone.is_utc() {
        true => local_spans(asking, part),
        false => vec![(part.start()..part.end(), Dates::OfUse)],
    };
    let spans = spans.into_iter();
    spans.map(|span| piece(asking, company, (month, month), span)).collect()
}

/// All of an earlier billing period, as it counts in the month that bills what it was short of: on
/// that month's first day.
pub(super) fn pieces_behind(
    asking: &Asking,
    company: &Arc<Company>,
    earlier: BillingPeriod,
    month: BillingPeriod,
) -> Vec<Piece> {
    let dates = Dates::On(asking.zone.day_of(month.start()));
    let span = (earlier.start()..earlier.end(), dates);
    vec![piece(asking, company, (earlier, month), span)]
}

fn piece(
    asking: &Asking,
    company: &Arc<Company>,
    (used, month): (BillingPeriod, BillingPeriod),
    (begun, dates): (Range<Instant>, Dates),
) -> Piece {
    let stood = Stood::new(company, &asking.sight.billing_account, &begun);
    let is_all = begun.start <= used.start() && used.end() <= begun.end;
    let (begun, company) = ((!is_all).then_some(begun), Arc::clone(company));
    Piece { month, begun, dates, stood: Arc::new(stood), company }
}

/// A part of time by local days: days of 24 hours together, others by themselves.
fn local_spans(asking: &Asking, part: Interval) -> Vec<(Range<Instant>, Dates)> {
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
    use domain::holdings::HoldingState;
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

    fn id(text: &str) -> SubscriptionId {
        SubscriptionId::new(text).unwrap()
    }

    fn piece_of_march(columns: &[UsageColumn]) -> Piece {
        pieces(&company(), &question(columns, None), None).remove(0)
    }

    #[test]
    fn usage_is_at_the_account_where_its_subscription_stood() {
        let piece = piece_of_march(&[UsageColumn::Month]);
        let times = ["2026-02-01", "2026-03-14T23:59:59Z", "2026-03-15", "2026-03-31"];
        let check = |name: &str, expected: [&str; 4]| {
            let stays = piece.stood.stays_of(&id(name));
            let key = |at: &str| piece.stood.stayed_then(&stays, t(at)).to_string();
            assert_eq!(times.map(key), expected, "{name}");
            let key = |at: &str| piece.stood.key_of(&id(name), t(at)).to_owned();
            assert_eq!(times.map(key), expected, "{name}");
        };
        check("van", ["north", "north", "south", "south"]);
        check("late", ["east"; 4]);
        check("still", ["west"; 4]);
        check("nowhere", ["acme"; 4]);
    }

    #[test]
    fn whoever_stayed_is_read_at_once_and_whoever_moved_is_not() {
        let question = question(&[UsageColumn::Day], None);
        let check = |part: Option<(&str, &str)>, expected: &[&str]| {
            let pieces = pieces(&company(), &question, part);
            assert_eq!(pieces.len(), 1, "{part:?}: as many moves as there are");
            let moved: Vec<&str> = pieces[0].stood.moved.iter().map(|id| id.as_str()).collect();
            assert_eq!(moved, expected, "{part:?}");
        };
        check(None, &["van"]);
        check(Some(("2026-03-14", "2026-03-16")), &["van"]);
        check(Some(("2026-03-01", "2026-03-15")), &[]);
        check(Some(("2026-03-15", "2026-04-01")), &[]);
    }

    #[test]
    fn whoever_moved_is_read_where_it_was_meanwhile() {
        let stood = piece_of_march(&[UsageColumn::Month]).stood;
        let check = |keys: &[&str], expected: bool| {
            let keys: BTreeSet<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(stood.was_at(&id("van"), &keys), expected, "{keys:?}");
        };
        check(&["north"], true);
        check(&["south", "east"], true);
        check(&["west", "acme"], false);
        let part = Some(("2026-03-15", "2026-03-20"));
        let later = pieces(&company(), &question(&[UsageColumn::Month], None), part).remove(0);
        assert!(!later.stood.was_at(&id("van"), &BTreeSet::from(["north".to_owned()])));
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
        assert_eq!(found, [(month("2026-05"), first)]);
        assert_eq!(pieces[0].begun, None, "all of the earlier month");
    }
}
