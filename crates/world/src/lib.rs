//! Seeded companies, for the demo and the tests: invented names, plausible rates.
//!
//! A world is a pure function of its seed. It declares its companies through the same twins as
//! company files, and hands out usage as a source would send it.

mod accounts;
mod cards;
mod channels;
mod company;
mod draw;
mod estates;
mod ids;
mod machines;
mod marketplace;
mod message_prices;
mod messages;
mod messaging;
mod meters;
mod names;
mod past;
mod records;
mod secret;

#[cfg(test)]
mod tests;

pub use accounts::{
    Accounts, CustomerAccount, EnterpriseAccount, OnlineAccount, PartnerAccount, RecipientAccount,
};
pub use messaging::{MessagingAccount, MessagingCompany};
pub use past::{Deed, Paid, What};

use calendar::{BillingPeriod, Day, Instant, Interval};
use cards::MeterIds;
use domain::company::Company;
use domain::ids::{
    BillingAccountId, MeterId, OfferId, PrincipalId, SourceName, SubscriptionId, TenantId,
};
use domain::usage::{Act, Amendment, UsageRecord};
use draw::Draw;
use ids::{Ids, RETAILER};
use machines::Span;
use money::Currency;
use records::Records;
use service::company::{Declared, Thing};
use std::fmt;

/// A made-up company with its customers and what they used.
#[derive(Debug, Clone)]
pub struct World {
    /// The business moment at which it stands.
    pub now: Instant,
    /// The directory that its clients sign in to.
    pub tenant: TenantId,
    /// Everything that is declared.
    pub declared: Declared,
    /// Who may sign in, with their secrets.
    pub clients: Vec<DemoClient>,
    /// The subscription that most of the usage is recorded against.
    pub own: SubscriptionId,
    /// A subscription of somebody else: none of the clients but the operator may see it.
    pub foreign: SubscriptionId,
    /// Where the own subscription's rates are published.
    pub offer: OfferPlace,
    /// Reported time of at least three pages of the own subscription's daily usage; complete.
    pub usage_window: Interval,
    /// Reported time that a source of the own subscription has not reported past.
    pub usage_window_incomplete: Interval,
    /// An account and a source that new usage may be sent for.
    pub intake: IntakePlace,
    /// One account of each kind.
    pub accounts: Accounts,
    /// The company that sends messages.
    pub messaging: MessagingCompany,
    /// The closed billing periods.
    pub closed: Vec<BillingPeriod>,
    /// The open one.
    pub open: BillingPeriod,
    /// First and last day of whatever is said of an invoice: what it is for, and its issue.
    pub invoice_window: (Day, Day),
    /// What the operator did before, in order of time.
    pub past: Vec<Deed>,
    events: Vec<UsageRecord>,
}

/// A client with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct DemoClient {
    /// `owner`, `contributor`, `reader`, `billing_reader`, `nobody`, `operator` or `recipient`.
    pub name: &'static str,
    /// Its id.
    pub id: PrincipalId,
    /// Its mail address, if it has one.
    pub email: Option<String>,
    /// Its secret.
    pub secret: String,
}

/// Leaves the secret out.
impl fmt::Debug for DemoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoClient").field("name", &self.name).field("id", &self.id).finish()
    }
}

/// The four parts by which a rate card is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferPlace {
    /// The offer.
    pub id: OfferId,
    /// Of its rates.
    pub currency: Currency,
    /// Of its names.
    pub locale: String,
    /// Where it was bought.
    pub region: String,
}

/// For whom and as whom usage may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakePlace {
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// Who reports.
    pub source: SourceName,
    /// A meter that it reports.
    pub meter: MeterId,
}

