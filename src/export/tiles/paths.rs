//! Where things stand in an exported directory.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::WIDTH;

pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const KEYS: &str = "keys";
pub(super) const POLICY: &str = "policy";
/// Files on their way, and the lock of whoever writes. A web server need not serve it.
pub(super) const STAGING: &str = ".staging";

/// What comes in bundles of 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Hashes of a level of the tree.
    Tile(u8),
    /// Statements.
    Entries,
    /// The signatures beside them.
    Signatures,
}

impl Sort {
    fn directory(self) -> PathBuf {
        match self {
            Self::Tile(level) => ["tile", &level.to_string()].iter().collect(),
            Self::Entries => ["tile", "entries"].iter().collect(),
            Self::Signatures => PathBuf::from("sig"),
        }
    }

    /// The bundle of this number in a tree of that many entries; `None` if it has none.
    pub(super) fn path(self, number: u64, entries: u64) -> Option<PathBuf> {
        let path = numbered(self.directory(), number);
        match width(number, entries) {
            0 => None,
            WIDTH => Some(path),
            width => Some(beside(&path).join(width.to_string())),
        }
    }

    /// The directory of its partial forms.
    pub(super) fn partial(self, number: u64) -> PathBuf {
        beside(&numbered(self.directory(), number))
    }
}

/// The file with the disclosures of a bundle.
pub(super) fn disclosures(number: u64) -> PathBuf {
    numbered(PathBuf::from("disclosures"), number)
}

/// How many entries the bundle of this number has, of so many in all.
pub(super) fn width(number: u64, entries: u64) -> u64 {
    let first = number.saturating_mul(WIDTH);
    entries.saturating_sub(first).min(WIDTH)
}

/// `x001/x234/067`: three digits a step, all but the last behind an `x`.
fn numbered(mut directory: PathBuf, number: u64) -> PathBuf {
    let digits = number.to_string();
    let steps = digits.len().div_ceil(3);
    let padded = format!("{number:0>width$}", width = steps * 3);
    for step in 0..steps {
        let three = padded.get(step * 3..step * 3 + 3).unwrap_or_default();
        directory.push(if step + 1 == steps {
            three.to_owned()
        } else {
            format!("x{three}")
        });
    }
    directory
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".p");
    PathBuf::from(name)
}

/// A file's bytes, or as many as `most` and one more; `None` if it is not there.
pub(super) fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A file; `None` if it is not there.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    match fs::metadata(path) {
        // Opening a pipe would wait for its writer.
        Ok(what) if !what.is_file() => {
            let why = format!("`{}` is no file", path.display());
            Err(io::Error::other(why))
        }
        Ok(_) => File::open(path).map(Some),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_tlog_tiles() {
        let path = |sort: Sort, number, entries| {
            let path = sort.path(number, entries)?;
            Some(path.to_string_lossy().into_owned())
        };
        let full = u64::MAX;
        assert_eq!(
            path(Sort::Tile(0), 1_234_067, full).as_deref(),
            Some("tile/0/x001/x234/067")
        );
        assert_eq!(
            path(Sort::Entries, 999, full).as_deref(),
            Some("tile/entries/999")
        );
        assert_eq!(
            path(Sort::Signatures, 1000, full).as_deref(),
            Some("sig/x001/000")
        );
        // The examples of the specification: 70,000 entries, and 256.
        assert_eq!(
            path(Sort::Tile(0), 273, 70_000).as_deref(),
            Some("tile/0/273.p/112")
        );
        assert_eq!(
            path(Sort::Tile(1), 1, 70_000 >> 8).as_deref(),
            Some("tile/1/001.p/17")
        );
        assert_eq!(
            path(Sort::Tile(2), 0, 70_000 >> 16).as_deref(),
            Some("tile/2/000.p/1")
        );
        assert_eq!(path(Sort::Tile(0), 0, 256).as_deref(), Some("tile/0/000"));
        assert_eq!(path(Sort::Tile(0), 1, 256), None);
        assert_eq!(path(Sort::Tile(1), 0, 1).as_deref(), Some("tile/1/000.p/1"));
    }
}
