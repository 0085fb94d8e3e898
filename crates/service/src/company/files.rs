//! Company files: TOML with an array of tables for each kind, in any number of files.

use super::check_books::PlaceFaults;
use super::locate::line_of;
use super::wrong::{Wrong, join};
use super::{
    ACCEPTED_AGREEMENT, AGREEMENT, BILLING_ACCOUNT, BILLING_TERMS, CLIENT, EXCHANGE_RATE,
    INSTRUCTION, KINDS, LEGAL_ENTITY, LOT, METER, NAME, OFFER, PAYMENT_METHOD, PLAN, PRICE_LIST,
    PRODUCT, RESERVATION, ROLE_ASSIGNMENT, SOURCE, SUBSCRIPTION, TAGS, TAX_RATE, TENANT,
};
use super::{
    Folding, Thing, accepted_agreements, agreements, billing_terms, catalog, check, holdings,
    instructions, legal_entities, level_of, lots, parties, payment_methods, places, plans,
    price_lists, reservations, tags, vendor,
};
use domain::catalog::PriceList;
use domain::company::Company;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Most bytes of one company file; vendors' files may be larger.
const MOST_BYTES: u64 = 64 << 20;
/// Most directories inside each other.
const MOST_LEVELS: usize = 16;

/// What a directory of company files declares: each thing once, by kind, then key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// The things.
    pub things: Vec<Thing>,
    /// What the operator should know although nothing is wrong.
    pub notices: Vec<FileProblem>,
}

/// Something wrong in a company file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Which file, from the directory that was read.
    pub file: PathBuf,
    /// Which line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Which key: `subscription[0].placements[1].offer`; empty for the file as a whole.
    pub key: String,
    /// What is wrong there, and what would be right.
    pub problem: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A thing, and where it stands.
struct Entry {
    thing: Thing,
    file: usize,
    key: String,
    is_imported: bool,
}

/// One file's name and text.
struct File {
    name: PathBuf,
    text: String,
}

#[derive(Default)]
struct Reader {
    /// Where they lie; files in memory lie nowhere.
    dir: Option<PathBuf>,
    files: Vec<File>,
    entries: Vec<Entry>,
    problems: Vec<FileProblem>,
    notices: Vec<FileProblem>,
}

/// Reads every `*.toml` below a directory, in the order of their names.
///
/// References may also point at what `known` holds: what was declared before.
/// Errors: every problem found, by file and line.
pub fn read_dir(dir: &Path, known: &Company) -> Result<Declared, Vec<FileProblem>> {
    let mut reader = Reader { dir: Some(dir.to_owned()), ..Reader::default() };
    let mut names = Vec::new();
    reader.list((dir, Path::new("")), 0, &mut names);
    names.sort();
    for name in names {
        reader.read_file(dir, name);
    }
    if reader.files.is_empty() && reader.problems.is_empty() {
        reader.file_problem(Path::new("."), "holds no company files (*.toml)");
    }
    reader.declared(known)
}

/// Reads company files that stand in memory, by name and text; as [`read_dir`] otherwise. They
/// cannot name files of vendors.
pub fn read_texts(
    texts: impl IntoIterator<Item = (impl Into<PathBuf>, String)>,
    known: &Company,
) -> Result<Declared, Vec<FileProblem>> {
    let mut reader = Reader::default();
    for (name, text) in texts {
        reader.read_text(name.into(), text);
    }
    reader.declared(known)
}

/// Brings things into the order of [`KINDS`], then of their keys.
fn sort(things: &mut [Thing]) {
    things.sort_by_cached_key(|thing| (rank(thing), thing.key()));
}

/// The place of a thing's kind in [`KINDS`]: what it refers to comes before it.
fn rank(thing: &Thing) -> Option<usize> {
    KINDS.iter().position(|known| *known == thing.kind())
}

impl Declared {
    /// The company that results when the things take their places in a known one, as if they were
    /// its next facts.
    pub fn over(&self, known: &Company) -> Company {
        let mut folding = Folding::of(known.clone());
        for thing in &self.things {
            let number = folding.company.version.saturating_add(1);
            folding.put(thing.clone(), number);
        }
        folding.company
    }

