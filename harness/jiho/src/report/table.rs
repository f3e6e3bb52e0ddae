//! Tables as CSV files, written row by row, so that a crash keeps what was written.

use std::fs::File;
use std::io::BufWriter;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;

/// Why a table cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened, written or read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its content is not what its columns' names promise.
    #[error("{path}: {source}; it was written by another version of jiho, or changed by hand", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line and field.
        source: csv::Error,
    },
}

/// A CSV file being written. Its columns are the fields of its row type, as serde names them.
#[derive(Debug)]
pub struct Table<R> {
    path: PathBuf,
    writer: csv::Writer<BufWriter<File>>,
    rows: PhantomData<fn(R)>,
}

impl<R: Serialize + DeserializeOwned> Table<R> {
    /// Creates the file with its header.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn create(path: &Path) -> Result<Self, TableError> {
        let file = File::create(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
        // Its own header would come with the first row: a table without rows would have none.
        let writer = csv::WriterBuilder::new().has_headers(false).from_writer(BufWriter::new(file));
        let mut table = Self { path: path.to_owned(), writer, rows: PhantomData };
        table.writer.write_record(Self::columns()).map_err(|error| content(path, error))?;
        table.flush()?;
        Ok(table)
    }

    /// The columns' names, in order.
    pub fn columns() -> &'static [&'static str] {
        serde_introspect::<R>()
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn row(&mut self, row: &R) -> Result<(), TableError> {
        self.writer.serialize(row).map_err(|error| content(&self.path, error))
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> Result<(), TableError> {
        self.writer.flush().map_err(|source| TableError::Io { path: self.path.clone(), source })
    }

    /// Writes a whole table at once.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn write(path: &Path, rows: impl IntoIterator<Item = R>) -> Result<(), TableError> {
        let mut table = Self::create(path)?;
        for row in rows {
            table.row(&row)?;
        }
        table.flush()
    }

    /// Reads a whole table; one that is not there has no rows.
    ///
    /// # Errors
    /// The file cannot be read, or its rows are not of this kind.
    pub fn read_if_there(path: &Path) -> Result<Vec<R>, TableError> {
        if path.is_file() { Self::read(path) } else { Ok(Vec::new()) }
    }

    /// Reads a whole table. A last row that a crash cut short is left out.
    ///
    /// # Errors
    /// The file cannot be read, or its rows are not of this kind.
    pub fn read(path: &Path) -> Result<Vec<R>, TableError> {
        let text = std::fs::read(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        csv::Reader::from_reader(&text[..whole])
            .deserialize()
            .collect::<Result<_, _>>()
            .map_err(|error| content(path, error))
    }
}

fn content(path: &Path, error: csv::Error) -> TableError {
    let path = path.to_owned();
    if !error.is_io_error() {
        return TableError::Content { path, source: error };
    }
    match error.into_kind() {
        csv::ErrorKind::Io(source) => TableError::Io { path, source },
        other => TableError::Io { path, source: std::io::Error::other(format!("{other:?}")) },
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        delay_ns: Option<i64>,
    }

    fn rows() -> Vec<Row> {
        let named = |name: &str, delay_ns| Row { name: name.to_owned(), delay_ns };
        vec![named("ana", Some(-5)), named("ben, the second", None), named("lena", Some(123_456))]
    }

    fn read_text(text: &[u8]) -> Result<Vec<Row>, TableError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delays.csv");
        std::fs::write(&path, text).unwrap();
        Table::read(&path)
    }

    fn written(rows: Vec<Row>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delays.csv");
        Table::write(&path, rows).unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        assert_eq!(written(Vec::new()), b"name,delay_ns\n");
        assert!(read_text(b"name,delay_ns\n").unwrap().is_empty());
    }

    #[test]
    fn the_header_is_that_of_the_rows() {
        let mut by_serde = csv::Writer::from_writer(Vec::new());
        rows().iter().for_each(|row| by_serde.serialize(row).unwrap());
        assert_eq!(written(rows()), by_serde.into_inner().unwrap());
    }

    #[test]
    fn what_is_written_is_read_again_and_missing_is_empty() {
        assert_eq!(String::from_utf8(written(rows())).unwrap().lines().nth(2), Some("\"ben, the second\","));
        assert_eq!(read_text(&written(rows())).unwrap(), rows());
    }

    #[test]
    fn a_row_that_a_crash_cut_short_is_left_out_wherever_it_was_cut() {
        let whole = written(rows());
        let ends: Vec<usize> = (0..whole.len()).filter(|&n| whole[n] == b'\n').collect();
        for cut in 0..=whole.len() {
            // The header, then the rows.
            let complete = ends.iter().filter(|&&end| end < cut).count().saturating_sub(1);
            assert_eq!(read_text(&whole[..cut]).unwrap(), rows()[..complete], "cut after {cut} bytes");
        }
    }

    #[test]
    fn a_field_that_is_no_number_is_named_with_its_file_and_line() {
        let error = read_text(b"name,delay_ns\nana,5\nben,soon\n").unwrap_err().to_string();
        for words in ["delays.csv", "line: 3", "changed by hand"] {
            assert!(error.contains(words), "{words:?} is not in {error}");
        }
    }
}
