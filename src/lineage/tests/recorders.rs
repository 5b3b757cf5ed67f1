use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;

use super::*;
use crate::canonical::Digest;

fn name() -> RecorderName {
    RecorderName::new("memory").unwrap()
}

#[test]
fn the_memory_recorder_conforms_and_holds_every_event_once() {
    let recorder = Arc::new(MemoryRecorder::new(name()));
    assert_eq!(
        block_on(conformance::check(&recorder)),
        Vec::<String>::new()
    );
    assert_eq!(recorder.events(), conformance::sample_events());
    let target = Node::Dataset(Dataset::new("sample://target", "file").reference());
    let answer = Search::new(Question::Provenance(target), Limits::default())
        .run(&recorder.graph())
        .unwrap();
    assert!(answer.nodes.contains(&Node::Dataset(
        Dataset::new("sample://source", "table").reference()
    )));
    assert_eq!(answer.authorisations().len(), 1);
}

#[test]
fn a_rewritten_record_parks_the_memory_recorder() {
    let recorder = MemoryRecorder::new(name());
    let mut events = conformance::sample_events();
    block_on(recorder.record(&events)).unwrap();
    events[1].record.leaf = Digest::sha256(b"another");
    assert!(matches!(
        block_on(recorder.record(&events)),
        Err(RecorderError::Parked { .. })
    ));
    assert_eq!(recorder.events(), conformance::sample_events());
}

/// Takes nothing twice, nor events after a gap.
#[derive(Debug)]
struct Picky {
    name: RecorderName,
    next: Mutex<u64>,
}

#[async_trait]
impl LineageRecorder for Picky {
    fn name(&self) -> &RecorderName {
        &self.name
    }

    async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError> {
        let mut next = self.next.lock().unwrap();
        for event in events {
            if event.recorded.seq.0 < *next {
                return Err(RecorderError::Later {
                    after: Duration::from_secs(1),
                });
            }
            *next = event.recorded.seq.0 + 1;
        }
        Ok(())
    }
}

#[test]
fn a_recorder_that_cannot_bear_repetition_is_told_so() {
    let picky = Picky {
        name: name(),
        next: Mutex::new(0),
    };
    let complaints = block_on(conformance::check(&picky));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].contains("everything, although the first half came before"));
}

#[test]
fn samples_have_edges_and_gaps() {
    let events = conformance::sample_events();
    assert_eq!(events.len(), 4);
    assert!(events.iter().map(|event| event.edges.len()).sum::<usize>() >= 7);
    let numbers: Vec<u64> = events.iter().map(|event| event.recorded.seq.0).collect();
    assert_eq!(numbers, [1, 4, 7, 10]);
}

#[test]
fn names_of_recorders_are_plain() {
    for good in ["a", "open-lineage_2"] {
        assert_eq!(RecorderName::new(good).unwrap().to_string(), good);
    }
    for bad in ["", "A", "1a", "a b", "ä", &"a".repeat(33)] {
        assert_eq!(RecorderName::new(bad), Err(InvalidRecorderName));
    }
}
