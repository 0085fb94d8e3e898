//! Data sets of usage details: what they add up to, and how they are walked over.

use crate::books::{Books, on_each_store};
use crate::closing::{House, may};
use crate::lives::{MONTHS, PAYING, account};
use crate::pinned::on_disk;
use calendar::{BillingPeriod, Instant, SystemClock};
use domain::access::{Caller, Scope};
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::rated::RowKind;
use money::{Currency, Fixed18, Money};
use service::{
    DataSet, DetailKind, DetailPage, DetailSpan, DetailTold, DetailsAsked, PeriodTold, Reckoner,
};
use std::collections::{BTreeMap, BTreeSet};

/// Each payer's details of a month are what its balance says, whether the month is closed or open;
/// read in pages they are the same, each once.
pub(crate) async fn data_sets_add_up(reckoner: &Reckoner, at: Instant) {
    let first = BillingPeriod::parse(MONTHS[0]).expect("a month");
    for id in PAYING.map(account) {
        let months = std::iter::successors(Some(first), |month| Some(month.next()));
        for period in months.take_while(|month| *month <= BillingPeriod::of(at)) {
            let balance = reckoner.balance_of_period(&Caller::Machine, &id, period).await;
            let balance = balance.expect("a balance");
            let totals = balance.balance.summary.totals;
            let Some(set) = data_set(reckoner, &id, period).await else {
                let zero = Money::zero(balance.currency);
                let told = (totals.total_usage().expect("a sum"), totals.marketplace);
                assert_eq!(told, (zero, zero), "{id} in {period}");
                continue;
            };
            let told = set.balance.as_ref().map(|told| (&told.balance, told.is_final));
            assert_eq!(told, Some((&balance.balance, balance.is_final)), "{id} in {period}");
            let details = all(reckoner, &id, period).await;
            assert_eq!(details.len() as u64, set.rows, "{id} in {period}");
            let names: BTreeSet<&str> = details.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names.len(), details.len(), "{id} in {period}: a name stands once");
            let costs = costs(&details);
            let cost = |coverage| costs.get(&coverage).copied().unwrap_or_default();
            let used = cost(Coverage::Covered).checked_add(cost(Coverage::Separate));
            let is = |money: Money| money.to_cost().expect("in range").major;
            let total = is(totals.total_usage().expect("a sum"));
            assert_eq!(used.expect("a sum"), total, "{id} in {period}");
            assert_eq!(cost(Coverage::Marketplace), is(totals.marketplace), "{id} in {period}");
            details.iter().for_each(|one| is_in(one, balance.currency, period));
            let pages = in_pages(reckoner, &id, period).await;
            assert_eq!(pages, details, "{id} in {period}");
        }
    }
}

async fn data_set(
    reckoner: &Reckoner,
    id: &BillingAccountId,
    period: BillingPeriod,
) -> Option<DataSet> {
    let scope = Scope::Account(id.clone());
    reckoner.data_set(&Caller::Machine, &scope, period).await.expect("a data set")
}

fn asked(id: &BillingAccountId, period: BillingPeriod) -> DetailsAsked {
    DetailsAsked {
        scope: Scope::Account(id.clone()),
        span: DetailSpan::Period(period),
        kinds: BTreeSet::new(),
        filter: None,
    }
}

async fn all(reckoner: &Reckoner, id: &BillingAccountId, period: BillingPeriod) -> Vec<DetailTold> {
    let asked = asked(id, period);
    let stream = reckoner.details_stream(&Caller::Machine, &asked).await;
    let (mut stream, mut all) = (stream.expect("a stream"), Vec::new());
    while let Some(mut some) = stream.next().await.expect("details") {
        all.append(&mut some);
    }
    all
}

async fn in_pages(
    reckoner: &Reckoner,
    id: &BillingAccountId,
    period: BillingPeriod,
) -> Vec<DetailTold> {
    let (asked, mut all, mut token) = (asked(id, period), Vec::new(), None::<String>);
    loop {
        let page = reckoner.details_page(&Caller::Machine, &asked, token.as_deref(), 7).await;
        let page = page.expect("a page");
        assert!(page.shows_charges && page.details.len() <= 7);
        assert!(page.next.is_none() || page.details.len() == 7, "a page is full but for the last");
        all.extend(page.details);
        match page.next {
            Some(next) => token = Some(next),
            None => return all,
        }
    }
}

/// What details cost in major units of the billing currency, by the sum that they count in.
fn costs(details: &[DetailTold]) -> BTreeMap<Coverage, Fixed18> {
    let mut costs: BTreeMap<Coverage, Fixed18> = BTreeMap::new();
    for one in details {
        let cost = one.cost.as_ref().expect("the machine reads all").billing.major;
        let sum = costs.entry(one.coverage).or_default();
        *sum = sum.checked_add(cost).expect("a sum");
    }
    costs
}

fn is_in(one: &DetailTold, currency: Currency, period: BillingPeriod) {
    let cost = one.cost.as_ref().expect("the machine reads all");
    assert_eq!((cost.billing.currency, cost.amortised.currency), (currency, currency), "{one:?}");
    assert!(period.interval().contains(one.day.start()), "{one:?}");
    assert_eq!(one.period, period, "{one:?}");
}

/// A house whose data sets are due after 300 seconds, with pages of two.
async fn house(books: Books) -> House {
    House::with(books, |config| {
        config.refresh_seconds = 300;
        (config.limits.page_rows, config.limits.page_seconds) = (2, 1_000);
    })
    .await
}

