//! Addresses as jobs keep them: their texts, in one order.

use domain::addresses::Draft;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type Texts = [String; 10];

pub(crate) fn serialize<S: Serializer>(
    draft: &Option<Draft>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    draft.clone().map(texts).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Draft>, D::Error> {
    Ok(Option::<Texts>::deserialize(deserializer)?.map(draft))
}

fn texts(draft: Draft) -> Texts {
    let Draft { first_name, last_name, company_name, lines, city, region, country, postal_code } =
        draft;
    let [one, two, three] = lines;
    [first_name, last_name, company_name, one, two, three, city, region, country, postal_code]
}

fn draft(texts: Texts) -> Draft {
    let [first_name, last_name, company_name, one, two, three, city, region, country, postal_code] =
        texts;
    let lines = [one, two, three];
    Draft { first_name, last_name, company_name, lines, city, region, country, postal_code }
}
