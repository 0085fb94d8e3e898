//! Names of things. Each is its own type, cheap to clone, checked where it is made.

use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($field:literal, $most:literal, $fold:ident);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes one.
            ///
            /// Errors: [`Error::Invalid`] when empty, too long or with control characters.
            pub fn new(text: &str) -> Result<$name> {
                check($field, text, $most)?;
                Ok($name($fold(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )*};
}

ids! {
    /// Holder of an agreement, root of a hierarchy. Kept as spelled.
    BillingAccountId("billing account", 128, kept);
    /// The unit usage is recorded against. Folded to lower case.
    SubscriptionId("subscription", 128, lower);
    /// One thing that is counted. Folded to lower case: real price sheets and usage differ in it.
    MeterId("meter", 256, lower);
    /// A named bundle of terms. Folded to upper case: clients write `…P` and `…p`.
    OfferId("offer", 64, upper);
    /// Who sends usage records. Kept as spelled.
    SourceName("source", 128, kept);
    /// A record's id within its source and billing account. Kept as spelled.
    RecordId("id", 256, kept);
    /// Who acts: a client or a person. Kept as spelled.
    PrincipalId("principal", 128, kept);
    /// A directory that signs tokens. Folded to lower case.
    TenantId("tenant", 64, lower);
    /// A rate card or price sheet. Kept as spelled.
    PriceListId("price list", 200, kept);
    /// A credit lot or prepayment lot. Kept as spelled.
    LotId("lot", 128, kept);
    /// An invoice, void note or credit note, from its draft on; its number comes later. Kept.
    DocumentId("document", 200, kept);
    /// Money received or paid out. Kept as spelled.
    PaymentId("payment", 128, kept);
    /// Who sells or buys in the eyes of the law. Kept as spelled.
    LegalEntityId("legal entity", 128, kept);
    /// A kind of taxed supply, such as `standard` or `exempt`. Folded to lower case.
    TaxCategory("tax category", 64, lower);
    /// A named group of charges on an invoice. Kept as spelled.
    InvoiceSectionId("invoice section", 200, kept);
    /// A place below a billing account: a profile, a section, a customer; of a messaging account
    /// its account key. Unique in its billing account and level. Kept as spelled.
    PlaceId("place", 128, kept);
    /// Something bought and held. Kept as spelled.
    ProductId("product", 128, kept);
    /// A reservation. Kept as spelled.
    ReservationId("reservation", 128, kept);
    /// A plan that a billing account holds. Kept as spelled.
    PlanId("plan", 128, kept);
    /// With what a billing account pays. Kept as spelled.
    PaymentMethodId("payment method", 128, kept);
    /// A text that was accepted for a billing account. Kept as spelled.
    AcceptedAgreementId("accepted agreement", 128, kept);
    /// What a customer said may be billed. Kept as spelled.
    InstructionId("instruction", 128, kept);
    /// Who sells a partner's plans on. Kept as spelled.
    ResellerId("reseller", 64, kept);
    /// A transfer between two billing accounts. Folded to lower case.
    TransferId("transfer", 64, lower);
}

fn check(field: &str, text: &str, most: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if text.len() > most {
        return Err(Error::invalid(field, format!("is {} bytes long; at most {most}", text.len())));
    }
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    if !plain && text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not hold control characters"));
    }
    Ok(())
}

fn kept(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn lower(text: &str) -> Arc<str> {
    let plain = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if !plain && text.chars().any(char::is_uppercase) {
        Arc::from(text.to_lowercase())
    } else {
        Arc::from(text)
    }
}

fn upper(text: &str) -> Arc<str> {
    Arc::from(text.to_uppercase())
}
