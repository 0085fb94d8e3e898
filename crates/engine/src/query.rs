//! What can be asked: inputs, filters, groups, measures and order.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Result;
use crate::facts::FileFacts;
use crate::rows::{Rows, Value};
use crate::schema::Schema;

/// Where rows come from.
#[derive(Clone, Debug)]
pub enum Input {
    /// Rows of a written file.
    File {
        /// What writing it returned.
        facts: Arc<FileFacts>,
        /// Rows of it that newer rows replace.
        without: Option<Without>,
        /// Whether its columns are worth keeping decoded.
        keep: Keep,
    },
    /// Rows in memory.
    Memory(Rows),
}

impl Input {
    /// A whole file, read from its object.
    pub fn file(facts: Arc<FileFacts>) -> Input {
        Input::File { facts, without: None, keep: Keep::Packed }
    }
}

/// Whether the columns a question needs of a file stay decoded in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Read from the object every time: for old and rarely asked files.
    Packed,
    /// Decode whole columns once and keep them while the cache has room: for the newest files.
    Decoded,
}

/// Values whose rows a file must not show.
pub type Hidden = Arc<HashSet<i64>>;

/// Hides rows of a file: those whose integer column holds one of the values.
#[derive(Clone, Debug)]
pub struct Without {
    /// The integer column.
    pub column: &'static str,
    /// Its hidden values. Files that share one set are read together.
    pub values: Hidden,
}

/// A yes-or-no test of a row. A null fails every test but [`Filter::IsNull`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The column holds one of the values.
    In {
        /// The column.
        column: &'static str,
        /// The values; none of them fits no row.
        values: Vec<Value>,
    },
    /// The integer column holds a value in the half-open interval.
    Between {
        /// The column.
        column: &'static str,
        /// The least value that passes.
        from: i64,
        /// The least value above `from` that does not.
        until: i64,
    },
    /// The column holds no value.
    IsNull(&'static str),
    /// The test fails.
    Not(Box<Filter>),
    /// At least one of the tests passes.
    Any(Vec<Filter>),
}

/// One part of what makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The value of a column.
    Column(&'static str),
    /// An integer column divided, rounding down: instants into days, days into weeks. Gives Int64.
    Divided {
        /// The column.
        column: &'static str,
        /// The divisor, above zero.
        by: i64,
        /// The name in the answer.
        name: &'static str,
    },
    /// An integer column less a number, divided, rounding down: instants into days that begin at
    /// another hour than those of UTC. Gives Int64.
    DividedFrom {
        /// The column.
        column: &'static str,
        /// What is taken from it: what gives 0.
        from: i64,
        /// The divisor, above zero.
        by: i64,
        /// The name in the answer.
        name: &'static str,
    },
    /// The calendar month of an integer column that counts days since 1970-01-01, as months since
    /// January 1970. Gives Int32.
    MonthOfDay {
        /// The column.
        column: &'static str,
        /// The name in the answer.
        name: &'static str,
    },
}

impl Group {
    /// The name in the answer.
    pub fn name(&self) -> &'static str {
        match self {
            Group::Column(name)
            | Group::Divided { name, .. }
            | Group::DividedFrom { name, .. }
            | Group::MonthOfDay { name, .. } => name,
        }
    }

    pub(crate) fn column(&self) -> &'static str {
        match self {
            Group::Column(column)
            | Group::Divided { column, .. }
            | Group::DividedFrom { column, .. }
            | Group::MonthOfDay { column, .. } => column,
        }
    }
}

/// One number of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The sum of a column, under its name: Int64 of integers, Quantity of decimals. Null where a
    /// group has only nulls.
    Sum(&'static str),
    /// The number of rows, as Int64 `count`.
    Count,
    /// The least value of a column.
    Min {
        /// The column.
        column: &'static str,
        /// The name in the answer.
        name: &'static str,
    },
    /// The greatest value of a column.
    Max {
        /// The column.
        column: &'static str,
        /// The name in the answer.
        name: &'static str,
    },
}

impl Measure {
    /// The name in the answer.
    pub fn name(&self) -> &'static str {
        match self {
            Measure::Sum(name) | Measure::Min { name, .. } | Measure::Max { name, .. } => name,
            Measure::Count => "count",
        }
    }

    pub(crate) fn column(&self) -> Option<&'static str> {
        match self {
            Measure::Sum(column) | Measure::Min { column, .. } | Measure::Max { column, .. } => {
                Some(column)
            }
            Measure::Count => None,
        }
    }
}

/// Which way an order runs. Nulls come last going up and first coming down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Least first.
    Up,
    /// Greatest first.
    Down,
}

/// One part of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The column, by its name in the answer.
    pub column: &'static str,
    /// Which way.
    pub turn: Turn,
}

impl Order {
    /// Least first.
    pub fn up(column: &'static str) -> Order {
        Order { column, turn: Turn::Up }
    }

    /// Greatest first.
    pub fn down(column: &'static str) -> Order {
        Order { column, turn: Turn::Down }
    }
}

/// A question for rows as they are.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The columns that the inputs have; a file that lacks a nullable one shows nulls.
    pub schema: Schema,
    /// Where the rows come from.
    pub inputs: Vec<Input>,
    /// Tests that a row must all pass.
    pub filters: Vec<Filter>,
    /// The columns of the answer.
    pub columns: Vec<&'static str>,
    /// The order of the answer, by columns of the answer. Rows that it leaves equal come in any
    /// order, so a caller that cuts pages orders by something unique.
    pub order_by: Vec<Order>,
    /// The most rows wanted.
    pub limit: Option<u64>,
}

/// A question for groups of rows and their measures.
#[derive(Clone, Debug)]
pub struct Query {
    /// The columns that the inputs have; a file that lacks a nullable one shows nulls.
    pub schema: Schema,
    /// Where the rows come from.
    pub inputs: Vec<Input>,
    /// Tests that a row must all pass.
    pub filters: Vec<Filter>,
    /// What makes a group; nothing makes one group of everything, even of no rows.
    pub group_by: Vec<Group>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// The order of the answer, by names of groups and measures. Equal rows are ordered by their
    /// groups, so an ordered answer is always the same.
    pub order_by: Vec<Order>,
    /// The most groups wanted, of those in order.
    pub limit: Option<u64>,
    /// The most groups that may exist before the limit; more is refused.
    pub max_groups: u64,
}

/// The groups of a [`Query`].
#[derive(Clone, Debug)]
pub struct Answer {
    /// The groups' columns, then the measures'.
    pub schema: Schema,
    /// The groups, in pieces.
    pub parts: Vec<Rows>,
}

impl Answer {
    /// The number of groups.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Rows::len).sum()
    }

    /// Whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups in one piece.
    ///
    /// Errors: as [`Rows::concat`].
    pub fn into_rows(self) -> Result<Rows> {
        match <[Rows; 1]>::try_from(self.parts) {
            Ok([rows]) => Ok(rows),
            Err(parts) => Rows::concat(&self.schema, &parts),
        }
    }
}
