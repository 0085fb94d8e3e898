//! Usage of the other channels: rich messages, pictures, mails' addresses, surcharges of carriers.

use crate::cards::MeterIds;
use crate::company::GATEWAY;
use crate::draw::{Draw, millionths};
use crate::ids::{Ids, MESSENGER};
use crate::machines::Span;
use crate::messages::running;
use crate::names::{APPLICATIONS, CAMPAIGNS, COUNTRIES, ENTITIES, REFERENCES, TEMPLATES, USERS};
use crate::records::{self, Records};
use calendar::{Day, Interval};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::usage::{Dimension, UsageRecord};
use std::collections::BTreeMap;

/// What is used of a channel each day.
struct Channel {
    meter: &'static str,
    /// Least and most of a day, in whole units.
    a_day: (i64, i64),
    /// Where it goes: the number of a country.
    country: Option<usize>,
    /// What a carrier asks beside, for as much: its meter.
    surcharge: Option<&'static str>,
    /// Traffic type, sender and its type; none if empty.
    says: [&'static str; 3],
    about: About,
}

/// Whom or what a record names beside.
enum About {
    /// A campaign, its reference and a template.
    Campaign,
    /// One of so many people, whose visits are counted.
    People(i64),
    /// Who asked.
    User(usize),
}

use About::{Campaign, People, User};

const fn channel(
    meter: &'static str,
    a_day: (i64, i64),
    country: Option<usize>,
    says: [&'static str; 3],
    about: About,
) -> Channel {
    Channel { meter, a_day, country, surcharge: None, says, about }
}

const fn with_surcharge(channel: Channel, meter: &'static str) -> Channel {
    Channel { surcharge: Some(meter), ..channel }
}

const LETTERS: &str = "ALPHANUMERIC";
const SHORT: &str = "SHORT_CODE";
/// Germany, Austria and the United States.
const DE: Option<usize> = Some(0);
const AT: Option<usize> = Some(1);
const US: Option<usize> = Some(4);

const CHANNELS: [Channel; 15] = [
    with_surcharge(channel("sms-out", (40, 90), US, ["A2P", "83310", SHORT], User(1)), "sms-fee"),
    with_surcharge(
        channel("mms", (10, 30), US, ["MARKETING", "83310", SHORT], Campaign),
        "mms-fee",
    ),
    channel("rich", (60, 160), DE, ["RICH", "Brightwire", LETTERS], Campaign),
    channel("rich", (40, 160), AT, ["BASIC", "Brightwire", LETTERS], User(3)),
    channel("chat", (150, 320), DE, ["MARKETING", "4915550200", "VIRTUAL_LONG_NUMBER"], Campaign),
    channel("chat", (20, 70), AT, ["FREE_FORM", "4915550200", "VIRTUAL_LONG_NUMBER"], User(1)),
    channel("viber", (50, 150), AT, ["MARKETING", "Brightwire", LETTERS], Campaign),
    channel("bot", (1, 1), AT, ["", "Brightwire", LETTERS], People(40)),
    channel("bot", (1, 1), DE, ["", "Brightwire", LETTERS], People(40)),
    channel("apple", (5, 25), DE, ["", "Brightwire", LETTERS], User(3)),
    channel("push", (2_000, 6_000), None, ["", "", ""], Campaign),
    channel("lookup", (20, 80), DE, ["", "", ""], User(1)),
    channel("carrier", (10, 40), US, ["", "", ""], User(1)),
    channel("mail-check", (80, 300), None, ["", "", ""], User(3)),
    channel("tokens", (200, 900), None, ["", "", ""], User(2)),
];

/// Makes all usage of these channels.
pub(crate) fn records(draw: &mut Draw, meters: &MeterIds, ids: &Ids, span: &Span) -> Records {
    let (account, subscription) = (ids.account(MESSENGER), ids.subscription("channels"));
    let mut maker =
        Maker { draw, meters, account, subscription, span, records: Records::default() };
    let mut day = span.first;
    while day.start() <= span.now {
        for channel in &CHANNELS {
            maker.day_of(channel, day);
        }
        maker.sales(day);
        day = day.next();
    }
    maker.records
}

struct Maker<'a> {
    draw: &'a mut Draw,
    meters: &'a MeterIds,
    account: BillingAccountId,
    subscription: SubscriptionId,
    span: &'a Span,
    records: Records,
}

impl Maker<'_> {
    fn day_of(&mut self, channel: &Channel, day: Day) {
        let count = self.draw.between(channel.a_day.0, channel.a_day.1);
        let mut used = self.usage(channel.meter, day, count);
        if let Some(country) = channel.country {
            let (code, _, networks) = COUNTRIES[country];
            say(&mut used, Dimension::Country, code);
            say(&mut used, Dimension::Network, self.draw.one(networks).0);
        }
        let dimensions = [Dimension::TrafficType, Dimension::Sender, Dimension::SenderType];
        for (dimension, value) in dimensions.into_iter().zip(channel.says) {
            if !value.is_empty() {
                say(&mut used, dimension, value);
            }
        }
        match channel.about {
            Campaign => {
                let running = running(self.span, day);
                say(&mut used, Dimension::User, USERS[0].0);
                say(&mut used, Dimension::Campaign, CAMPAIGNS[running].0);
                say(&mut used, Dimension::Reference, REFERENCES[running]);
                say(&mut used, Dimension::Template, self.draw.one(&TEMPLATES).0);
            }
            People(most) => {
                let person = format!("p-{:03}", self.draw.between(1, most));
                say(&mut used, Dimension::User, &person);
            }
            User(number) => say(&mut used, Dimension::User, USERS[number].0),
        }
        if let Some(meter) = channel.surcharge {
            let mut surcharge = used.clone();
            surcharge.meter = self.meters[meter].clone();
            self.push(surcharge);
        }
        self.push(used);
    }

    /// What agents sold in a day, in euros and cents; a part of it is charged.
    fn sales(&mut self, day: Day) {
        let cents = self.draw.between(5_000, 40_000);
        let mut sold = self.usage("agent", day, 0);
        sold.quantity = millionths(cents.saturating_mul(10_000));
        say(&mut sold, Dimension::User, USERS[3].0);
        self.push(sold);
    }

    /// Usage at some moment of a day, reported soon after.
    fn usage(&mut self, meter: &str, day: Day, count: i64) -> UsageRecord {
        let mut record =
            records::usage(&self.account, GATEWAY, &self.subscription, &self.meters[meter]);
        let moment = day.start().plus_seconds(self.draw.between(5 * 3_600, 23 * 3_600));
        record.service_period = Interval::at(moment);
        record.reported_at = Some(moment.plus_seconds(self.draw.between(5, 90)));
        record.quantity = millionths(count.saturating_mul(1_000_000));
        record.dimensions = BTreeMap::from([(Dimension::Direction, "OUTBOUND".to_owned())]);
        say(&mut record, Dimension::Application, self.draw.one(&APPLICATIONS).0);
        say(&mut record, Dimension::Entity, self.draw.one(&ENTITIES).0);
        record
    }

    fn push(&mut self, record: UsageRecord) {
        if record.reported_at.is_some_and(|at| at <= self.span.now) {
            self.records.push(record);
        }
    }
}

fn say(record: &mut UsageRecord, dimension: Dimension, value: &str) {
    record.dimensions.insert(dimension, value.to_owned());
}
