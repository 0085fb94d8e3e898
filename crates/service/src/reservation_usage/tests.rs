use super::*;
use domain::rated::Reserved;
use domain::usage::ChargeCategory;
use money::{Cost, Currency};

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

fn moment(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn during(text: &str) -> Interval {
    let (from, until) = text.split_once(' ').unwrap();
    Interval::new(moment(from), moment(until)).unwrap()
}

fn holding(quantity: &str) -> Holding {
    Holding {
        billing_account: BillingAccountId::new("acme").unwrap(),
        id: ReservationId::new("r").unwrap(),
        billed_to: SubscriptionId::new("shop").unwrap(),
        meter: None,
        counted: None,
        quantity: number(quantity),
        during: Interval::always(),
    }
}

/// `covered vm1 3 2026-05-01T01:00:00Z 2026-05-01T03:00:00Z`: kind, instance, how much, hours.
fn row(text: &str) -> RatedRow {
    let mut words = text.splitn(4, ' ');
    let [kind, instance, quantity, hours] = [(); 4].map(|()| words.next().unwrap());
    let (kind, quantity, hours) = (RowKind::parse(kind).unwrap(), number(quantity), during(hours));
    let is_lost = kind == RowKind::Unused;
    let zero = Fixed18::ZERO;
    RatedRow {
        position: None,
        slice: 0,
        kind,
        billing_account: BillingAccountId::new("acme").unwrap(),
        subscription: SubscriptionId::new("shop").unwrap(),
        resource: instance.to_owned(),
        meter: MeterId::new("hours").unwrap(),
        category: ChargeCategory::Usage,
        service_period: hours,
        reported_at: hours.end(),
        quantity: if is_lost { zero } else { quantity },
        unit_price: None,
        tier: 0,
        cost: Cost::zero(Currency::parse("USD").unwrap()),
        price: None,
        counter_before: zero,
        dimensions: Default::default(),
        tags: Default::default(),
        details: None,
        reserved: Some(Box::new(Reserved {
            reservation: ReservationId::new("r").unwrap(),
            hours,
            amortised: zero,
            list_cost: zero,
            unused: if is_lost { quantity } else { zero },
        })),
    }
}

/// Days as `day reserved used min avg max: instance used, …`.
fn check(quantity: &str, told: &str, rows: &[&str], expected: &[&str]) {
    let mut taken = Taken::new(during(told));
    rows.iter().for_each(|text| taken.add(row(text)).unwrap());
    let days = taken.days(&holding(quantity)).unwrap();
    let shown = |day: &ReservationDay| {
        let Utilization { min, avg, max } = day.utilization;
        let own = day.instances.iter().map(|one| format!("{} {}", one.instance, one.used));
        let own = own.collect::<Vec<_>>().join(", ");
        let (reserved, used) = (day.reserved, day.used);
        format!("{} {reserved} {used} {min} {avg} {max}: {own}", day.day)
    };
    assert_eq!(days.iter().map(shown).collect::<Vec<_>>(), expected, "{rows:?}");
}

#[test]
fn the_first_day_has_the_hours_from_the_purchase_on() {
    let (told, lost) = ("2026-05-01T13:00:00Z 2026-05-03", "2026-05-01T13:00:00Z 2026-05-02");
    let lost = format!("unused - 11 {lost}");
    let next = "unused - 24 2026-05-02 2026-05-03";
    let expected = ["2026-05-01 11 0 0 0 0: ", "2026-05-02 24 0 0 0 0: "];
    check("1", told, &[lost.as_str(), next], &expected);
}

#[test]
fn what_was_not_lost_was_used() {
    let told = "2026-05-01 2026-05-02";
    let rows = [
        "covered vm1 23 2026-05-01T01:00:00Z 2026-05-02",
        "unused - 1 2026-05-01 2026-05-01T01:00:00Z",
    ];
    check("1", told, &rows, &["2026-05-01 24 23 0 95.83 100: vm1 23"]);
    let rows = [
        "covered vm2 12 2026-05-01 2026-05-02",
        "covered vm1 24 2026-05-01 2026-05-02",
        "unused - 12 2026-05-01 2026-05-02",
    ];
    check("2", told, &rows, &["2026-05-01 48 36 75 75 75: vm1 24, vm2 12"]);
}

#[test]
fn hours_that_were_never_rated_were_not_used() {
    check("1", "2026-05-01 2026-05-02", &[], &["2026-05-01 24 0 0 0 0: "]);
}

#[test]
fn usage_of_several_days_is_spread_as_its_hours_were_used() {
    let rows = [
        "covered vm1 36 2026-05-01 2026-05-03",
        "unused - 6 2026-05-01 2026-05-01T06:00:00Z",
        "unused - 6 2026-05-02T12:00:00Z 2026-05-02T18:00:00Z",
    ];
    let days = ["2026-05-01 24 18 0 75 100: vm1 18", "2026-05-02 24 18 0 75 100: vm1 18"];
    check("1", "2026-05-01 2026-05-03", &rows, &days);
    // Of a part of the days, that part; and of a day that goes on, the hours that have passed.
    check("1", "2026-05-02 2026-05-03", &rows, &days[1..]);
    let passed = ["2026-05-02 13 12 0 92.31 100: vm1 12"];
    check("1", "2026-05-02 2026-05-02T13:00:00Z", &rows, &passed);
}

#[test]
fn months_add_their_days_up() {
    let mut taken = Taken::new(during("2026-05-01 2026-05-03"));
    taken.add(row("covered vm1 24 2026-05-01 2026-05-02")).unwrap();
    taken.add(row("unused - 24 2026-05-02 2026-05-03")).unwrap();
    let days = taken.days(&holding("1")).unwrap();
    let month = month_of(&days).unwrap().unwrap();
    assert_eq!((month.reserved, month.used), (number("48"), number("24")));
    let Utilization { min, avg, max } = month.utilization;
    assert_eq!([min, avg, max], [number("0"), number("50"), number("100")]);
    assert_eq!(month_of(&[]).unwrap(), None);
}

#[test]
fn what_is_of_others_has_no_name() {
    let mut taken = Taken::new(during("2026-05-01 2026-05-02"));
    taken.add(row("covered vm1 24 2026-05-01 2026-05-02")).unwrap();
    for (id, instance) in [("store", "vm2"), ("depot", "vm3")] {
        let subscription = SubscriptionId::new(id).unwrap();
        let text = format!("covered {instance} 12 2026-05-01 2026-05-02");
        taken.add(RatedRow { subscription, ..row(&text) }).unwrap();
    }
    let mut days = taken.days(&holding("2")).unwrap();
    let (shop, day) = (SubscriptionId::new("shop").unwrap(), &mut days[0]);
    hide_others(day, &shop, |of| *of == shop).unwrap();
    let told = day
        .instances
        .iter()
        .map(|one| format!("{} {} {}", one.subscription, one.instance, one.used));
    assert_eq!(told.collect::<Vec<_>>(), ["shop vm1 24", "shop  24"]);
    assert_eq!(day.used, number("48"));
}
