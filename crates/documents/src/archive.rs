//! Several files in one: a ZIP archive whose members are packed one after the other.
//!
//! Source: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16; no member is larger
//! than 4 GiB, and none is a directory.

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Write};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// What a reader must know: deflate.
const VERSION: u16 = 20;
const DEFLATED: u16 = 8;
/// 1980-01-01T00:00:00, the first day that it can tell: equal members give equal bytes.
const TIME_AND_DATE: [u16; 2] = [0, 0x0021];

/// An archive while members are put in. Names are plain ASCII.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    members: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    /// Packs a member.
    ///
    /// Errors: one that is too large, or one too many.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes)?;
        let packed = encoder.finish()?;
        let mut crc = Crc::new();
        crc.update(bytes);
        let at = size(self.members.len())?;
        let mut about = Vec::new();
        put_16(&mut about, &[VERSION, 0, DEFLATED]);
        put_16(&mut about, &TIME_AND_DATE);
        put_32(&mut about, &[crc.sum(), size(packed.len())?, size(bytes.len())?]);
        // The lengths of its name and of nothing else.
        put_16(&mut about, &[u16::try_from(name.len()).map_err(io::Error::other)?, 0]);
        put_32(&mut self.members, &[LOCAL]);
        for part in [about.as_slice(), name.as_bytes(), packed.as_slice()] {
            self.members.extend_from_slice(part);
        }
        put_32(&mut self.directory, &[CENTRAL]);
        put_16(&mut self.directory, &[VERSION]);
        self.directory.extend_from_slice(&about);
        // No comment, the first disk, no attributes.
        put_16(&mut self.directory, &[0, 0, 0]);
        put_32(&mut self.directory, &[0, at]);
        self.directory.extend_from_slice(name.as_bytes());
        self.count = self.count.checked_add(1).ok_or_else(|| io::Error::other("too many"))?;
        Ok(())
    }

    /// How many bytes it holds so far.
    pub fn size_bytes(&self) -> u64 {
        (self.members.len() as u64).saturating_add(self.directory.len() as u64)
    }

    /// The bytes of the archive.
    ///
    /// Errors: one that is too large.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let Archive { members: mut out, directory, count } = self;
        let (at, length) = (size(out.len())?, size(directory.len())?);
        out.extend_from_slice(&directory);
        put_32(&mut out, &[END]);
        put_16(&mut out, &[0, 0, count, count]);
        put_32(&mut out, &[length, at]);
        put_16(&mut out, &[0]);
        Ok(out)
    }
}

fn size(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(io::Error::other)
}

fn put_16(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn put_32(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::DeflateDecoder;
    use std::io::Read;

    fn number(bytes: &[u8], at: usize, length: usize) -> usize {
        bytes[at..at + length].iter().rev().fold(0, |sum, byte| sum * 256 + usize::from(*byte))
    }

    /// Names and contents, found as a reader finds them: from the end.
    fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let end = archive.len() - 22;
        assert_eq!(number(archive, end, 4), END as usize);
        let (count, length) = (number(archive, end + 10, 2), number(archive, end + 12, 4));
        let mut entry = number(archive, end + 16, 4);
        assert_eq!(entry + length, end);
        let mut found = Vec::new();
        for _ in 0..count {
            assert_eq!(number(archive, entry, 4), CENTRAL as usize);
            let packed = number(archive, entry + 20, 4);
            let name_length = number(archive, entry + 28, 2);
            let name = archive[entry + 46..entry + 46 + name_length].to_vec();
            let local = number(archive, entry + 42, 4);
            assert_eq!(number(archive, local, 4), LOCAL as usize);
            // Both tell the same of it.
            assert_eq!(archive[local + 4..local + 30], archive[entry + 6..entry + 32]);
            let start = local + 30 + name_length;
            let mut bytes = Vec::new();
            let decoder = DeflateDecoder::new(&archive[start..start + packed]);
            decoder.take(1 << 20).read_to_end(&mut bytes).unwrap();
            let mut crc = Crc::new();
            crc.update(&bytes);
            assert_eq!(crc.sum() as usize, number(archive, entry + 16, 4));
            assert_eq!(bytes.len(), number(archive, entry + 24, 4));
            found.push((String::from_utf8(name).unwrap(), bytes));
            entry += 46 + name_length;
        }
        assert_eq!(entry, end);
        found
    }

    #[test]
    fn what_is_put_into_an_archive_is_found_in_it() {
        let check = |members: &[(&str, &[u8])]| {
            let mut archive = Archive::default();
            for (name, bytes) in members {
                archive.add(name, bytes).unwrap();
            }
            let size_bytes = archive.size_bytes();
            let archive = archive.finish().unwrap();
            assert_eq!(archive.len() as u64, size_bytes + 22, "with its end");
            let found = unpacked(&archive);
            let told: Vec<(&str, &[u8])> =
                found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
            assert_eq!(told, members);
        };
        check(&[]);
        check(&[("a.csv", b"")]);
        check(&[("a.csv", b"line,net\r\n1,2.50\r\n"), ("b.csv", &[7; 70_000])]);
    }

    #[test]
    fn an_archive_is_one_that_others_read() {
        let mut archive = Archive::default();
        archive.add("a", b"a").unwrap();
        let expected = "504b03041400000008000000210043beb7e803000000010000000100000061";
        let hex: String =
            archive.finish().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(hex.starts_with(expected), "{hex}");
    }
}
