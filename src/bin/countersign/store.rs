//! A log, in whichever form it lies.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use countersign::export::{JsonlReader, TilesReader};
use countersign::log::{
    Checkpoint, Head, HeadRow, LogReader, Note, ReadError, Row, Seq, VerifiedGenesis,
};
use countersign::store::SqliteStore;
use countersign::values::{Unsealed, ValueKeys};

use crate::ending::{Failure, whole};

/// How every SQLite file begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// A log that is only read.
pub struct Log {
    /// The name of its form.
    pub form: &'static str,
    /// The store, where it is one.
    pub store: Option<SqliteStore>,
    pub reader: Box<dyn LogReader + Send>,
}

impl Log {
    /// Opens it with the keys of its hidden values, where they are given.
    pub fn opening(path: &Path, values: Option<&Path>) -> Result<Self, Failure> {
        let mut log = Self::open(path)?;
        let Some(values) = values else {
            return Ok(log);
        };
        let keys = ValueKeys::read(values).map_err(|error| Failure::cannot(error.to_string()))?;
        if let Some(Ok(genesis)) = genesis(log.reader.as_mut())?
            && *genesis.genesis().log() != keys.log()
        {
            return Err(Failure::cannot(format!(
                "`{}` has the keys of another log's values, {}",
                values.display(),
                keys.log()
            )));
        }
        log.reader = Box::new(Unsealed::new(log.reader, keys));
        Ok(log)
    }

    /// Looks which form it has, and opens it without a trace.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let named = |why: String| Failure::cannot(format!("`{}`: {why}", path.display()));
        let found = fs::metadata(path).map_err(|error| named(error.to_string()))?;
        if found.is_dir() {
            let tiles = TilesReader::open(path).map_err(|error| named(whole(&error)))?;
            return Ok(Self {
                form: "tiles",
                store: None,
                reader: Box::new(tiles),
            });
        }
        if found.is_file() && is_sqlite(path).map_err(|error| named(error.to_string()))? {
            let opened = SqliteStore::open_read_only(path).and_then(|store| {
                let reader = Box::new(store.log_reader()?);
                Ok(Self {
                    form: "sqlite",
                    store: Some(store),
                    reader,
                })
            });
            return opened.map_err(|error| named(whole(&error)));
        }
        let lines = JsonlReader::open(path).map_err(|error| {
            named(format!(
                "neither a SQLite file, a directory of tiles nor JSON Lines: {}",
                whole(&error)
            ))
        })?;
        Ok(Self {
            form: "jsonl",
            store: None,
            reader: Box::new(lines),
        })
    }
}

fn is_sqlite(path: &Path) -> std::io::Result<bool> {
    let mut beginning = Vec::new();
    let many = SQLITE.len() as u64;
    File::open(path)?.take(many).read_to_end(&mut beginning)?;
    Ok(beginning == SQLITE)
}

/// The genesis, if it is one.
pub fn genesis(
    reader: &mut (dyn LogReader + Send),
) -> Result<Option<Result<VerifiedGenesis, String>>, ReadError> {
    let first = reader.records(Seq::GENESIS, std::num::NonZeroU32::MIN)?;
    Ok(first.first().map(|row| match row {
        Row::Record(row) => VerifiedGenesis::check(&row.record).map_err(|error| error.to_string()),
        Row::Malformed { what, .. } => Err((*what).to_owned()),
    }))
}

/// The newest checkpoint of a log, and what it says; nobody has checked it.
pub fn newest_checkpoint(
    reader: &mut (dyn LogReader + Send),
) -> Result<(Vec<u8>, Checkpoint), Failure> {
    let note = match reader.head_row()? {
        HeadRow::Stored(bytes) => {
            let head = Head::decode(&bytes);
            head.map_err(|error| Failure::broken(error.to_string()))?
                .checkpoint
        }
        HeadRow::Missing => return Err(Failure::broken("the head row is missing")),
        HeadRow::NotKept => {
            let last = reader.checkpoints(0..u64::MAX)?.pop();
            last.ok_or_else(|| Failure::cannot("the log has no checkpoint"))?
                .1
        }
    };
    let checkpoint = Note::parse(&note)
        .map_err(|error| error.to_string())
        .and_then(|note| {
            Checkpoint::parse(note.unverified_text()).map_err(|error| error.to_string())
        });
    let checkpoint = checkpoint
        .map_err(|error| Failure::broken(format!("the newest checkpoint is damaged: {error}")))?;
    Ok((note, checkpoint))
}