impl World {
    /// Makes the demo's world: three past months and the open one.
    ///
    /// Everything comes from the seed, but the clients' secrets come from `entropy`: random bytes
    /// of the caller.
    pub fn demo(seed: u64, entropy: [u8; 32]) -> World {
        let mut draw = Draw::new(seed, 0);
        let now = company::date("2026-11-18T10:30:00Z");
        let span = Span {
            first: company::date("2026-08-01").day(),
            now,
            edge_reported: company::date("2026-11-16T05:00:00Z"),
        };
        let ids = Ids::draw(&mut draw, &mut Draw::new(seed, 4));
        let clients = company::clients(&ids, entropy);
        let meters = cards::ids(&mut draw, meters::METERS.iter().map(|row| row.key));
        let channels = cards::ids(&mut draw, message_prices::METERS.iter().map(|(key, _)| *key));

        let mut things = vec![Thing::Tenant(ids.tenant())];
        things.extend(company::declared_clients(&clients, &ids));
        things.extend(cards::things(&meters, &ids));
        things.extend(message_prices::things(&channels, &ids));
        things.extend(names::things());

        let mut events = used(seed, (&meters, &channels), &ids, &span);
        amend(&mut events, &channels["sms-out"], now);
        let declared = company::declared(things, &ids, &meters);
        let closed = past::CLOSED.map(company::month);
        World {
            now,
            tenant: ids.tenant(),
            messaging: {
                let company = declared.over(&Company::default());
                MessagingCompany::of(&ids, &company, closed[2], now)
            },
            declared,
            clients,
            own: ids.subscription("own"),
            foreign: ids.subscription("foreign"),
            offer: OfferPlace {
                id: company::offer(company::PAY_AS_YOU_GO),
                currency: company::currency("USD"),
                locale: "en-US".to_owned(),
                region: "US".to_owned(),
            },
            usage_window: window("2026-08-01", "2026-11-16"),
            usage_window_incomplete: window("2026-11-15", "2026-11-18"),
            intake: IntakePlace {
                billing_account: ids.account(RETAILER),
                source: company::source(company::PLATFORM),
                meter: meters["vm-s2"].clone(),
            },
            accounts: Accounts::of(&ids),
            closed: closed.to_vec(),
            open: company::month(past::OPEN),
            invoice_window: (span.first, now.day()),
            past: past::deeds(&ids),
            events,
        }
    }

    /// The client of a name; none if there is no such.
    pub fn client(&self, name: &str) -> Option<&DemoClient> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// What was used, in the order in which it was reported; what amends is last.
    pub fn events(&self) -> impl ExactSizeIterator<Item = UsageRecord> + '_ {
        self.events.iter().cloned()
    }
}

fn window(from: &str, to: &str) -> Interval {
    Interval::new(company::date(from), company::date(to)).expect("dates in order")
}

/// Everything that was used, in the order in which it was reported. Each part has a series of chance
/// of its own.
fn used(
    seed: u64,
    (meters, channels): (&MeterIds, &MeterIds),
    ids: &Ids,
    span: &Span,
) -> Vec<UsageRecord> {
    let series = |number| Draw::new(seed, number);
    Records::numbered([
        machines::records(&mut series(1), meters, ids, span),
        messages::records(&mut series(2), channels, ids, span),
        estates::records(&mut series(3), meters, ids, span),
        channels::records(&mut series(5), channels, ids, span),
        marketplace::records(ids, span),
    ])
}

/// One record of messages is put right and one taken back, each by a record that names it.
fn amend(events: &mut Vec<UsageRecord>, sent: &MeterId, now: Instant) {
    let open = company::date("2026-11-01");
    let mut found = events
        .iter()
        .filter(|event| event.meter == *sent && event.service_period.start() >= open)
        .cloned()
        .collect::<Vec<_>>()
        .into_iter();
    let reported = now.plus_seconds(-3_600);
    for (id, reason) in [("fix-1", "counted a batch twice"), ("fix-2", "sent by mistake")] {
        let Some(mut record) = found.nth(7) else { return };
        let target = std::mem::replace(&mut record.key.id, records::record_id(id));
        let amendment = Amendment { target, actor: "gateway team".into(), reason: reason.into() };
        record.reported_at = Some(reported);
        record.act = match id {
            "fix-1" => {
                record.quantity = draw::millionths(42_000_000);
                Act::Amend(amendment)
            }
            _ => Act::Withdraw(amendment),
        };
        events.push(record);
    }
}