impl House {
    fn pass(&self, seconds: i64) {
        self.clock.set(SystemClock::now(&self.clock).plus_seconds(seconds));
    }

    /// Acme's data set of May: its id, how much usage it tells, and whether it is final.
    async fn of_may(&self) -> (String, usize, bool) {
        self.of_acme(may().period).await
    }

    /// The same of another period.
    async fn of_acme(&self, period: BillingPeriod) -> (String, usize, bool) {
        let id = account("acme");
        let set = data_set(&self.reckoner, &id, period).await.expect("there is something");
        let details = all(&self.reckoner, &id, period).await;
        let usage = DetailKind::Rated(RowKind::Usage);
        (set.id, details.iter().filter(|one| one.kind == usage).count(), set.is_final)
    }

    async fn page(&self, asked: &DetailsAsked, token: Option<&str>) -> Result<DetailPage, String> {
        let page = self.reckoner.details_page(&Caller::Machine, asked, token, 2).await;
        page.map_err(|error| error.to_string())
    }
}

async fn a_data_set_holds_until_it_is_due_and_as_long_as_its_tokens(books: Books) {
    let house = house(books).await;
    for day in 1..=5 {
        house.send(&[&format!("{day} acme shop hours 1 2026-05-0{day}")]).await;
    }
    let (first, usage, is_final) = house.of_may().await;
    assert_eq!((usage, is_final), (5, false));
    let scope = Scope::Account(account("acme"));
    let told = house.reckoner.periods_with_data(&Caller::Machine, &scope).await.expect("periods");
    let only = PeriodTold {
        period: may().period,
        is_final: false,
        has_usage: true,
        has_marketplace: false,
        has_balance: true,
        has_prices: true,
    };
    assert_eq!(told, [only], "nothing was used in June");
    let may_of_acme = asked(&account("acme"), may().period);
    let page = house.page(&may_of_acme, None).await.expect("a page");
    let (count, token) = (page.data_sets[0].rows, page.next.expect("a token"));
    assert_eq!((page.data_sets[0].id.as_str(), page.details.len()), (first.as_str(), 2));

    house.send(&["6 acme shop hours 1 2026-05-06"]).await;
    house.pass(299);
    assert_eq!(house.of_may().await, (first.clone(), 5, false), "it is not due");
    house.pass(1);
    let (second, usage, _) = house.of_may().await;
    assert!(second != first && usage == 6, "{second} {usage}");
    house.pass(300);
    assert_eq!(house.of_may().await, (second, 6, false), "a refresh found nothing new");

    let (mut names, mut next) = (BTreeSet::new(), Some(token.clone()));
    names.extend(page.details.into_iter().map(|one| one.name));
    while let Some(token) = next {
        let page = house.page(&may_of_acme, Some(&token)).await.expect("a page");
        for one in page.details {
            assert!(names.insert(one.name), "none is told twice");
        }
        next = page.next;
    }
    assert_eq!(names.len() as u64, count, "none is lost, and none of later is told");
    let usage = BTreeSet::from([DetailKind::Rated(RowKind::Usage)]);
    let other = DetailsAsked { kinds: usage, ..may_of_acme.clone() };
    let wrong = "$skiptoken: is not a token that this service gave out, or is too old";
    assert_eq!(house.page(&other, Some(&token)).await.err().as_deref(), Some(wrong));

    let data = house.directory.path().join("data");
    house.pass(10_000);
    assert!(on_disk(&data).0 > 0);
    house.reckoner.keep_house().await.expect("housekeeping");
    assert_eq!(on_disk(&data).0, 0, "what nobody asks for any more is removed");
    assert_eq!(house.page(&may_of_acme, Some(&token)).await.err().as_deref(), Some(wrong));
    house.reckoner.close().await.expect("closed");
}

on_each_store!(a_data_set_holds_until_it_is_due_and_as_long_as_its_tokens);

async fn a_closed_period_has_one_data_set_whatever_comes_later(books: Books) {
    let house = house(books).await;
    house.send(&["1 acme shop hours 1 2026-05-01", "2 acme shop hours 2 2026-05-02"]).await;
    house.close(may()).await;
    let closed = house.of_may().await;
    assert_eq!((closed.1, closed.2), (2, true));
    house.send(&["3 acme shop hours 4 2026-05-03"]).await;
    house.pass(600);
    assert_eq!(house.of_may().await, closed, "late usage is billed later");
    house.pass(10_000);
    house.reckoner.keep_house().await.expect("housekeeping");
    assert_eq!(on_disk(&house.directory.path().join("data")).0, 0);
    assert_eq!(house.of_may().await, closed, "made again, it is the same");
    house.reckoner.close().await.expect("closed");
}

on_each_store!(a_closed_period_has_one_data_set_whatever_comes_later);

async fn a_close_makes_what_stands_behind_it_anew(books: Books) {
    let house = house(books).await;
    house.send(&["1 acme shop hours 1 2026-05-01", "2 acme shop hours 1 2026-06-01"]).await;
    let june = may().period.next();
    assert_eq!(house.of_acme(june).await.1, 1);
    house.send(&["3 acme shop hours 1 2026-06-02"]).await;
    assert_eq!(house.of_acme(june).await.1, 1, "it is not due");
    house.close(may()).await;
    assert_eq!(house.of_acme(june).await.1, 2, "it begins with what May ended with");
    house.reckoner.close().await.expect("closed");
}

on_each_store!(a_close_makes_what_stands_behind_it_anew);
