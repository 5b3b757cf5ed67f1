use super::super::testkit::*;
use super::super::*;
use super::broken;

#[test]
fn a_record_about_another_action_or_request_is_refused() {
    let mut story = Story::begin(asking(requirement("1 of group:a")));
    let good = story.next(1, approve(2, &["group:a"]));
    for bad in [
        Recorded {
            request: Some(request(8)),
            ..good.clone()
        },
        Recorded {
            action: Some(bound(request(8)).digest()),
            ..good.clone()
        },
        Recorded {
            action: None,
            ..good.clone()
        },
    ] {
        assert_eq!(
            broken(story.state.apply(&bad)),
            (MeaningRule::M2, Why::OtherRequest)
        );
    }
    assert_eq!(story.state.apply(&good), Ok(()));
}

#[test]
fn a_request_filed_under_another_id_than_it_binds_to_is_refused() {
    let story = Story::begin(asking(requirement("1 of group:a")));
    let good = story.records[0].clone();
    let bad = Recorded {
        request: Some(request(8)),
        ..good.clone()
    };
    assert_eq!(RequestState::begin(&bad).unwrap_err().why, Why::OtherBound);
    let bad = Recorded {
        action: Some(bound(request(8)).digest()),
        ..good
    };
    assert_eq!(RequestState::begin(&bad).unwrap_err().rule, MeaningRule::M2);
}

#[test]
fn records_come_in_order() {
    let mut story =
        Story::begin(asking(requirement("2 of group:a"))).tell(5, approve(2, &["group:a"]));
    let next = story.next(6, approve(3, &["group:a"]));
    for bad in [
        Recorded {
            seq: At(1),
            ..next.clone()
        },
        Recorded { ts: at(4), ..next },
    ] {
        assert_eq!(broken(story.state.apply(&bad)).1, Why::OutOfOrder);
    }
}