    /// What does not hold between the things, and with what `known` holds: `kind key: problem`.
    ///
    /// Files have been checked when they were read; this is for what is declared otherwise.
    pub fn problems(&self, known: &Company) -> Vec<String> {
        let company = self.over(known);
        let faults = PlaceFaults::find(&company, self.things.iter());
        let of = |thing: &Thing| {
            let name = format!("{} `{}`", thing.kind(), thing.key());
            let wrongs = check::check(&company, &faults, thing).into_iter();
            wrongs
                .map(|wrong| format!("{name}: {}: {}", wrong.path, wrong.problem))
                .collect::<Vec<_>>()
        };
        self.things.iter().flat_map(of).collect()
    }
}

impl From<Vec<Thing>> for Declared {
    fn from(mut things: Vec<Thing>) -> Declared {
        sort(&mut things);
        Declared { things, notices: Vec::new() }
    }
}

impl Reader {
    /// What was read, once all of it holds.
    fn declared(mut self, known: &Company) -> Result<Declared, Vec<FileProblem>> {
        self.drop_doubles();
        if self.problems.is_empty() {
            self.check_all(known);
        }
        self.problems.sort_by(|a, b| (&a.file, a.line, &a.key).cmp(&(&b.file, b.line, &b.key)));
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let mut things: Vec<Thing> = self.entries.into_iter().map(|entry| entry.thing).collect();
        sort(&mut things);
        Ok(Declared { things, notices: self.notices })
    }

    fn file_problem(&mut self, file: &Path, problem: impl fmt::Display) {
        self.problems.push(FileProblem {
            file: file.to_owned(),
            line: 0,
            key: String::new(),
            problem: problem.to_string(),
        });
    }

    fn wrong(&mut self, file: usize, key: &str, wrong: Wrong) {
        let problem = self.located(file, key, wrong);
        self.problems.push(problem);
    }

    fn located(&self, file: usize, key: &str, wrong: Wrong) -> FileProblem {
        let key = join(key, &wrong.path);
        let File { name, text } = &self.files[file];
        let line = line_of(text, &key);
        FileProblem { file: name.clone(), line, key, problem: wrong.problem }
    }

    fn line_problem(&mut self, file: usize, line: usize, key: String, problem: String) {
        let file = self.files[file].name.clone();
        self.problems.push(FileProblem { file, line, key, problem });
    }

