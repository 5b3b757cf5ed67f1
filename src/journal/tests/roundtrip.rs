use std::sync::Arc;

use proptest::prelude::*;

use super::arbitrary::events;
use super::*;
use crate::approval::testkit::*;
use crate::log::Role;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_is_read_as_it_was_written(event in events()) {
        let filed = Filed::of(&event);
        prop_assert_eq!(filed.kind.as_str(), event.kind());
        prop_assert_eq!(filed.read(), Ok(event));
    }

    #[test]
    fn every_digest_has_its_disclosure_and_no_disclosure_is_stray(event in events()) {
        let filed = Filed::of(&event);
        let body = String::from_utf8(filed.body.to_canonical()).unwrap();
        for digest in filed.disclosures.keys() {
            prop_assert_eq!(body.matches(&digest.to_string()).count(), 1);
        }
    }
}

#[test]
fn nothing_hidden_stands_in_the_clear() {
    let mut vote = voted(2, crate::approval::Choice::Approve, &["group:a"]);
    vote.comment = Some(crate::approval::Hidden::Known("looks harmless".to_owned()));
    let mut ask = asking(requirement("1 of group:a"));
    ask.because = Some(crate::approval::Hidden::Known("monthly report".to_owned()));
    let end = crate::approval::Finished {
        used: vec![
            (&crate::action::Dataset::new("file://host", "/patients/rita").sensitive()).into(),
        ],
        ..finished(
            crate::approval::Outcome::Succeeded,
            crate::approval::Timing::InTime,
        )
    };
    for event in [
        Event::Voted(Box::new(vote)),
        Event::Requested(Arc::new(ask)),
        Event::Finished(Box::new(end)),
        cancel(),
    ] {
        let body = String::from_utf8(entry(&event).body).unwrap();
        for hidden in [
            "looks harmless",
            "monthly",
            "person-2",
            "person-7",
            "because",
            "rita",
            "recipient",
            "csv",
        ] {
            assert!(!body.contains(hidden), "`{hidden}` in {body}");
        }
    }
}

#[test]
fn a_desk_signs_what_a_desk_may_sign() {
    let salts = &mut SeededSalts::new(1);
    let mut role =
        |event: &Event, writer| encode(event, reference(event), writer, salts).unwrap().role;
    let (gate, desk) = (
        Writer::gate(Enforcement::Enforced),
        Writer::desk(Enforcement::Enforced),
    );
    let expired = expire(crate::approval::Unmet::Pending);
    assert_eq!(
        (role(&expired, gate), role(&expired, desk)),
        (Role::Gate, Role::Desk)
    );
    let vote = approve(2, &["group:a"]);
    assert_eq!(
        (role(&vote, gate), role(&vote, desk)),
        (Role::Desk, Role::Desk)
    );
    assert_eq!(
        (role(&withdraw(), gate), role(&withdraw(), desk)),
        (Role::Gate, Role::Gate)
    );
}

#[test]
fn an_event_and_its_request_go_together() {
    let salts = &mut SeededSalts::new(1);
    let writer = Writer::gate(Enforcement::Enforced);
    let ask = Event::Requested(Arc::new(asking(requirement("1 of group:a"))));
    let own = reference(&ask).unwrap();
    assert_eq!(
        encode(&ask, None, writer, salts).unwrap_err(),
        EncodeError::Request { kind: "requested" }
    );
    let clock = Event::Clock(crate::approval::ClockDoubted {
        instance: instance(1),
        what: crate::approval::ClockDoubt::Jump,
        micros: 1,
    });
    assert_eq!(
        encode(&clock, Some(own), writer, salts).unwrap_err(),
        EncodeError::Request { kind: "clock" }
    );
    let other = RequestRef {
        digest: bound(request(8)).digest(),
        ..own
    };
    assert_eq!(
        encode(&ask, Some(other), writer, salts).unwrap_err(),
        EncodeError::OtherRequest
    );
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    let clock = Event::Clock(crate::approval::ClockDoubted {
        instance: instance(1),
        what: crate::approval::ClockDoubt::Jump,
        micros: 1 << 53,
    });
    let refused = encode(
        &clock,
        None,
        Writer::gate(Enforcement::Enforced),
        &mut SeededSalts::new(1),
    );
    assert_eq!(
        refused.unwrap_err(),
        EncodeError::TooLarge { member: "micros" }
    );
}
