//! Words and amounts of the books: how they stand in company files and fact bodies.

use super::text::{Textual, one_of};
use super::wrong::Wrong;
use calendar::{Day, Instant};
use domain::accepted_agreements::{AcceptanceMode, AgreementCategory, Answer};
use domain::addresses::Country;
use domain::agreements::{AgreementType, Permission};
use domain::billing_terms::{Approval, Trade};
use domain::correction::InFavour;
use domain::credits::LotKind;
use domain::holdings::{AutoRenew, BillingFrequency, HoldingState};
use domain::payment_methods::PaymentMethodStanding;
use domain::places::{Generation, MarketplacePurchases, PlaceState};
use domain::recurring::{Proration, Timing};
use domain::tax::Liability;
use domain::transfers::{ProductKind, TransferState};
use domain::usage::ChargeCategory;
use money::{Cost, Currency, Fixed18, Money};

/// A word for each value of an enum: each is named once, and read back from the same list.
macro_rules! words {
    ($($name:ident: $what:literal { $($value:ident = $word:literal,)* })*) => {$(
        impl Textual for $name {
            const WHAT: &'static str = $what;

            fn read(text: &str) -> Result<$name, String> {
                match text {
                    $($word => Ok($name::$value),)*
                    _ => Err(one_of($what, text, [$($word),*].into_iter())),
                }
            }

            fn show(&self) -> String {
                match self {
                    $($name::$value => $word,)*
                }
                .to_owned()
            }
        }
    )*};
}

words! {
    Permission: "a permission" {
        Allowed = "allowed",
        NotAllowed = "not_allowed",
    }
    MarketplacePurchases: "a marketplace policy" {
        All = "all",
        OnlyFree = "only_free",
        None = "none",
    }
    PlaceState: "a state of a place" {
        Active = "active",
        Pending = "pending",
        PastDue = "past_due",
        Inactive = "inactive",
    }
    Generation: "a generation" {
        Current = "current",
        Legacy = "legacy",
    }
    HoldingState: "a state of a holding" {
        Active = "active",
        PastDue = "past_due",
        Suspended = "suspended",
        Cancelled = "cancelled",
        Expired = "expired",
        Deleted = "deleted",
    }
    BillingFrequency: "a billing frequency" {
        OneTime = "one_time",
        Monthly = "monthly",
        UsageBased = "usage_based",
    }
    AutoRenew: "on or off" {
        On = "on",
        Off = "off",
    }
    Trade: "a side of trade" {
        Sells = "sells",
        Buys = "buys",
    }
    Liability: "a liability for tax" {
        Seller = "seller",
        ReverseCharge = "reverse_charge",
    }
    InFavour: "a way of corrections" {
        NextInvoice = "next_invoice",
        CreditNote = "credit_note",
    }
    Approval: "an approval" {
        ByRule = "by_rule",
        ByPerson = "by_person",
    }
    LotKind: "a kind of lot" {
        Credit = "credit",
        Prepayment = "prepayment",
    }
    PaymentMethodStanding: "a standing of a payment method" {
        Default = "default",
        Attached = "attached",
        Detached = "detached",
    }
    AgreementCategory: "a category of agreement" {
        CustomerAgreement = "customer_agreement",
        AffiliatePurchaseTerms = "affiliate_purchase_terms",
        Other = "other",
    }
    AcceptanceMode: "a mode of acceptance" {
        Click = "click",
        SignedOnline = "signed_online",
        SignedOffline = "signed_offline",
    }
    Answer: "an answer" {
        Pending = "pending",
        Accepted = "accepted",
        Declined = "declined",
    }
    Proration: "a proration" {
        ActualDays = "actual_days",
        ThirtyDays = "thirty_days",
        WholeCycle = "whole_cycle",
    }
    Timing: "a timing" {
        InAdvance = "in_advance",
        InArrears = "in_arrears",
    }
    TransferState: "a state of a transfer" {
        Pending = "pending",
        InProgress = "in_progress",
        Completed = "completed",
        CompletedWithErrors = "completed_with_errors",
        Failed = "failed",
        Canceled = "canceled",
        Declined = "declined",
        Expired = "expired",
    }
    ProductKind: "a kind of product" {
        Subscription = "subscription",
        Reservation = "reservation",
    }
}

impl Textual for AgreementType {
    const WHAT: &'static str = "a type of agreement";

    fn read(text: &str) -> Result<AgreementType, String> {
        AgreementType::parse(text).ok_or_else(|| {
            one_of(AgreementType::WHAT, text, AgreementType::ALL.iter().map(|kind| kind.name()))
        })
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Textual for ChargeCategory {
    const WHAT: &'static str = "a charge category";

    fn read(text: &str) -> Result<ChargeCategory, String> {
        ChargeCategory::parse(text).ok_or_else(|| {
            let names = ChargeCategory::ALL.iter().map(|category| category.name());
            one_of(ChargeCategory::WHAT, text, names)
        })
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Textual for Country {
    const WHAT: &'static str = "a two-letter country such as US";

    fn read(text: &str) -> Result<Country, String> {
        match Country::parse(text) {
            Ok(country) if country.code() == text => Ok(country),
            Ok(_) | Err(_) => {
                let shown: String = text.chars().take(16).collect();
                Err(format!("`{shown}` is not {}", Country::WHAT))
            }
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Textual for Day {
    const WHAT: &'static str = "a day such as 2026-03-01";

    fn read(text: &str) -> Result<Day, String> {
        match Instant::parse(text) {
            Ok(instant) if instant.is_midnight() => Ok(instant.day()),
            Ok(_) => Err(format!("`{text}` is a time, not {}", Day::WHAT)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Reads an amount in major units; it must be whole in minor units.
pub(super) fn amount(path: &str, major: Fixed18, currency: Currency) -> Result<Money, Wrong> {
    let money = Cost { major, currency }.to_money().map_err(|error| Wrong::new(path, error))?;
    let places = currency.exponent();
    let finer = || format!("{major} {currency} has more than {places} decimal places");
    money.ok_or_else(|| Wrong::new(path, finer()))
}

/// Writes what [`amount`] read.
pub(super) fn major(money: Money) -> Fixed18 {
    money.to_cost().map_or(Fixed18::ZERO, |cost| cost.major)
}