    /// Collects the names of company files; links to directories are not followed.
    fn list(&mut self, (dir, below): (&Path, &Path), level: usize, names: &mut Vec<PathBuf>) {
        if level > MOST_LEVELS {
            return self.file_problem(below, format!("lies more than {MOST_LEVELS} levels deep"));
        }
        let entries = match std::fs::read_dir(dir.join(below)) {
            Ok(entries) => entries,
            Err(error) => {
                let below = if level == 0 { Path::new(".") } else { below };
                return self.file_problem(below, format!("cannot be read: {error}"));
            }
        };
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.file_type()?.is_dir(), entry.file_name()))) {
                Ok((true, name)) => {
                    self.list((dir, &below.join(name)), level.saturating_add(1), names);
                }
                Ok((false, name)) => {
                    let path = below.join(name);
                    if path.extension().is_some_and(|extension| extension == "toml") {
                        names.push(path);
                    }
                }
                Err(error) => self.file_problem(below, format!("cannot be read: {error}")),
            }
        }
    }

    fn read_file(&mut self, dir: &Path, name: PathBuf) {
        let path = dir.join(&name);
        let size = std::fs::metadata(&path).map_or(0, |facts| facts.len());
        if size > MOST_BYTES {
            return self.file_problem(&name, format!("is larger than {MOST_BYTES} bytes"));
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return self.file_problem(&name, format!("cannot be read: {error}")),
        };
        self.read_text(name, text);
    }

    fn read_text(&mut self, name: PathBuf, text: String) {
        let file = self.files.len();
        self.files.push(File { name, text: text.clone() });
        match DeTable::parse(&text) {
            Ok(table) => {
                for (kind, value) in table.into_inner() {
                    self.read_kind(file, &kind, value);
                }
            }
            Err(error) => {
                let line = error.span().map_or(0, |span| line_at(&text, span.start));
                self.line_problem(file, line, String::new(), error.message().to_owned());
            }
        }
    }

    fn read_kind(&mut self, file: usize, kind: &Spanned<impl AsRef<str>>, value: Spanned<DeValue>) {
        let kind = kind.get_ref().as_ref();
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            let problem = format!("is not known; known: {}", KINDS.join(", "));
            return self.wrong(file, kind, Wrong::new("", problem));
        };
        match value.get_ref() {
            DeValue::Array(_) => {}
            _ => return self.wrong(file, kind, Wrong::new("", format!("must be [[{kind}]]"))),
        }
        let DeValue::Array(items) = value.into_inner() else { return };
        for (at, item) in items.into_iter().enumerate() {
            let key = format!("{kind}[{at}]");
            match self.read_thing(file, kind, &key, item) {
                Ok(things) => {
                    self.entries.extend(things.into_iter().enumerate().map(|(nth, thing)| Entry {
                        thing,
                        file,
                        key: key.clone(),
                        is_imported: nth > 0,
                    }))
                }
                Err(FieldFault { wrong, offset: None }) => self.wrong(file, &key, wrong),
                Err(FieldFault { wrong, offset: Some(offset) }) => {
                    let line = line_at(&self.files[file].text, offset);
                    self.line_problem(file, line, join(&key, &wrong.path), wrong.problem);
                }
            }
        }
    }

    /// The thing that a table declares, and behind it the meters that it imports.
    fn read_thing(
        &mut self,
        file: usize,
        kind: &str,
        key: &str,
        item: Spanned<DeValue>,
    ) -> Result<Vec<Thing>, FieldFault> {
        let item = exact(item);
        if !item.get_ref().is_table() {
            return Err(Wrong::new("", format!("must be a table, as below [[{kind}]]")).into());
        }
        if kind == PRICE_LIST {
            return self.read_list(file, key, twin(item)?);
        }
        Ok(vec![thing_of(kind, key, item)?])
    }

    fn read_list(
        &mut self,
        file: usize,
        key: &str,
        mut twin: price_lists::PriceList,
    ) -> Result<Vec<Thing>, FieldFault> {
        let import = twin.import.take();
        let mut list = PriceList::try_from(twin)?;
        let mut brought = vendor::Brought::default();
        if let Some(import) = import {
            let Some(dir) = &self.dir else {
                let problem = "names a vendor's file, which only `reckoner apply` can read";
                return Err(Wrong::new("import", problem).into());
            };
            let path = dir.join(&self.files[file].name);
            brought = vendor::fill(&mut list, &import, path.parent().unwrap_or(dir))?;
        }
        for notice in brought.notices {
            let problem = self.located(file, key, notice);
            self.notices.push(problem);
        }
        let meters = brought.meters.into_iter().map(Thing::Meter);
        Ok(std::iter::once(Thing::PriceList(list)).chain(meters).collect())
    }

    /// Refuses what is declared twice. An imported meter gives way to one that is declared in a
    /// file, and to the same meter of an earlier import.
    fn drop_doubles(&mut self) {
        let mut first: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
        let mut dropped = BTreeSet::new();
        let mut doubles = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let key = (entry.thing.kind(), entry.thing.key());
            match first.get(&key).map(|before| (*before, &self.entries[*before])) {
                None => {
                    first.insert(key, at);
                }
                Some(_) if entry.is_imported => {
                    dropped.insert(at);
                }
                Some((before, earlier)) if earlier.is_imported => {
                    dropped.insert(before);
                    first.insert(key, at);
                }
                Some((before, _)) => doubles.push((before, at)),
            }
        }
        for (before, at) in doubles {
            let (earlier, entry) = (&self.entries[before], &self.entries[at]);
            let file = &self.files[earlier.file];
            let line = line_of(&file.text, &earlier.key);
            let name = file.name.display();
            let problem = format!("`{}` is declared in {name}:{line} already", entry.thing.key());
            let (file, key) = (entry.file, entry.key.clone());
            self.wrong(file, &key, Wrong::new("", problem));
        }
        let mut places = 0..;
        self.entries.retain(|_| places.next().is_none_or(|at| !dropped.contains(&at)));
    }

    fn check_all(&mut self, known: &Company) {
        let mut folding = Folding::of(known.clone());
        let mut things: Vec<&Thing> = self.entries.iter().map(|entry| &entry.thing).collect();
        things.sort_by_key(|thing| rank(thing));
        for thing in things {
            folding.put(thing.clone(), 0);
        }
        let company = folding.company;
        let faults = PlaceFaults::find(&company, self.entries.iter().map(|entry| &entry.thing));
        let wrongs: Vec<(usize, String, Wrong)> = self
            .entries
            .iter()
            .flat_map(|entry| {
                let wrongs = check::check(&company, &faults, &entry.thing);
                wrongs.into_iter().map(|wrong| (entry.file, entry.key.clone(), wrong))
            })
            .collect();
        for (file, key, wrong) in wrongs {
            self.wrong(file, &key, wrong);
        }
    }
}

