//! Values as text: how domain values stand in company files and fact bodies.

use calendar::{BillingPeriod, Instant};
use domain::access::Role;
use domain::ids::{
    AcceptedAgreementId, BillingAccountId, InstructionId, LegalEntityId, LotId, MeterId, OfferId,
    PaymentMethodId, PlaceId, PlanId, PriceListId, PrincipalId, ProductId, ResellerId,
    ReservationId, SourceName, SubscriptionId, TaxCategory, TenantId, TransferId,
};
use domain::places::Level;
use domain::usage::Dimension;
use money::{Currency, Fixed18, Rounding};
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// A value that is read from and written as one text.
pub(super) trait Textual: Sized {
    /// What stands there, for messages.
    const WHAT: &'static str;

    /// Reads it; the error says what is wrong.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes it, in the one spelling that we write.
    fn show(&self) -> String;
}

/// A domain value that crosses serde as its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Textual> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.show())
    }
}

impl<'de, T: Textual> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<'de, T: Textual> Visitor<'de> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<T>, E> {
        T::read(text).map(Text).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Text<T>, E> {
        T::read(&whole.to_string()).map(Text).map_err(E::custom)
    }

    /// TOML hands its own dates over as a map.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<T>, A::Error> {
        let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))
            .map_err(|_| serde::de::Error::custom(format!("expected {}", T::WHAT)))?;
        self.visit_str(&date.to_string())
    }
}

macro_rules! textual_ids {
    ($($name:ident: $what:literal;)*) => {$(
        impl Textual for $name {
            const WHAT: &'static str = $what;

            fn read(text: &str) -> Result<$name, String> {
                $name::new(text).map_err(|error| error.to_string())
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

textual_ids! {
    BillingAccountId: "the id of a billing account";
    SubscriptionId: "the id of a subscription";
    MeterId: "the id of a meter";
    OfferId: "the id of an offer";
    SourceName: "the name of a source";
    PrincipalId: "the id of a principal";
    TenantId: "the id of a tenant";
    PriceListId: "the id of a price list";
    PlaceId: "the id of a place";
    ProductId: "the id of a product";
    LegalEntityId: "the id of a legal entity";
    TaxCategory: "a tax category";
    LotId: "the id of a lot";
    PlanId: "the id of a plan";
    ReservationId: "the id of a reservation";
    ResellerId: "the id of a reseller";
    PaymentMethodId: "the id of a payment method";
    AcceptedAgreementId: "the id of an accepted agreement";
    InstructionId: "the id of an instruction";
    TransferId: "the id of a transfer";
}

impl Textual for Fixed18 {
    const WHAT: &'static str = "a decimal in quotes, or a whole number";

    fn read(text: &str) -> Result<Fixed18, String> {
        Fixed18::parse(text).map_err(|error| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Textual for Currency {
    const WHAT: &'static str = "a currency code such as USD";

    fn read(text: &str) -> Result<Currency, String> {
        Currency::parse(text).map_err(|error| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Textual for Instant {
    const WHAT: &'static str = "a time such as 2026-03-01T00:00:00Z";

    fn read(text: &str) -> Result<Instant, String> {
        Instant::parse(text).map_err(|error| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Textual for BillingPeriod {
    const WHAT: &'static str = "a billing period such as 2026-03";

    fn read(text: &str) -> Result<BillingPeriod, String> {
        BillingPeriod::parse(text).map_err(|error| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Textual for Dimension {
    const WHAT: &'static str = "a dimension";

    fn read(text: &str) -> Result<Dimension, String> {
        Dimension::parse(text).ok_or_else(|| {
            one_of("a dimension", text, Dimension::ALL.iter().map(|dimension| dimension.name()))
        })
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Textual for Role {
    const WHAT: &'static str = "a role";

    fn read(text: &str) -> Result<Role, String> {
        Role::parse(text)
            .ok_or_else(|| one_of("a role", text, Role::ALL.iter().map(|role| role.name())))
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Textual for Level {
    const WHAT: &'static str = "a level";

    fn read(text: &str) -> Result<Level, String> {
        Level::parse(text)
            .ok_or_else(|| one_of("a level", text, Level::ALL.iter().map(|level| level.name())))
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Textual for Rounding {
    const WHAT: &'static str = "a rounding";

    fn read(text: &str) -> Result<Rounding, String> {
        let named = Rounding::ALL.into_iter().find(|rule| rule.name() == text);
        named.ok_or_else(|| {
            one_of("a rounding", text, Rounding::ALL.into_iter().map(Rounding::name))
        })
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

/// Says that a text is none of the words there are.
pub(super) fn one_of<'a>(what: &str, text: &str, names: impl Iterator<Item = &'a str>) -> String {
    let cut: String = text.chars().take(64).collect();
    format!("`{cut}` is not {what}; known: {}", names.collect::<Vec<_>>().join(", "))
}
