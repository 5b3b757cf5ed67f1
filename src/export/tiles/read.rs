//! An exported directory as a log that can be verified.

use std::{
    fs, io,
    num::NonZeroU32,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    WIDTH,
    bundle::{self, MOST_ENTRY_BYTES, MOST_SIGNATURE_BYTES},
    handed::Handed,
    paths::{self, Sort},
    published, words,
};
use crate::{
    action::DisclosureDigest,
    export::named::NamedKeys,
    log::{
        Columns, HeadRow, LogReader, Origin, ReadError, Row, RowRecord, Seq, StoredRecord, Subtree,
        VerifiedGenesis,
    },
};

/// How many bytes of statements one answer holds, about.
const PORTION: usize = 1 << 20;

/// The largest policy file.
const MOST_POLICY: usize = 1_000_000;

/// A tiles directory, read as its checkpoint has it; what lies beyond is not looked at.
///
/// Everything is judged by its bytes: a tile, bundle or line of another form, length or place than it should have is handed
/// to the verifier as a bad row, and so is a record of which an older partial bundle says something else. The
/// file `keys` is never read: it is a suggestion, and keys come from outside.
///
/// Another export into the directory does not disturb it, unless that one replaces disclosures.
#[derive(Debug)]
pub struct TilesReader {
    directory: PathBuf,
    checkpoint: Vec<u8>,
    /// As the checkpoint says.
    size: u64,
    /// Where the first bundle is missing.
    end: u64,
    policy: Option<Vec<u8>>,
    /// The bundle that was read last, and its number.
    bundle: Option<(u64, Vec<Row>)>,
    /// How many bundles, from the first one on, were looked through for changes of keys, and these.
    followed: u64,
    changes: Vec<StoredRecord>,
    handed: Handed,
}

