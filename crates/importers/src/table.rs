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
}

impl<R: Read> Table<R> {
    /// Reads the first row; a byte-order mark before it is left out.
    pub(crate) fn open(reader: R, delimiter: u8, naming: Naming) -> Result<Table<R>, FileError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(Limited { inner: reader, left: Cell::new(MAX_ROW_BYTES) });
        let mut head = csv::StringRecord::new();
        if !reader.read_record(&mut head).map_err(file_error)? {
            return Err(FileError::shape("is empty"));
        }
        let columns = columns(head.iter(), naming);
        Ok(Table { reader, columns, record: csv::StringRecord::new() })
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Goes to the next row and tells its line; none at the end.
    pub(crate) fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        self.reader.get_ref().left.set(MAX_ROW_BYTES);
        let line = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.record.position().map_or(line, csv::Position::line);
                self.check_width(line)?;
                Ok(Some(line))
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                Err(self.wrong(line, "is not UTF-8".to_owned()).into())
            }
            Err(error) => Err(file_error(error).into()),
        }
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

/// Ends a read that goes on for too long without a row's end: a quote that is never closed.
struct Limited<R> {
    inner: R,
    left: Cell<usize>,
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
        self.left.set(left.saturating_sub(count));
        Ok(count)
    }
}
