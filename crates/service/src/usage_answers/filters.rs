//! Filters of a question, as the engine takes them: by codes.

use super::Asking;
use super::groups::{CHARGED, Piece, Read};
use crate::rated_rows::place_of;
use crate::{Inner, codes};
use domain::Result;
use domain::rated::RowKind;
use domain::usage::Dimension;
use domain::usage_queries::UsageFilter;
use engine::{Filter, Value};
use std::collections::BTreeSet;

/// What a column must be one of.
type Wanted = (&'static str, Vec<i32>);

impl Inner {
    /// Filters for the engine; none if one can let nothing through.
    pub(super) fn filters_of(
        &self,
        asking: &Asking,
        piece: &Piece,
        read: Read,
    ) -> Result<Option<Vec<Filter>>> {
        let filter = &asking.question.filter;
        let kinds = CHARGED.iter().map(|kind| place_of(&RowKind::ALL, kind)).collect();
        let mut filters = vec![one_of("kind", kinds)];
        if let Some(begun) = &piece.begun {
            let (from, until) = (begun.start.micros(), begun.end.micros());
            filters.push(Filter::Between { column: "start", from, until });
        }
        let mut wanted = self.wanted(asking, piece);
        let allowed = asking.is_narrow().then_some(&asking.allowed);
        match (read, allowed) {
            (Read::Stayed, None) => {
                let moved = piece.stood.moved(self, None);
                if !moved.is_empty() {
                    filters.push(Filter::Not(Box::new(one_of("subscription", moved))));
                }
            }
            (Read::Stayed, Some(keys)) => {
                wanted.push(("subscription", piece.stood.stayed_at(self, keys)));
            }
            (Read::Moved, keys) => wanted.push(("subscription", piece.stood.moved(self, keys))),
        }
        if wanted.iter().any(|(_, codes)| codes.is_empty()) {
            return Ok(None);
        }
        filters.extend(wanted.into_iter().map(|(column, codes)| one_of(column, codes)));
        let textual = [
            (Dimension::Sender, &filter.senders),
            (Dimension::Reference, &filter.campaign_references),
        ];
        for (dimension, texts) in textual {
            if !texts.is_empty() {
                let values = texts.iter().cloned().map(Value::Text).collect();
                filters.push(Filter::In { column: dimension.name(), values });
            }
        }
        Ok(Some(filters))
    }

    /// What the company and the lists of the filter ask for.
    fn wanted(&self, asking: &Asking, piece: &Piece) -> Vec<Wanted> {
        let filter = &asking.question.filter;
        let account = self.codes.find(codes::ACCOUNT, asking.sight.billing_account.as_str());
        let mut wanted = vec![("account", account.into_iter().collect::<Vec<i32>>())];
        if !filter.categories.is_empty() {
            let kind = codes::METER_CATEGORY;
            wanted.push(("meter_category", self.found(kind, &filter.categories)));
        }
        if !filter.subcategories.is_empty() {
            wanted.push(("meter", self.meters_within(piece, &filter.subcategories)));
        }
        for (dimension, values) in coded(filter) {
            if !values.is_empty() {
                wanted.push((dimension.name(), self.found(dimension.name(), values)));
            }
        }
        wanted
    }

    fn found(&self, kind: codes::CodeKind, values: &BTreeSet<String>) -> Vec<i32> {
        values.iter().filter_map(|value| self.codes.find(kind, value)).collect()
    }

    /// The codes of the meters of some subcategories, as they were where the usage comes from.
    fn meters_within(&self, piece: &Piece, wanted: &BTreeSet<String>) -> Vec<i32> {
        let meters = piece.company.meters.values();
        let within = meters.filter(|meter| wanted.contains(&meter.subcategory));
        within.filter_map(|meter| self.codes.find(codes::METER, meter.id.as_str())).collect()
    }
}

/// Lists of a filter whose values have codes.
fn coded(filter: &UsageFilter) -> [(Dimension, &BTreeSet<String>); 6] {
    [
        (Dimension::Country, &filter.countries),
        (Dimension::Direction, &filter.directions),
        (Dimension::TrafficType, &filter.traffic_types),
        (Dimension::SenderType, &filter.sender_types),
        (Dimension::Campaign, &filter.campaigns),
        (Dimension::Template, &filter.templates),
    ]
}

fn one_of(column: &'static str, codes: Vec<i32>) -> Filter {
    let values = codes.into_iter().map(|code| Value::Int(i64::from(code))).collect();
    Filter::In { column, values }
}