impl TilesReader {
    /// Reads the checkpoint of a directory.
    ///
    /// # Errors
    /// [`ReadError`] if there is none or it is none; whether it is signed is for the verifier to find.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, ReadError> {
        let directory = directory.as_ref().to_path_buf();
        let found = published::checkpoint(&directory).map_err(ReadError::new)?;
        let (note, checkpoint) = found.ok_or_else(|| {
            ReadError::new(format!("`{}` has no checkpoint", directory.display()))
        })?;
        let size = checkpoint
            .ok_or_else(|| ReadError::new("its file `checkpoint` is no checkpoint"))?
            .size;
        let policy = paths::read(&directory.join(paths::POLICY), MOST_POLICY);
        Ok(Self {
            policy: policy.map_err(ReadError::new)?,
            directory,
            checkpoint: note,
            size,
            end: size,
            bundle: None,
            followed: 0,
            changes: Vec::new(),
            handed: Handed::default(),
        })
    }

    fn file(
        &self,
        sort: Sort,
        number: u64,
        entries: u64,
        most: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        match sort.path(number, entries) {
            Some(path) => paths::read(&self.directory.join(path), most),
            None => Ok(None),
        }
    }

    /// The rows of a bundle; `None` if it is not there.
    fn rows(&mut self, number: u64) -> io::Result<Option<&[Row]>> {
        if self.bundle.as_ref().is_none_or(|(read, _)| *read != number) {
            self.bundle = self.read_bundle(number)?.map(|rows| (number, rows));
            if number == self.followed
                && let Some((_, rows)) = &self.bundle
            {
                let changes = rows.iter().filter(|row| row.changes_keys());
                self.changes.extend(changes.filter_map(|row| match row {
                    Row::Record(row) => Some(row.record.clone()),
                    Row::Malformed { .. } => None,
                }));
                self.followed += 1;
            }
        }
        Ok(self.bundle.as_ref().map(|(_, rows)| rows.as_slice()))
    }

    fn read_bundle(&self, number: u64) -> io::Result<Option<Vec<Row>>> {
        let width = usize::try_from(paths::width(number, self.size)).unwrap_or_default();
        let file = |sort, most| self.file(sort, number, self.size, most);
        let Some(entries) = file(Sort::Entries, MOST_ENTRY_BYTES)? else {
            return Ok(None);
        };
        let signatures = file(Sort::Signatures, MOST_SIGNATURE_BYTES)?.unwrap_or_default();
        let hashes = file(Sort::Tile(0), 32 * width)?.unwrap_or_default();
        let read = bundle::read_entries(&entries, width);
        let signed = bundle::read_signatures(&signatures, width);
        let leaves = bundle::read_hashes(&hashes, width);
        let ends: Vec<usize> = (1..=width).map(|hash| hash * 32).collect();
        // Records from these on are said to be something else in a partial bundle.
        let entries_until = self.agreed(Sort::Entries, number, &entries, &read.ends)?;
        let signed_until = self.agreed(Sort::Signatures, number, &signatures, &signed.ends)?;
        let leaves_until = self.agreed(Sort::Tile(0), number, &hashes, &ends)?;

        let mut statements = read.entries.into_iter();
        let mut signatures = signed.entries.into_iter();
        let mut leaves = leaves.unwrap_or_default().into_iter();
        let mut rows = Vec::with_capacity(width);
        for (place, seq) in (number * WIDTH..).take(width).map(Seq::new).enumerate() {
            let mut row = |statement: Option<Vec<u8>>| {
                let record = StoredRecord {
                    seq,
                    statement: statement.ok_or("its bundle of entries has another length")?,
                    signatures: signatures
                        .next()
                        .ok_or("the bundle of its signatures is missing or has another length")?,
                    leaf: leaves
                        .next()
                        .ok_or("the tile of its leaf is missing or has another length")?,
                };
                if place >= entries_until {
                    return Err("a partial bundle of entries says something else");
                }
                if place >= signed_until {
                    return Err("a partial bundle of signatures says something else");
                }
                if place >= leaves_until {
                    return Err("a partial tile says something else");
                }
                let columns = Columns::of(&record.statement);
                Ok(Row::Record(Box::new(RowRecord { record, columns })))
            };
            rows.push(row(statements.next()).unwrap_or_else(|what| Row::Malformed { seq, what }));
        }
        Ok(Some(rows))
    }

    /// From which entry on a partial form of a bundle, published earlier or left by a run that did not end, says something else
    /// than the bundle itself.
    fn agreed(&self, sort: Sort, number: u64, bytes: &[u8], ends: &[usize]) -> io::Result<usize> {
        let mut agreed = usize::MAX;
        let partial = match fs::read_dir(self.directory.join(sort.partial(number))) {
            Ok(partial) => partial,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(agreed);
            }
            Err(error) => return Err(error),
        };
        for file in partial {
            let file = file?;
            let name = file.file_name();
            let width = name.to_str().and_then(|name| {
                let width: usize = name.parse().ok()?;
                ((1..256).contains(&width) && width.to_string() == name).then_some(width)
            });
            let Some(width) = width else {
                return Ok(0);
            };
            let other = paths::read(&file.path(), bytes.len())?.unwrap_or_default();
            let own = match width.checked_sub(1).and_then(|last| ends.get(last)) {
                // Of one that is wider, what both have is compared.
                None => bytes,
                Some(end) => bytes.get(..*end).unwrap_or_default(),
            };
            let shorter = width < ends.len() && other.len() != own.len();
            let same = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
            if shorter || same < own.len() {
                agreed = agreed.min(ends.partition_point(|end| *end <= same).min(width - 1));
            }
        }
        Ok(agreed)
    }

    /// The origin of the log, and the keys that its records name.
    fn named_keys(&mut self) -> io::Result<Option<(Origin, NamedKeys)>> {
        let genesis = match self.rows(0)?.and_then(<[Row]>::first) {
            Some(Row::Record(row)) => VerifiedGenesis::check(&row.record).ok(),
            Some(Row::Malformed { .. }) | None => None,
        };
        while self.followed * WIDTH < self.end && self.rows(self.followed)?.is_some() {}
        let Some(genesis) = genesis else {
            return Ok(None);
        };
        let mut named = NamedKeys::of_genesis(genesis.genesis());
        let followed = self.changes.iter().try_for_each(|one| named.follow(one));
        Ok(followed
            .is_ok()
            .then(|| (genesis.genesis().origin().clone(), named)))
    }

    fn subtrees_of(&self, level: u8, places: Range<u64>) -> io::Result<Vec<Subtree>> {
        let hashes = self.size >> (8 * u32::from(level));
        let places = places.start..places.end.min(hashes);
        let mut found = Vec::new();
        let mut next = places.start;
        while next < places.end {
            let number = next / WIDTH;
            let sort = Sort::Tile(level);
            let width = usize::try_from(paths::width(number, hashes)).unwrap_or_default();
            let Some(bytes) = self.file(sort, number, hashes, 32 * width)? else {
                break;
            };
            let Some(tile) = bundle::read_hashes(&bytes, width) else {
                break;
            };
            let ends: Vec<usize> = (1..=width).map(|hash| hash * 32).collect();
            let agreed = self.agreed(sort, number, &bytes, &ends)?;
            let all = (number * WIDTH..).zip(tile).take(agreed);
            found.extend(
                all.filter(|(index, _)| places.contains(index))
                    .map(|(index, hash)| Subtree { level, index, hash }),
            );
            next = (number + 1) * WIDTH;
        }
        Ok(found)
    }

    /// Reads what is filed under these records, unless it was the last that was read.
    fn hand(&mut self, records: Range<u64>) -> Result<&mut Handed, ReadError> {
        let end = records.end.min(self.end);
        let records = records.start.min(end)..end;
        if self.handed.records != records {
            self.handed = Handed::read(&self.directory, records).map_err(ReadError::new)?;
        }
        Ok(&mut self.handed)
    }
}

