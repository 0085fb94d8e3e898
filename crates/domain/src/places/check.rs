//! What must hold of the places of one billing account before anything may stand there.

use super::{AccountPlaces, Detail, Level, PlaceFacts, PlaceKey};
use crate::agreements::{Agreement, AgreementType, Enrollment};
use crate::company::BillingAccount;
use crate::timeline::Timeline;
use calendar::{Instant, Interval};
use money::{Currency, Money};
use std::fmt;

/// A field that cannot stay as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Fault {
    /// Which field, as our documents name it.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field of an agreement, a place or a standing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The agreement knows no such place.
    #[error("{agreement}: has no {level}")]
    WrongLevel {
        /// What the account has signed.
        agreement: AgreementType,
        /// The kind of place.
        level: Level,
    },
    /// The place lies below something that it cannot lie below.
    #[error("{level}: lies below {}, not below {}", Parents(*level), Parent(*parent))]
    WrongParent {
        /// The kind of place.
        level: Level,
        /// What it was put below.
        parent: Option<Level>,
    },
    /// What is used at no account is told by the id of the billing account: no account may have it.
    #[error("has the id of its billing account, which stands for what is used at no {level}")]
    IdOfBillingAccount {
        /// The kind of place.
        level: Level,
    },
    /// What is named is not there, or not yet.
    #[error("{place} does not exist at {at}")]
    Orphan {
        /// What is named.
        place: PlaceKey,
        /// From when it would have to be there.
        at: Instant,
    },
    /// Following the parents leads back.
    #[error("lies below itself at {at}")]
    Cycle {
        /// From when.
        at: Instant,
    },
    /// The detail belongs to another kind of place.
    #[error("belongs to the level {found}")]
    WrongDetail {
        /// Whose detail it is.
        found: Level,
    },
    /// The currency is not the one that it must be.
    #[error("is {found}; must be {expected}")]
    Currency {
        /// What it must be.
        expected: Currency,
        /// What it is.
        found: Currency,
    },
    /// A partner has one profile for each currency.
    #[error("{profile} has {currency} already")]
    SecondProfile {
        /// The other profile.
        profile: PlaceKey,
        /// The currency of both.
        currency: Currency,
    },
    /// The amount must not be below zero.
    #[error("is below zero")]
    Negative,
    /// The interval holds no moment.
    #[error("ends when it begins")]
    EmptyTerm,
    /// The kind of an agreement never changes.
    #[error("was {before} before; the kind of an agreement never changes")]
    AgreementChanged {
        /// What it was first.
        before: AgreementType,
    },
    /// What is renewed has an end.
    #[error("must be there, since it is renewed then")]
    NoEnd,
    /// The instant comes before one that it must follow.
    #[error("lies before {since}")]
    TooEarly {
        /// What it must not come before.
        since: Instant,
    },
    /// The instant does not come after one that it must come after.
    #[error("does not come after {since}")]
    NotAfter {
        /// What it must come after.
        since: Instant,
    },
    /// Who pays and where it stands do not agree.
    #[error("is {found}; {place} lies in {expected}")]
    Elsewhere {
        /// Where the place lies.
        expected: String,
        /// What was declared.
        found: String,
        /// The place.
        place: PlaceKey,
    },
    /// Under the agreement it must say where it stands.
    #[error("must be {}", PlaceOf(*level))]
    NoPlace {
        /// The kind of place; none for the account itself.
        level: Option<Level>,
    },
    /// The customer does not have this reseller.
    #[error("`{reseller}` is no reseller of {customer}")]
    NotAReseller {
        /// Who is named.
        reseller: String,
        /// The customer.
        customer: PlaceKey,
    },
}

impl From<Fault> for crate::Error {
    fn from(Fault { field, problem }: Fault) -> crate::Error {
        crate::Error::invalid(field, problem.to_string())
    }
}

/// Names what a kind of place may lie below.
struct Parents(Level);

impl fmt::Display for Parents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, parent) in self.0.parents().iter().enumerate() {
            let between = if number == 0 { "" } else { " or " };
            write!(f, "{between}{}", Parent(*parent))?;
        }
        Ok(())
    }
}

/// Names what holdings stand at.
struct PlaceOf(Option<Level>);

impl fmt::Display for PlaceOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(level) => write!(f, "of level {level}"),
            None => f.write_str("empty"),
        }
    }
}

/// Names one kind of parent.
struct Parent(Option<Level>);

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(level) => level.fmt(f),
            None => f.write_str("billing account"),
        }
    }
}

/// Finds everything that does not hold in the places of one billing account, in order of key.
///
/// Refused are: places that the agreement does not know; parents of another kind, that are not
/// there or not yet, that lead back; details of another kind of place; currencies other than the
/// account's, and a partner's second profile of one currency; a messaging account with the id of
/// the billing account; an agreement that changes its kind.
pub fn check_places(account: &BillingAccount, places: &AccountPlaces) -> Vec<Fault> {
    let check = Check { account, places };
    let mut faults = Vec::new();
    check.agreement(&mut faults);
    for (key, timeline) in &places.places {
        check.place(key, timeline, &mut faults);
    }
    faults
}

struct Check<'a> {
    account: &'a BillingAccount,
    places: &'a AccountPlaces,
}

