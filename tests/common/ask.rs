//! Asking, looking and voting in few words.

use countersign::action::{Action, RequestId};
use countersign::desk::{Ballot, Review};
use countersign::gate::{ApprovalGate, Filing, Gate, Permit, Refusal, Standing};
use futures::FutureExt;
use futures::executor::block_on;

use super::World;

/// Files an action that has to wait for people.
pub fn file(gate: &Gate, action: Action) -> RequestId {
    match block_on(gate.request(action)).unwrap() {
        Filing::Waiting(request) => request,
        Filing::Permitted(permit) => panic!("{permit:?}"),
    }
}

pub fn standing(gate: &Gate, request: RequestId) -> Option<Standing> {
    block_on(gate.open_requests())
        .unwrap()
        .into_iter()
        .find(|one| one.request == request)
        .map(|one| one.standing)
}

pub fn is_pending(gate: &Gate, request: RequestId) -> bool {
    matches!(standing(gate, request), Some(Standing::Pending { .. }))
}

pub fn is_approved(gate: &Gate, request: RequestId) -> bool {
    matches!(standing(gate, request), Some(Standing::Approved { .. }))
}

pub fn review(world: &World, subject: &str, request: RequestId) -> Review {
    block_on(world.desk.open(&world.approver(subject), request)).unwrap()
}

/// Runs what a request was approved for, and gives the parameters that the effect was given.
pub fn parameters_of_run(gate: &Gate, request: RequestId) -> String {
    let permit = block_on(gate.resume(request)).unwrap();
    let done = block_on(permit.run(async |authorized| {
        let parameters = countersign::canonical::Json::Object(authorized.parameters().clone());
        Ok::<_, String>(String::from_utf8(parameters.to_canonical()).unwrap())
    }))
    .unwrap();
    done.into_value()
}

/// A ballot as JSON in which one text was put in the place of another.
pub fn forged(ballot: &Ballot, was: &str, is: &str) -> Ballot {
    let text = String::from_utf8(ballot.to_json()).unwrap();
    assert!(text.contains(was));
    Ballot::parse(text.replace(was, is).as_bytes()).unwrap()
}

/// Resumes a request that has to answer without anybody deciding anything.
pub fn resume_at_once(gate: &Gate, request: RequestId) -> Result<Permit, Refusal> {
    gate.resume(request)
        .now_or_never()
        .expect("it answers at once and does not wait for people")
}
