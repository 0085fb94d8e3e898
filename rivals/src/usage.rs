//! A made-up company and its usage, row by row from a seed.
//!
//! A messaging company: a few large accounts and many small ones, each with two services, three
//! countries and ten campaigns of which two run at a time; three months, in the order of time.

use std::fmt::Write;

/// Billing accounts, but for closing.
pub(crate) const ACCOUNTS: u64 = 2_000;
/// Meters, each of a category of its own.
pub(crate) const METERS: u64 = 8;
/// Campaigns of one account.
pub(crate) const CAMPAIGNS: u64 = 10;
/// Countries.
pub(crate) const COUNTRIES: u64 = 180;
/// Days of usage: 2025-01-01 until 2025-04-01.
pub(crate) const DAYS: u64 = 90;
const DAY_US: u64 = 86_400_000_000;
/// Who pays where one company pays for all accounts.
pub(crate) const COMPANY: &str = "company";
/// 2025-01-01.
const FIRST_US: u64 = 1_735_689_600_000_000;
/// Records come up to an hour after those that were used later.
const JITTER_US: u64 = 3_600_000_000;

/// Who pays for the accounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payer {
    /// Each for itself: it is a billing account.
    Each,
    /// The company, within which they are messaging accounts.
    Company,
}

/// All usage of a run.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Of the numbers.
    pub(crate) seed: u64,
    /// How many rows the days are spread over.
    pub(crate) rows: u64,
    /// How many accounts there are.
    pub(crate) accounts: u64,
    /// How many days from the first on.
    pub(crate) days: u64,
    /// Who pays for it.
    pub(crate) payer: Payer,
}

/// One row.
pub(crate) struct Row {
    pub(crate) account: u64,
    pub(crate) meter: u64,
    pub(crate) country: u64,
    pub(crate) campaign: u64,
    pub(crate) traffic: u64,
    /// Microseconds since 1970.
    pub(crate) start_us: u64,
    pub(crate) id: u128,
    /// Thousandths.
    pub(crate) quantity_milli: u64,
}

/// Numbers from a seed.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }
}

impl Usage {
    /// Three months of a company of usual size.
    pub(crate) fn of(seed: u64, rows: u64) -> Usage {
        Usage { seed, rows, accounts: ACCOUNTS, days: DAYS, payer: Payer::Each }
    }

    /// The billing accounts.
    pub(crate) fn billing_accounts(&self) -> Vec<String> {
        match self.payer {
            Payer::Each => (0..self.accounts).map(account_id).collect(),
            Payer::Company => vec![COMPANY.to_owned()],
        }
    }

    /// Row `n`; beyond [`Usage::rows`] the days begin again.
    pub(crate) fn row(&self, n: u64) -> Row {
        let mut start = Numbers(self.seed ^ n.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let mut numbers = Numbers(start.next());
        let account = numbers.below(self.accounts) * numbers.below(self.accounts) / self.accounts;
        let span = self.days * DAY_US - JITTER_US;
        let elapsed = u128::from(n % self.rows) * u128::from(span) / u128::from(self.rows);
        let since_us = u64::try_from(elapsed).unwrap_or(0) + numbers.below(JITTER_US / 1000) * 1000;
        let day = since_us / DAY_US;
        Row {
            account,
            meter: (account + numbers.below(8) / 6) % METERS,
            country: (account * 7 + numbers.below(3)) % COUNTRIES,
            campaign: account * CAMPAIGNS + (day / 9 + numbers.below(2)) % CAMPAIGNS,
            traffic: numbers.below(8) / 7,
            start_us: FIRST_US + since_us,
            id: (u128::from(numbers.next()) << 64) | u128::from(numbers.next()),
            quantity_milli: 1 + numbers.below(400_000),
        }
    }

    /// From where each tier counts, in whole units: every large account passes them.
    pub(crate) fn tiers(&self) -> [u64; 4] {
        match self.payer {
            Payer::Each => [0, self.rows / 200, self.rows / 50, self.rows / 10],
            // A company's month has some eight units of a meter for each row of the whole.
            Payer::Company => [0, self.rows, self.rows * 3, self.rows * 6],
        }
    }

    /// Appends row `n` as one line of NDJSON, about 330 bytes.
    pub(crate) fn event(&self, n: u64, out: &mut String) {
        let row = self.row(n);
        match self.payer {
            Payer::Each => row.event(&account_id(row.account), out),
            Payer::Company => row.event(COMPANY, out),
        }
    }
}

/// The price of a tier of a meter, in ten-thousandths.
pub(crate) fn price_e4(meter: u64, tier: usize) -> u64 {
    [123, 105, 89, 71].get(tier).copied().unwrap_or(0) + meter * 3
}

/// Ids as text, as records and declarations spell them.
pub(crate) fn account_id(account: u64) -> String {
    format!("account-{account:04}")
}

pub(crate) fn subscription_id(account: u64) -> String {
    format!("5b0d1e9a-0000-4000-8000-{account:012}")
}

pub(crate) fn country_id(country: u64) -> String {
    let letter = |n: u64| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    format!("{}{}", letter(country / 26), letter(country))
}

pub(crate) fn campaign_id(campaign: u64) -> String {
    format!("campaign-{campaign:05}")
}

pub(crate) const TRAFFIC: [&str; 2] = ["transactional", "promotional"];

impl Row {
    pub(crate) fn traffic(&self) -> &'static str {
        TRAFFIC.get(usize::from(self.traffic != 0)).copied().unwrap_or_default()
    }

    /// The moment of use, as `2025-01-01T00:00:00.000000Z`.
    pub(crate) fn start(&self) -> String {
        let since_us = self.start_us - FIRST_US;
        let (day, of_day) = (since_us / DAY_US, since_us % DAY_US);
        let (month, day) = match day {
            0..31 => (1, day + 1),
            31..59 => (2, day - 30),
            _ => (3, day - 58),
        };
        let (second, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("2025-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    pub(crate) fn quantity(&self) -> String {
        format!("{}.{:03}", self.quantity_milli / 1_000, self.quantity_milli % 1_000)
    }

    fn event(&self, billing_account: &str, out: &mut String) {
        let written = writeln!(
            out,
            "{{\"id\":\"{:032x}\",\"source\":\"gate\",\
             \"billing_account\":\"{billing_account}\",\
             \"subscription\":\"{}\",\"resource\":\"sender-{}\",\"meter\":\"meter-{}\",\
             \"quantity\":\"{}\",\"time\":\"{}\",\"dimensions\":{{\"country\":\"{}\",\
             \"campaign\":\"{}\",\"traffic_type\":\"{}\"}}}}",
            self.id,
            subscription_id(self.account),
            self.account % 7,
            self.meter,
            self.quantity(),
            self.start(),
            country_id(self.country),
            campaign_id(self.campaign),
            self.traffic(),
        );
        // A string takes whatever is written to it.
        debug_assert!(written.is_ok());
    }
}