impl LogReader for TilesReader {
    /// There is none; that the policy is the one of this log is told here, once the records were read.
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        // Of a log whose genesis or whose changes of keys are none, nothing is expected, and it is broken all the same.
        if let Some((origin, named)) = self.named_keys().map_err(ReadError::new)? {
            let expected = words::policy(&origin, &named, self.size);
            if self.policy.as_deref() != Some(expected.as_bytes()) {
                return Err(ReadError::new(
                    "its policy is not the one of this log: it was changed, or an export that was cut short has to be run again",
                ));
            }
        }
        Ok(HeadRow::NotKept)
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let mut found: Vec<Row> = Vec::new();
        let (mut next, mut bytes) = (from.get(), 0);
        while next < self.end && found.len() < most && bytes < PORTION {
            let number = next / WIDTH;
            let Some(rows) = self.rows(number).map_err(ReadError::new)? else {
                // What follows a gap cannot be judged, and a forged size could go on for ever.
                self.end = number * WIDTH;
                break;
            };
            let skip = usize::try_from(next % WIDTH).unwrap_or_default();
            for row in rows.iter().skip(skip).take(most - found.len()) {
                if let Row::Record(row) = row {
                    bytes += row.record.statement.len();
                }
                found.push(row.clone());
                next += 1;
            }
        }
        Ok(found)
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let own = sizes.contains(&self.size);
        Ok(own
            .then(|| (self.size, self.checkpoint.clone()))
            .into_iter()
            .collect())
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        self.subtrees_of(level, places).map_err(ReadError::new)
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let handed = self.hand(records)?;
        Ok(handed.given.clone())
    }

    fn withheld(&mut self, records: Range<u64>) -> Result<Vec<(Seq, DisclosureDigest)>, ReadError> {
        let handed = self.hand(records)?;
        Ok(handed.withheld.clone())
    }
}