impl Check<'_> {
    fn agreement(&self, faults: &mut Vec<Fault>) {
        let mut before = None;
        for (during, agreement) in self.places.agreement.spans() {
            let first = *before.get_or_insert(agreement.kind());
            if agreement.kind() != first {
                let problem = Problem::AgreementChanged { before: first };
                faults.push(fault(format!("agreement[{}]", during.start()), problem));
            }
            if let Agreement::Enterprise(enrollment) = agreement {
                self.enrollment(during, enrollment, faults);
            }
        }
    }

    fn enrollment(&self, during: Interval, enrollment: &Enrollment, faults: &mut Vec<Fault>) {
        let Enrollment { term, currency, country: _, prepayment, policies: _ } = enrollment;
        let field = |name: &str| format!("agreement[{}].{name}", during.start());
        faults.extend(of_currency(field("currency"), self.account.currency, *currency));
        faults.extend(amount(field("prepayment"), *currency, *prepayment));
        if term.start() == term.end() {
            faults.push(fault(field("term"), Problem::EmptyTerm));
        }
    }

    fn place(&self, key: &PlaceKey, timeline: &Timeline<PlaceFacts>, faults: &mut Vec<Fault>) {
        let agreement = self.places.kind();
        let PlaceKey { level, id } = key;
        let whole = format!("places[{level}/{id}]");
        if !level.agreements().contains(&agreement) {
            let problem = Problem::WrongLevel { agreement, level: *level };
            faults.push(fault(whole.clone(), problem));
        }
        if *level == Level::MessagingAccount && id.as_str() == self.account.id.as_str() {
            let problem = Problem::IdOfBillingAccount { level: *level };
            faults.push(fault(format!("{whole}.id"), problem));
        }
        let since = self.places.agreement.begins();
        if timeline.begins() < since {
            faults.push(fault(format!("{whole}.from"), Problem::TooEarly { since }));
        }
        for (during, facts) in timeline.spans() {
            let field = |name: &str| format!("{whole}[{}].{name}", during.start());
            let parent = self.parent(key, facts, during.start());
            faults.extend(parent.map(|problem| fault(field("parent"), problem)));
            if facts.detail.level() != *level {
                let found = facts.detail.level();
                faults.push(fault(field("detail"), Problem::WrongDetail { found }));
            }
            faults.extend(self.detail(key, facts, (during, &field)));
        }
    }

    /// What is wrong with the parent that a place has from an instant on.
    fn parent(&self, key: &PlaceKey, facts: &PlaceFacts, at: Instant) -> Option<Problem> {
        let parent = facts.parent.as_ref();
        let level = parent.map(|parent| parent.level);
        if !key.level.parents().contains(&level) {
            return Some(Problem::WrongParent { level: key.level, parent: level });
        }
        let parent = parent?;
        let there = self.places.places.get(parent).and_then(|timeline| timeline.at(at));
        if there.is_none() {
            return Some(Problem::Orphan { place: parent.clone(), at });
        }
        self.leads_back(key, parent, at).then_some(Problem::Cycle { at })
    }

    /// Whether the parents of `from` lead to `key`. A loop can only close when a parent is set, so
    /// looking at that instant finds each.
    fn leads_back(&self, key: &PlaceKey, from: &PlaceKey, at: Instant) -> bool {
        let moment = Interval::new(at, at.plus_micros(1));
        moment.is_ok_and(|moment| {
            self.places.upwards(from, moment).iter().any(|(place, _)| *place == key)
        })
    }

    fn detail(
        &self,
        key: &PlaceKey,
        facts: &PlaceFacts,
        (during, field): (Interval, &dyn Fn(&str) -> String),
    ) -> Option<Fault> {
        match &facts.detail {
            Detail::BillingProfile(profile) => {
                let field = field("currency");
                let problem = match self.places.kind() {
                    AgreementType::Partner => self.second_profile(key, profile.currency, during),
                    _ => return of_currency(field, self.account.currency, profile.currency),
                };
                problem.map(|problem| fault(field, problem))
            }
            Detail::Department { quota: Some(quota) } => {
                amount(field("quota"), self.account.currency, *quota)
            }
            Detail::Department { quota: None }
            | Detail::InvoiceSection
            | Detail::Customer(_)
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => None,
        }
    }

    /// An earlier profile (by key) that has the same currency during the same time.
    fn second_profile(
        &self,
        key: &PlaceKey,
        currency: Currency,
        during: Interval,
    ) -> Option<Problem> {
        let has_it = |facts: &PlaceFacts| {
            let detail = &facts.detail;
            matches!(detail, Detail::BillingProfile(profile) if profile.currency == currency)
        };
        let mut earlier = self.places.places.range(..key.clone());
        let (profile, _) = earlier.find(|(_, timeline)| {
            timeline.spans().any(|(span, facts)| span.overlaps(&during) && has_it(facts))
        })?;
        Some(Problem::SecondProfile { profile: profile.clone(), currency })
    }
}

pub(crate) fn fault(field: impl Into<String>, problem: Problem) -> Fault {
    Fault { field: field.into(), problem }
}

fn of_currency(field: String, expected: Currency, found: Currency) -> Option<Fault> {
    (expected != found).then(|| fault(field, Problem::Currency { expected, found }))
}

fn amount(field: String, currency: Currency, amount: Money) -> Option<Fault> {
    if amount.minor() < 0 {
        return Some(fault(field, Problem::Negative));
    }
    of_currency(field, currency, amount.currency())
}
