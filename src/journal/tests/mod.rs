#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod arbitrary;
mod erased;
mod golden;
mod logged;
mod roundtrip;
mod scopes;
mod strict;

use std::collections::BTreeMap;

use super::decode::{DecodeError, Place};
use super::*;
use crate::action::{Disclosure, DisclosureDigest, RequestId, SeededSalts};
use crate::approval::{At, Event, Recorded, testkit};
use crate::canonical::{Admission, Digest, Json, Object, admit};
use crate::log::{Enforcement, Entry, Kind, RequestRef};

/// An entry with its body read again, and a drawer of its disclosures.
#[derive(Clone, Debug)]
struct Filed {
    kind: Kind,
    request: Option<RequestRef>,
    body: Object,
    disclosures: BTreeMap<DisclosureDigest, Disclosure>,
}

const OWN: At = At(1_000);

fn reference(event: &Event) -> Option<RequestRef> {
    let bound = match event {
        event if event.is_of_the_log() => return None,
        Event::Requested(requested) => requested.bound.clone(),
        _ => testkit::bound(testkit::request(9)),
    };
    let id = bound.form().as_object()?.get("request")?.as_str()?;
    Some(RequestRef {
        id: RequestId::parse(id).unwrap(),
        digest: bound.digest(),
    })
}

fn entry(event: &Event) -> Entry {
    let mut salts = SeededSalts::new(7);
    encode(
        event,
        reference(event),
        Writer::gate(Enforcement::Enforced),
        &mut salts,
    )
    .unwrap()
}

fn object(bytes: &[u8]) -> Object {
    let Json::Object(body) = admit(bytes, &Admission::default()).unwrap() else {
        panic!("no object");
    };
    assert_eq!(body.to_canonical(), bytes);
    body
}

impl Filed {
    fn of(event: &Event) -> Self {
        let Entry {
            kind,
            request,
            body,
            disclosures,
            ..
        } = entry(event);
        Self {
            kind,
            request,
            body: object(&body),
            disclosures: disclosures
                .into_iter()
                .map(|one| (one.digest(), one))
                .collect(),
        }
    }

    fn read(&self) -> Result<Event, DecodeError> {
        let place = Place {
            seq: OWN,
            ts: testkit::at(5),
            request: self.request.map(|request| request.id),
            subject: self.request.map_or(Digest::sha256(b"log"), |request| {
                *request.digest.as_digest()
            }),
        };
        let decoded = place.read(self.kind, &self.body, &|digest| {
            self.disclosures.get(digest).cloned()
        })?;
        let Recorded {
            seq,
            ts,
            request,
            action,
            event,
        } = decoded.into_event().expect("an event");
        assert_eq!((seq, ts), (OWN, testkit::at(5)));
        assert_eq!(request, self.request.map(|request| request.id));
        assert_eq!(action, self.request.map(|request| request.digest));
        Ok(event)
    }
}