/// What is wrong in a table, and at which byte of the file, where that is known.
struct FieldFault {
    wrong: Wrong,
    offset: Option<usize>,
}

impl From<Wrong> for FieldFault {
    fn from(wrong: Wrong) -> FieldFault {
        FieldFault { wrong, offset: None }
    }
}

/// The thing that a table of any kind but price lists declares.
fn thing_of(kind: &str, key: &str, item: Spanned<DeValue>) -> Result<Thing, FieldFault> {
    Ok(match kind {
        TENANT => Thing::Tenant(twin::<parties::Tenant>(item)?.into()),
        LEGAL_ENTITY => Thing::LegalEntity(twin::<legal_entities::LegalEntity>(item)?.try_into()?),
        BILLING_ACCOUNT => {
            let (currency, step) = twin::<parties::BillingAccount>(item)?.try_into()?;
            Thing::BillingAccount(currency, step)
        }
        AGREEMENT => Thing::Agreement(twin::<agreements::Agreement>(item)?.try_into()?),
        TAX_RATE => Thing::TaxRate(twin::<legal_entities::TaxRate>(item)?.try_into()?),
        EXCHANGE_RATE => {
            Thing::ExchangeRate(twin::<legal_entities::ExchangeRate>(item)?.try_into()?)
        }
        BILLING_TERMS => {
            Thing::BillingTerms(twin::<billing_terms::BillingTerms>(item)?.try_into()?)
        }
        OFFER => Thing::Offer(twin::<catalog::Offer>(item)?.into()),
        METER => Thing::Meter(twin::<catalog::Meter>(item)?.try_into()?),
        SUBSCRIPTION => {
            let (subscription, held) = twin::<parties::Subscription>(item)?.try_into()?;
            Thing::Subscription(subscription, held)
        }
        PRODUCT => Thing::Product(twin::<holdings::Product>(item)?.try_into()?),
        LOT => {
            let (account, lot) = twin::<lots::Lot>(item)?.try_into()?;
            Thing::Lot(account, lot)
        }
        PLAN => {
            let (account, plan) = twin::<plans::Plan>(item)?.try_into()?;
            Thing::Plan(account, plan)
        }
        PAYMENT_METHOD => {
            let (account, step) = twin::<payment_methods::PaymentMethod>(item)?.try_into()?;
            Thing::PaymentMethod(account, step)
        }
        ACCEPTED_AGREEMENT => {
            let (account, step) =
                twin::<accepted_agreements::AcceptedAgreement>(item)?.try_into()?;
            Thing::AcceptedAgreement(account, step)
        }
        INSTRUCTION => {
            let (account, step) = twin::<instructions::Instruction>(item)?.try_into()?;
            Thing::Instruction(account, step)
        }
        TAGS => Thing::Tags(twin::<tags::Tags>(item)?.try_into()?),
        RESERVATION => {
            let (account, held) = twin::<reservations::Reservation>(item)?.try_into()?;
            Thing::Reservation(account, Box::new(held))
        }
        SOURCE => Thing::Source(twin::<parties::Source>(item)?.into()),
        NAME => Thing::Name(twin::<parties::Name>(item)?.try_into()?),
        CLIENT => Thing::Client(twin::<parties::Client>(item)?.try_into()?),
        ROLE_ASSIGNMENT => {
            Thing::RoleAssignment(twin::<parties::RoleAssignment>(item)?.try_into()?)
        }
        _ => match level_of(kind) {
            Some(level) => Thing::Place(twin::<places::Place>(item)?.step(level)?),
            None => return Err(Wrong::new("", format!("{key} is of no known kind")).into()),
        },
    })
}

fn twin<T: DeserializeOwned>(item: Spanned<DeValue>) -> Result<T, FieldFault> {
    let reader = toml::de::ValueDeserializer::from(item);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let inner = error.into_inner();
        let offset = inner.span().map(|span| span.start);
        FieldFault { wrong: Wrong::new(path, inner.message()), offset }
    })
}

/// Turns decimals with a point into their text, so that no binary float stands between.
fn exact(value: Spanned<DeValue>) -> Spanned<DeValue> {
    let span = value.span();
    let exact = match value.into_inner() {
        DeValue::Float(number) => DeValue::String(number.as_str().to_owned().into()),
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(exact).collect()),
        DeValue::Table(table) => {
            DeValue::Table(table.into_iter().map(|(key, value)| (key, exact(value))).collect())
        }
        other => other,
    };
    Spanned::new(span, exact)
}

/// The line of a byte, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
