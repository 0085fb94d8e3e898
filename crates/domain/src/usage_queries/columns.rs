//! What rows of an answer are told apart by, and shown with.

use crate::usage::Dimension;

/// A column of an answer that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum UsageColumn {
    Day,
    Month,
    ApplicationId,
    EntityId,
    AccountName,
    AccountKey,
    CategoryCode,
    CategoryName,
    SubcategoryCode,
    SubcategoryName,
    UserName,
    Direction,
    TrafficType,
    Sender,
    SenderType,
    NetworkName,
    NetworkCode,
    CountryName,
    CountryCode,
    CountryPrefix,
    CampaignId,
    CampaignReference,
    TemplateId,
}

/// What tells rows apart: names and codes of one thing are of one key, and split nothing further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UsageKey {
    /// The day of use.
    Day,
    /// The calendar month of use.
    Month,
    /// The messaging account.
    Account,
    /// The meter's category.
    Category,
    /// The meter's subcategory.
    Subcategory,
    /// A typed dimension of usage.
    Dimension(Dimension),
}

impl UsageColumn {
    /// All of them.
    pub const ALL: [UsageColumn; 23] = [
        UsageColumn::Day,
        UsageColumn::Month,
        UsageColumn::ApplicationId,
        UsageColumn::EntityId,
        UsageColumn::AccountName,
        UsageColumn::AccountKey,
        UsageColumn::CategoryCode,
        UsageColumn::CategoryName,
        UsageColumn::SubcategoryCode,
        UsageColumn::SubcategoryName,
        UsageColumn::UserName,
        UsageColumn::Direction,
        UsageColumn::TrafficType,
        UsageColumn::Sender,
        UsageColumn::SenderType,
        UsageColumn::NetworkName,
        UsageColumn::NetworkCode,
        UsageColumn::CountryName,
        UsageColumn::CountryCode,
        UsageColumn::CountryPrefix,
        UsageColumn::CampaignId,
        UsageColumn::CampaignReference,
        UsageColumn::TemplateId,
    ];

    /// Its name in the books and in files.
    pub const fn name(self) -> &'static str {
        match self {
            UsageColumn::Day => "day",
            UsageColumn::Month => "month",
            UsageColumn::ApplicationId => "application_id",
            UsageColumn::EntityId => "entity_id",
            UsageColumn::AccountName => "account_name",
            UsageColumn::AccountKey => "account_key",
            UsageColumn::CategoryCode => "category_code",
            UsageColumn::CategoryName => "category_name",
            UsageColumn::SubcategoryCode => "subcategory_code",
            UsageColumn::SubcategoryName => "subcategory_name",
            UsageColumn::UserName => "user_name",
            UsageColumn::Direction => "direction",
            UsageColumn::TrafficType => "traffic_type",
            UsageColumn::Sender => "sender",
            UsageColumn::SenderType => "sender_type",
            UsageColumn::NetworkName => "network_name",
            UsageColumn::NetworkCode => "network_code",
            UsageColumn::CountryName => "country_name",
            UsageColumn::CountryCode => "country_code",
            UsageColumn::CountryPrefix => "country_prefix",
            UsageColumn::CampaignId => "campaign_id",
            UsageColumn::CampaignReference => "campaign_reference",
            UsageColumn::TemplateId => "template_id",
        }
    }

    /// Finds a column by [`UsageColumn::name`].
    pub fn parse(name: &str) -> Option<UsageColumn> {
        UsageColumn::ALL.into_iter().find(|column| column.name() == name)
    }

    /// What it shows, by code or by name.
    ///
    /// Source: `infobip.md` section 4, second names of one thing.
    pub const fn key(self) -> UsageKey {
        match self {
            UsageColumn::Day => UsageKey::Day,
            UsageColumn::Month => UsageKey::Month,
            UsageColumn::AccountName | UsageColumn::AccountKey => UsageKey::Account,
            UsageColumn::CategoryCode | UsageColumn::CategoryName => UsageKey::Category,
            UsageColumn::SubcategoryCode | UsageColumn::SubcategoryName => UsageKey::Subcategory,
            UsageColumn::ApplicationId => UsageKey::Dimension(Dimension::Application),
            UsageColumn::EntityId => UsageKey::Dimension(Dimension::Entity),
            UsageColumn::UserName => UsageKey::Dimension(Dimension::User),
            UsageColumn::Direction => UsageKey::Dimension(Dimension::Direction),
            UsageColumn::TrafficType => UsageKey::Dimension(Dimension::TrafficType),
            UsageColumn::Sender => UsageKey::Dimension(Dimension::Sender),
            UsageColumn::SenderType => UsageKey::Dimension(Dimension::SenderType),
            UsageColumn::NetworkName | UsageColumn::NetworkCode => {
                UsageKey::Dimension(Dimension::Network)
            }
            UsageColumn::CountryName | UsageColumn::CountryCode | UsageColumn::CountryPrefix => {
                UsageKey::Dimension(Dimension::Country)
            }
            UsageColumn::CampaignId => UsageKey::Dimension(Dimension::Campaign),
            UsageColumn::CampaignReference => UsageKey::Dimension(Dimension::Reference),
            UsageColumn::TemplateId => UsageKey::Dimension(Dimension::Template),
        }
    }
}

/// The columns of an answer: those asked for, in their order, behind the defaults: the account's
/// name and the category's code, each unless a column of its thing is asked for.
///
/// Source: `infobip.md` section 4, defaults.
pub fn effective_columns(asked: &[UsageColumn]) -> Vec<UsageColumn> {
    let defaults = [UsageColumn::AccountName, UsageColumn::CategoryCode];
    let is_asked = |default: &UsageColumn| asked.iter().any(|column| column.key() == default.key());
    let missing = defaults.into_iter().filter(|default| !is_asked(default));
    missing.chain(asked.iter().copied()).collect()
}

/// What tells rows of these columns apart: each key once, in the order of the columns.
pub fn keys_of(columns: &[UsageColumn]) -> Vec<UsageKey> {
    let mut keys = Vec::new();
    for key in columns.iter().map(|column| column.key()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}
