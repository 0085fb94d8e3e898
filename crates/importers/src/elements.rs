//! Cuts the elements of one array out of a JSON answer without holding the answer.

use crate::error::FileError;
use std::io::{BufRead, BufReader, Read};

/// The longest element that is read.
pub(crate) const MAX_ELEMENT_BYTES: usize = 1 << 20;

/// The elements of the array that the answer's member `value` holds, or that the answer is.
pub(crate) struct Elements<R> {
    reader: BufReader<R>,
    place: Place,
    number: u64,
    next_link: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// Inside the array; the answer is an object around it, or nothing.
    Inside(Around),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Object,
    Nothing,
}

impl<R: Read> Elements<R> {
    pub(crate) fn new(reader: R) -> Elements<R> {
        let reader = BufReader::new(reader);
        Elements { reader, place: Place::Start, number: 0, next_link: None }
    }

    /// Where the next page is, once all elements are read.
    pub(crate) fn next_link(&self) -> Option<&str> {
        self.next_link.as_deref()
    }

    /// The next element and its number from 1; none after the whole answer was read.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, FileError> {
        if self.place == Place::Start {
            self.enter()?;
        }
        let Place::Inside(around) = self.place else { return Ok(None) };
        self.skip_over(b',')?;
        if self.peek()? == b']' {
            self.bump()?;
            self.leave(around)?;
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        Ok(Some((self.number, self.value()?)))
    }

    fn enter(&mut self) -> Result<(), FileError> {
        // A byte-order mark stands before some answers that were kept as files.
        for byte in [0xEF, 0xBB, 0xBF] {
            self.skip_over(byte)?;
        }
        match self.bump()? {
            b'[' => {
                self.place = Place::Inside(Around::Nothing);
                Ok(())
            }
            b'{' => self.members(),
            _ => Err(FileError::shape("is neither a JSON object nor an array")),
        }
    }

    /// Reads members until the array is found or the object ends.
    fn members(&mut self) -> Result<(), FileError> {
        loop {
            self.skip_over(b',')?;
            if self.peek()? == b'}' {
                return Err(FileError::shape("has no member `value` with an array"));
            }
            let name = self.member_name()?;
            if name == "value" && self.peek()? == b'[' {
                self.bump()?;
                self.place = Place::Inside(Around::Object);
                return Ok(());
            }
            self.other_member(&name)?;
        }
    }

    /// Reads what follows the array, to the end of the file.
    fn leave(&mut self, around: Around) -> Result<(), FileError> {
        self.place = Place::End;
        if around == Around::Object {
            loop {
                self.skip_over(b',')?;
                if self.peek()? == b'}' {
                    self.bump()?;
                    break;
                }
                let name = self.member_name()?;
                self.other_member(&name)?;
            }
        }
        match self.peek_or_end()? {
            None => Ok(()),
            Some(_) => Err(FileError::shape("goes on after the end of its JSON")),
        }
    }

    fn member_name(&mut self) -> Result<String, FileError> {
        let name = self.value()?;
        if self.bump()? != b':' {
            return Err(FileError::shape("is not JSON: a member has no `:`"));
        }
        serde_json::from_slice(&name)
            .map_err(|_| FileError::shape("is not JSON: a member has no name"))
    }

    fn other_member(&mut self, name: &str) -> Result<(), FileError> {
        let value = self.value()?;
        if name == "nextLink" {
            self.next_link = serde_json::from_slice::<Option<String>>(&value)
                .map_err(|_| FileError::shape("nextLink is no text"))?
                .filter(|link| !link.is_empty());
        }
        Ok(())
    }

    /// Cuts one value off by its brackets and quotes; whether it is JSON, its reader will see.
    fn value(&mut self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        self.peek()?;
        loop {
            let byte = self.raw()?.ok_or_else(cut_short)?;
            let plain = depth == 0 && !quoted && !bytes.is_empty();
            let ends_scalar =
                matches!(byte, b',' | b']' | b'}' | b':') || byte.is_ascii_whitespace();
            if plain && ends_scalar {
                return Ok(bytes);
            }
            self.reader.consume(1);
            bytes.push(byte);
            if bytes.len() > MAX_ELEMENT_BYTES {
                return Err(FileError::shape(format!(
                    "holds a value over {MAX_ELEMENT_BYTES} bytes"
                )));
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth = depth.saturating_add(1),
                b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
                _ => continue,
            }
            if depth == 0 && !quoted && matches!(byte, b'"' | b'}' | b']') {
                return Ok(bytes);
            }
        }
    }

    fn skip_over(&mut self, wanted: u8) -> Result<(), FileError> {
        if self.peek()? == wanted {
            self.reader.consume(1);
        }
        Ok(())
    }

    fn bump(&mut self) -> Result<u8, FileError> {
        let byte = self.peek()?;
        self.reader.consume(1);
        Ok(byte)
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<u8, FileError> {
        self.peek_or_end()?.ok_or_else(cut_short)
    }

    fn peek_or_end(&mut self) -> Result<Option<u8>, FileError> {
        loop {
            match self.raw()? {
                Some(byte) if byte.is_ascii_whitespace() => self.reader.consume(1),
                other => return Ok(other),
            }
        }
    }

    fn raw(&mut self) -> Result<Option<u8>, FileError> {
        let buffer = self.reader.fill_buf().map_err(FileError::Unreadable)?;
        Ok(buffer.first().copied())
    }
}

fn cut_short() -> FileError {
    FileError::shape("ends in the middle of its JSON")
}
