//! Invoices and notes as files: their lines as CSV, several in one archive.

use crate::Reckoner;
use crate::documents::INVOICE;
use crate::pages::too_long;
use ::documents::{Archive, invoice_lines, note_lines, write_csv};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller};
use domain::encoding::books::{decode_invoice, decode_note};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use store::DocumentRow;

const ARCHIVE: &str = "bytes of an archive";
const QUERY_BYTES: &str = "limits.query_bytes";

/// A document as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFile {
    /// Its name: `RKC-00000001.csv`, of plain letters, digits and `-_.` alone.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Reckoner {
    /// The lines of an invoice or note, as CSV.
    ///
    /// Errors: [`Error::NotFound`], also for one of an account that the caller may not see;
    /// [`Error::Forbidden`].
    #[boxed]
    pub async fn document_file(
        &self,
        caller: &Caller,
        number: &DocumentNumber,
    ) -> Result<DocumentFile> {
        let row = self.document_row(caller, Action::ReadInvoices, number).await?;
        file_of_lines(row, number).await
    }

    /// The same of several in one ZIP archive, each packed before the next is read. It is in memory
    /// as a whole, like what a query finds.
    ///
    /// Errors: as [`Reckoner::document_file`]; [`Error::TooMuch`].
    #[boxed]
    pub async fn document_archive(
        &self,
        caller: &Caller,
        numbers: &[DocumentNumber],
    ) -> Result<Vec<u8>> {
        let most = (self.limits().query_bytes, QUERY_BYTES);
        let mut archive = Archive::default();
        for number in numbers {
            let DocumentFile { name, bytes } = self.document_file(caller, number).await?;
            let size_bytes = archive.size_bytes().saturating_add(bytes.len() as u64);
            too_long(ARCHIVE, size_bytes, most)?;
            archive = crate::blocking(move || {
                archive.add(&name, &bytes).map_err(|e| Error::internal("pack a document", e))?;
                Ok(archive)
            })
            .await?;
        }
        archive.finish().map_err(|e| Error::internal("pack documents", e))
    }
}

async fn file_of_lines(row: DocumentRow, number: &DocumentNumber) -> Result<DocumentFile> {
    let name = format!("{}.csv", plain_name(&number.to_string()));
    let bytes = crate::blocking(move || {
        let sheet = match row.kind.as_str() {
            INVOICE => invoice_lines(&decode_invoice(&row.body)?)?,
            _ => note_lines(&decode_note(&row.body)?)?,
        };
        let mut bytes = Vec::new();
        write_csv(&sheet, &mut bytes).map_err(|e| Error::internal("write a document", e))?;
        Ok(bytes)
    })
    .await?;
    Ok(DocumentFile { name, bytes })
}

/// A name that every system takes and that stands in headers: of letters, digits and `-_.` alone.
pub fn plain_name(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_that_every_system_takes() {
        let check = |number: &str, expected: &str| assert_eq!(plain_name(number), expected);
        check("RKC-00000001", "RKC-00000001");
        check("a/b \"c\"-00000001", "a_b__c_-00000001");
        check("Kühn-00000001", "K_hn-00000001");
    }
}
