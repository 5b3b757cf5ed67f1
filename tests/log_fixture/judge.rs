//! Changing a log, and asking the verifier.

use countersign::log::{
    Checkpoint, Frontier, HeadRow, Kind, Rule, Seq, Statement, Verdict, leaf_hash,
};

use super::{Image, Writer, golden};

#[track_caller]
pub fn assert_broken(verdict: &Verdict, seq: u64, rule: Rule) {
    match verdict {
        Verdict::Broken(broken) if broken.seq == Seq::new(seq) && broken.rule == rule => {}
        other => panic!("expected rule {rule} at {seq}, got: {other}"),
    }
}

/// The same after something was done to the log.
#[track_caller]
pub fn after(writer: &Writer, change: impl FnOnce(&mut Image)) -> Verdict {
    let mut image = writer.image.clone();
    change(&mut image);
    assert_ne!(image, writer.image, "nothing was changed");
    image.verdict(&writer.trusted())
}

/// The verdict after a key holder changed the last record and put everything beside it right.
pub fn resealed(mut writer: Writer, at: usize) -> Verdict {
    let statement = writer.image.record(at).statement.clone();
    let row = writer.image.row(at);
    row.record.leaf = leaf_hash(&statement);
    if let Ok(parsed) = Statement::parse(&statement) {
        row.columns.ts = parsed.ts;
        row.columns.kind = parsed.kind.to_string();
        row.columns.request = parsed.request;
        row.columns.prev = parsed.prev;
    }
    let mut frontier = Frontier::empty();
    for row in 0..=at {
        frontier.push(writer.image.record(row).leaf);
    }
    let checkpoint = Checkpoint {
        origin: writer.genesis.origin().clone(),
        size: at as u64 + 1,
        root: frontier.root(),
    };
    let note = checkpoint.sign(&writer.keys.checkpoint).unwrap();
    writer.image.checkpoints.last_mut().unwrap().1 = note;
    writer.image.head = HeadRow::NotKept;
    writer.image.verdict(&writer.trusted())
}

/// The verdict over a log whose last record a key holder wrote in this way.
pub fn written(change: impl Fn(&str) -> String) -> Verdict {
    let mut writer = golden();
    let hidden = [("reason", "why"), ("comment", "because")];
    let entry = writer.entry(Kind::Revoked, Some(2), &[("micros", 12.into())], &hidden);
    writer.commit_with(&[entry], |statement| {
        let text = String::from_utf8(statement.clone()).unwrap();
        let changed = change(&text);
        assert_ne!(changed, text);
        *statement = changed.into_bytes();
    });
    resealed(writer, 12)
}
