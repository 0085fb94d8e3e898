//! Usage of messages: who wrote to whom, by which channel, for which campaign.

use crate::cards::MeterIds;
use crate::company::GATEWAY;
use crate::draw::{Draw, millionths};
use crate::ids::{Ids, MESSENGER};
use crate::machines::Span;
use crate::names::{APPLICATIONS, CAMPAIGNS, COUNTRIES, ENTITIES, REFERENCES, TEMPLATES, USERS};
use crate::records::{self, Records};
use calendar::{Day, Interval};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::usage::{Billable, Dimension, UsageRecord};
use std::collections::BTreeMap;

/// Messages of each country for one of Poland.
const SHARES: [(usize, i64); 4] = [(0, 9), (1, 3), (2, 4), (3, 1)];

const SENDERS: [(&str, &str); 4] = [
    ("BRIGHTWIRE", "ALPHANUMERIC"),
    ("BWSHOP", "ALPHANUMERIC"),
    ("72240", "SHORT_CODE"),
    ("4915550100", "VIRTUAL_LONG_NUMBER"),
];

/// Makes all usage of messages.
pub(crate) fn records(draw: &mut Draw, meters: &MeterIds, ids: &Ids, span: &Span) -> Records {
    let (campaigns, alerts) = (ids.subscription("campaigns"), ids.subscription("alerts"));
    let account = ids.account(MESSENGER);
    let mut maker = Maker { draw, meters, account, span, records: Records::default() };
    let mut day = span.first;
    while day.start() <= span.now {
        maker.campaign_day(&campaigns, day);
        maker.alert_day(&alerts, day);
        day = day.next();
    }
    maker.records
}

struct Maker<'a> {
    draw: &'a mut Draw,
    meters: &'a MeterIds,
    account: BillingAccountId,
    span: &'a Span,
    records: Records,
}

impl Maker<'_> {
    fn campaign_day(&mut self, to: &SubscriptionId, day: Day) {
        let running = running(self.span, day);
        let campaign = CAMPAIGNS[running].0;
        for (country, share) in SHARES {
            let promotional = self.draw.happens(600);
            let (traffic, user) =
                if promotional { ("MARKETING", USERS[0]) } else { ("A2P", USERS[1]) };
            let count = self.draw.between(60, 140).saturating_mul(share);
            let mut sent = self.message(to, "sms-out", day, count);
            self.route(&mut sent, country);
            self.say(&mut sent, Dimension::TrafficType, traffic);
            self.say(&mut sent, Dimension::User, user.0);
            if promotional {
                self.say(&mut sent, Dimension::Campaign, campaign);
                self.say(&mut sent, Dimension::Reference, REFERENCES[running]);
                let template = self.draw.one(&TEMPLATES).0;
                self.say(&mut sent, Dimension::Template, template);
            }
            if self.draw.happens(15) {
                self.say(&mut sent, Dimension::Reference, "test");
                sent.billable = Billable::No;
            }
            self.push(sent);
        }
        let answers = self.draw.between(5, 60);
        let mut received = self.message(to, "sms-in", day, answers);
        self.route(&mut received, 0);
        self.say(&mut received, Dimension::Direction, "INBOUND");
        self.push(received);
        self.talk(to, day);
        let mails = self.draw.between(700, 1_300).saturating_mul(42) / 10;
        let mut mail = self.message(to, "mail", day, mails);
        self.say(&mut mail, Dimension::Sender, "news.brightwire.example");
        self.say(&mut mail, Dimension::SenderType, "DOMAIN");
        self.say(&mut mail, Dimension::User, USERS[0].0);
        self.say(&mut mail, Dimension::Campaign, campaign);
        self.push(mail);
        let mut numbers = self.message(to, "numbers", day, 12);
        numbers.resource = "numbers/brightwire".to_owned();
        self.push(numbers);
    }

    /// Calls, chats, sessions and people of a day.
    fn talk(&mut self, to: &SubscriptionId, day: Day) {
        let minutes = self.draw.between(2_000_000, 380_000_000);
        let mut call = self.message(to, "voice", day, 0);
        call.quantity = millionths(minutes);
        self.route(&mut call, 0);
        self.push(call);
        let chats = self.draw.between(400, 1_100);
        let mut chat = self.message(to, "chat", day, chats);
        self.say(&mut chat, Dimension::TrafficType, "UTILITY");
        self.push(chat);
        for meter in ["session", "session", "people", "people", "people"] {
            let user = format!("u-{:04}", self.draw.between(1, 240));
            let mut seen = self.message(to, meter, day, 1);
            self.say(&mut seen, Dimension::User, &user);
            self.push(seen);
        }
    }

    fn alert_day(&mut self, to: &SubscriptionId, day: Day) {
        for country in [0, 1] {
            let count = self.draw.between(120, 420);
            let mut code = self.message(to, "sms-out", day, count);
            self.route(&mut code, country);
            self.say(&mut code, Dimension::TrafficType, "AUTHENTICATION");
            self.say(&mut code, Dimension::User, USERS[2].0);
            self.say(&mut code, Dimension::Application, APPLICATIONS[2].0);
            self.push(code);
        }
    }

    /// A message at some moment of a day, reported at once.
    fn message(&mut self, to: &SubscriptionId, meter: &str, day: Day, count: i64) -> UsageRecord {
        let mut record = records::usage(&self.account, GATEWAY, to, &self.meters[meter]);
        let moment = day.start().plus_seconds(self.draw.between(6 * 3_600, 22 * 3_600));
        let delay_s = if self.draw.happens(10) { 93_600 } else { self.draw.between(5, 90) };
        record.service_period = Interval::at(moment);
        record.reported_at = Some(moment.plus_seconds(delay_s));
        record.quantity = millionths(count.saturating_mul(1_000_000));
        let application = self.draw.one(&APPLICATIONS[..2]).0;
        let entity = self.draw.one(&ENTITIES).0;
        record.dimensions = BTreeMap::from([
            (Dimension::Direction, "OUTBOUND".to_owned()),
            (Dimension::Application, application.to_owned()),
            (Dimension::Entity, entity.to_owned()),
        ]);
        let (sender, kind) = *self.draw.one(&SENDERS);
        self.say(&mut record, Dimension::Sender, sender);
        self.say(&mut record, Dimension::SenderType, kind);
        record.tags = BTreeMap::from([("costcenter".to_owned(), format!("cc-{entity}"))]);
        record
    }

    fn route(&mut self, record: &mut UsageRecord, country: usize) {
        let (code, _, networks) = COUNTRIES[country];
        let network = self.draw.one(networks).0;
        self.say(record, Dimension::Country, code);
        self.say(record, Dimension::Network, network);
    }

    fn say(&self, record: &mut UsageRecord, dimension: Dimension, value: &str) {
        record.dimensions.insert(dimension, value.to_owned());
    }

    fn push(&mut self, record: UsageRecord) {
        if record.reported_at.is_some_and(|at| at <= self.span.now) {
            self.records.push(record);
        }
    }
}

/// The number of the campaign that runs on a day.
pub(crate) fn running(span: &Span, day: Day) -> usize {
    let month = usize::try_from(day.start().since(span.first.start()) / MONTH_MICROS);
    month.unwrap_or(0).min(CAMPAIGNS.len() - 1)
}

/// About a month: which campaign runs need not be exact.
const MONTH_MICROS: i64 = 30 * 86_400 * 1_000_000;
