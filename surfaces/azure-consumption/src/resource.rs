//! What every answer is made of: the resource around its properties, numbers, texts, ids.

use domain::Error;
use httpkit::ExactNumber;
use money::{Cost, Fixed18, Money};
use serde::Serialize;
use std::collections::BTreeMap;

/// A resource.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Resource<P> {
    #[cfg_attr(test, serde(default))]
    pub(crate) id: String,
    #[cfg_attr(test, serde(default))]
    pub(crate) name: String,
    #[cfg_attr(test, serde(default))]
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Its tag, where the contract has one in the body.
    #[serde(rename = "eTag", skip_serializing_if = "Option::is_none")]
    pub(crate) e_tag: Option<String>,
    #[cfg_attr(test, serde(default))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) properties: P,
}

impl<P> Resource<P> {
    /// `scope` is the scope's id, with a billing period or without; `kind` the type below the
    /// provider.
    pub(crate) fn new(scope: &str, kind: &str, name: &str, properties: P) -> Resource<P> {
        Resource {
            id: format!("{scope}{}/{kind}/{name}", crate::PROVIDER),
            name: name.to_owned(),
            kind: format!("Microsoft.Consumption/{kind}"),
            e_tag: None,
            tags: BTreeMap::new(),
            properties,
        }
    }
}

/// Properties of which each answer has some: `Option`s that are left out where they are empty.
macro_rules! members {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$of:meta])* $member:ident: $kind:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(test, derive(serde::Deserialize), serde(default))]
        pub(crate) struct $name {
            $(
                $(#[$of])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $member: Option<$kind>,
            )*
        }
    };
}
pub(crate) use members;

/// An exact number, digit by digit.
pub(crate) type Decimal = ExactNumber<Fixed18>;

/// Money as a number, digit by digit.
pub(crate) fn decimal(money: Money) -> Result<Decimal, Error> {
    let Cost { major, .. } = money.to_cost().map_err(|e| Error::money("spell an amount", e))?;
    Ok(ExactNumber(major))
}

/// A text, if there is any.
pub(crate) fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The part number of a tier of a price, in price sheets and usage alike: the price's lineage, with
/// the tier's number if it is not the first; the same as the enterprise surface's.
pub(crate) fn part_number(lineage: &str, tier: u16) -> String {
    if tier == 0 { lineage.to_owned() } else { format!("{lineage}/{tier}") }
}

/// A text where the contract declares a UUID, if it is one.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let lengths = text.split('-').map(str::len);
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let is_uuid = lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(is_hex);
    is_uuid.then(|| text.to_owned())
}

/// The name of the group that a resource is in, as its id tells.
pub(crate) fn resource_group(id: &str) -> Option<&str> {
    after(id, "resourceGroups")
}

/// The last part of the id of a resource: its name.
pub(crate) fn resource_name(id: &str) -> Option<&str> {
    id.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The provider of a resource, as its id tells.
pub(crate) fn resource_provider(id: &str) -> Option<&str> {
    after(id, "providers")
}

/// The segment of an id behind the first of a name, in any letter case.
fn after<'a>(id: &'a str, name: &str) -> Option<&'a str> {
    let mut segments = id.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
    segments.next().filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_resource_tells_its_group_name_and_provider() {
        let check = |id: &str, expected: [Option<&str>; 3]| {
            let told = [resource_group(id), resource_name(id), resource_provider(id)];
            assert_eq!(told, expected, "{id}");
        };
        let disk = "/subscriptions/s/resourceGroups/fleet/providers/Microsoft.Compute/disks/d1";
        check(disk, [Some("fleet"), Some("d1"), Some("Microsoft.Compute")]);
        check("/subscriptions/s/RESOURCEGROUPS/Fleet", [Some("Fleet"), Some("Fleet"), None]);
        check("d1", [None, Some("d1"), None]);
        check("", [None, None, None]);
    }

    #[test]
    fn only_a_uuid_stands_where_one_is_declared() {
        let check = |text: &str, is_uuid: bool| assert_eq!(uuid(text).is_some(), is_uuid, "{text}");
        check("7d2f1a30-0000-4000-8000-0000000000aa", true);
        check("7D2F1A30-0000-4000-8000-0000000000AA", true);
        check("7d2f1a30-0000-4000-8000-0000000000ax", false);
        check("7d2f1a3000004000800000000000000000aa", false);
        check("meter", false);
        check("", false);
    }
}
