//! Rows of a CSV file.

use crate::error::{FileError, ImportError, RowError, cut};
use crate::row::{Column, Naming, Row, columns};
use std::cell::Cell;
use std::io::Read;

/// The longest row that is read.
const MAX_ROW_BYTES: usize = 1 << 20;

/// A CSV file whose first row names its columns.
pub(crate) struct Table<R> {
    reader: csv::Reader<Limited<R>>,
    columns: Vec<Column>,
    record: csv::StringRecord,
    /// The line on which the row before ends.
    ended: u64,
}

impl<R: Read> Table<R> {
    /// Reads the first row; a byte-order mark before it is left out.
    pub(crate) fn open(reader: R, delimiter: u8, naming: Naming) -> Result<Table<R>, FileError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(Limited::new(reader));
        let mut head = csv::StringRecord::new();
        if !reader.read_record(&mut head).map_err(file_error)? {
            return Err(FileError::shape("is empty"));
        }
        let columns = columns(head.iter(), naming);
        let mut table = Table { reader, columns, record: csv::StringRecord::new(), ended: 0 };
        table.ended = table.line_of_end();
        Ok(table)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Goes to the next row and tells its line; none at the end.
    pub(crate) fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        self.reader.get_ref().left.set(MAX_ROW_BYTES);
        let next = self.ended.saturating_add(1);
        match self.reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                self.ended = self.line_of_end();
                let within = self.record.as_slice().bytes().filter(|byte| *byte == b'\n').count();
                let line = self.ended.saturating_sub(within as u64);
                self.check_width(line)?;
                Ok(Some(line))
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                self.ended = self.line_of_end();
                Err(self.wrong(next, "is not UTF-8".to_owned()).into())
            }
            Err(error) => Err(file_error(error).into()),
        }
    }

    /// The line on which the row just read ends. The reader counts line feeds, and stops before
    /// the one of a row that ends in a carriage return and a line feed.
    fn line_of_end(&self) -> u64 {
        let position = self.reader.position();
        let is_fed = self.reader.get_ref().byte_before(position.byte()) == Some(b'\n');
        position.line().saturating_sub(u64::from(is_fed))
    }

    /// Real exports leave cells out at the end of a row; no row may have more than its head.
    fn check_width(&self, line: u64) -> Result<(), RowError> {
        if self.record.len() <= self.columns.len() {
            return Ok(());
        }
        let problem =
            format!("has {} cells; the head has {}", self.record.len(), self.columns.len());
        Err(self.wrong(line, problem))
    }

    fn wrong(&self, line: u64, problem: String) -> RowError {
        RowError { line, field: "row".to_owned(), problem, raw: self.raw() }
    }

    pub(crate) fn row(&self) -> Row<'_> {
        Row::of_table(&self.columns, self.record.iter())
    }

    pub(crate) fn raw(&self) -> String {
        cut(&self.record.iter().collect::<Vec<_>>().join(","), 1_000)
    }
}

fn file_error(error: csv::Error) -> FileError {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => FileError::Unreadable(cause),
        _ => FileError::shape(text),
    }
}

/// Ends a read that goes on for too long without a row's end: a quote that is never closed. Keeps
/// what it read last, so that the byte which ended a row can be looked at.
struct Limited<R> {
    inner: R,
    left: Cell<usize>,
    newest: Vec<u8>,
    read_bytes: u64,
}

impl<R> Limited<R> {
    fn new(inner: R) -> Limited<R> {
        Limited { inner, left: Cell::new(MAX_ROW_BYTES), newest: Vec::new(), read_bytes: 0 }
    }

    /// The byte before an offset from the start, if it came with the newest ones.
    fn byte_before(&self, offset: u64) -> Option<u8> {
        let from_end = usize::try_from(self.read_bytes.checked_sub(offset)?).ok()?;
        let place = self.newest.len().checked_sub(from_end)?.checked_sub(1)?;
        self.newest.get(place).copied()
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            let problem = format!("a row is longer than {MAX_ROW_BYTES} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, problem));
        }
        let most = left.min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        if count > 0 {
            self.newest.clear();
            self.newest.extend_from_slice(&buffer[..count]);
            self.read_bytes = self.read_bytes.saturating_add(count as u64);
        }
        self.left.set(left.saturating_sub(count));
        Ok(count)
    }
}
