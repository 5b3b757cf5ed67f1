//! Writing the lines.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

use super::line::{Header, MOST_LINE, RecordLine, checkpoint_line};
use crate::{
    export::{
        disclosing::{Filed, STEP},
        disk::{Disk, DiskFile, parent},
        error::{ExportError, io as io_at},
        run::{Exported, Exporting, Progress},
        survey::{Start, broken, genesis, rows, survey},
    },
    log::{Frontier, Rule},
};

/// Writes a new file under another name, and gives it its own once it is whole and on the disk.
pub(in crate::export) fn export(
    exporting: &mut Exporting<'_>,
    disk: &mut dyn Disk,
    path: &Path,
) -> Result<Exported, ExportError> {
    let occupied = || ExportError::Occupied {
        path: path.to_path_buf(),
    };
    if path.try_exists().map_err(io_at(path))? {
        return Err(occupied());
    }
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".partial");
    let staged = path.with_file_name(name);
    let mut file = DiskFile::create(disk, &staged).map_err(io_at(&staged))?;
    let written = write(exporting, &mut file)
        .and_then(|exported| file.finish().map(|()| exported).map_err(io_at(&staged)));
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            // What is left of it would only be in the way; the error says more than this one could.
            let _ = disk.remove(&staged);
            return Err(error);
        }
    };
    if path.try_exists().map_err(io_at(path))? {
        return Err(occupied());
    }
    disk.rename(&staged, path).map_err(io_at(path))?;
    let directory = parent(path);
    disk.sync_dir(directory).map_err(io_at(directory))?;
    Ok(exported)
}

pub(in crate::export) fn write(
    exporting: &mut Exporting<'_>,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let genesis = genesis(exporting.reader)?;
    let start = Start {
        frontier: Frontier::empty(),
        published: None,
    };
    let surveyed = survey(exporting, &genesis, start)?;
    let header = Header {
        log: *genesis.log(),
        origin: genesis.origin().clone(),
        records: surveyed.size,
    };
    let not_the_same = || {
        let why = "the log was read twice and was not the same";
        broken(surveyed.size - 1, Rule::S4, why)
    };
    put(out, &header.to_line().ok_or_else(not_the_same)?)?;
    let mut frontier = Frontier::empty();
    let (mut filed, mut filed_until) = (Vec::new().into_iter().peekable(), 0);
    while frontier.size() < surveyed.size {
        let from = frontier.size();
        let rows = rows(exporting.reader, from)?;
        let end = rows
            .last()
            .ok_or_else(not_the_same)?
            .record
            .seq
            .next()
            .get();
        let mut checkpoints = exporting
            .reader
            .checkpoints(from + 1..end + 1)?
            .into_iter()
            .peekable();
        for row in rows {
            let seq = row.record.seq.get();
            frontier.push(row.record.leaf);
            let mut line = RecordLine {
                seq,
                statement: row.record.statement,
                signatures: row.record.signatures,
                ..RecordLine::default()
            };
            if seq >= filed_until {
                filed_until = end.min(seq + STEP as u64);
                let Exporting {
                    reader,
                    disclosing,
                    count,
                    ..
                } = exporting;
                let few = disclosing.file(*reader, seq..filed_until, count)?;
                filed = few.into_iter().peekable();
            }
            while let Some((_, filed)) = filed.next_if(|(filed, _)| filed.get() <= seq) {
                match filed {
                    Filed::Given(text) => line.disclosures.push(text),
                    Filed::Withheld(digest) => line.withheld.push(digest),
                }
            }
            let line = line.to_line();
            if line.len() > MOST_LINE {
                let why = "with its disclosures it does not fit into a line of 16 MiB";
                return Err(ExportError::Write(io::Error::other(why)));
            }
            put(out, &line)?;
            while let Some((size, note)) = checkpoints.next_if(|(size, _)| *size <= frontier.size())
            {
                let line = str::from_utf8(&note)
                    .ok()
                    .and_then(|note| checkpoint_line(size, note));
                put(out, &line.ok_or_else(not_the_same)?)?;
            }
        }
        (exporting.progress)(Progress::Written(end));
    }
    if frontier.root() != surveyed.root {
        return Err(not_the_same());
    }
    out.flush().map_err(ExportError::Write)?;
    Ok(Exported {
        log: header.log,
        origin: header.origin,
        from: 0,
        size: surveyed.size,
        given: exporting.count.given,
        withheld: exporting.count.withheld,
    })
}

fn put(out: &mut dyn Write, line: &[u8]) -> Result<(), ExportError> {
    out.write_all(line)
        .and_then(|()| out.write_all(b"\n"))
        .map_err(ExportError::Write)
}
