//! Reviewers who follow a script, for runs without a person: records say `scripted-demo`.

use std::thread::JoinHandle;

use countersign::action::RequestId;
use countersign::approval::Status;
use countersign::desk::{ReviewDesk, Voted};
use countersign::gate::{ApprovalGate, Gate};
use countersign::notify::{Choice, Notice, Notices};
use countersign::policy::Supply;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::block_on;

use crate::people::{Player, sign_in, waits};
use crate::played::said;

/// A thread on which every player approves in turn, as far as it still matters.
#[derive(Debug)]
pub struct Scripted {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Vec<RequestId>>,
}

impl Scripted {
    /// Begins to answer; what the votes leave open is withdrawn at the gate, where nobody else would end it.
    pub fn start(
        desk: ReviewDesk,
        gate: Gate,
        mut notices: Notices,
        players: &'static [Player],
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let mut stopped = stopped.fuse();
        let thread = std::thread::spawn(move || {
            block_on(async {
                let mut undecided = Vec::new();
                loop {
                    let notice = futures::select! {
                        notice = notices.next().fuse() => notice,
                        _ = stopped => None,
                    };
                    match notice {
                        None => return undecided,
                        Some(Notice::Ask { card, .. } | Notice::Remind { card, .. }) => {
                            let request = card.request();
                            if !everybody_votes(&desk, players, request).await {
                                undecided.push(request);
                                withdraw(&desk, &gate, players, request).await;
                            }
                        }
                        Some(Notice::Settle { .. }) => {}
                    }
                }
            })
        });
        Self { stop, thread }
    }

    /// Lets go of the desk; gives the requests that the script could not decide.
    pub fn leave(self) -> Result<Vec<RequestId>, &'static str> {
        drop(self.stop);
        self.thread.join().map_err(|_| "the script has failed")
    }
}

/// Whether a vote has settled the request, or there is nothing left to settle.
async fn everybody_votes(desk: &ReviewDesk, players: &[Player], request: RequestId) -> bool {
    let mut settled = false;
    for player in players {
        match vote(desk, *player, request).await {
            Ok(Some((sentence, voted))) => {
                say!("     {sentence}");
                settled |= match voted {
                    Voted::Recorded { status, .. } | Voted::Unchanged { status } => {
                        !matches!(status, Status::Pending { .. })
                    }
                    Voted::Cancelled { .. } => true,
                };
            }
            Ok(None) => {}
            Err(why) => say!("     demo/{} is refused: {why}", player.subject),
        }
    }
    settled
}

/// Says what is missing, and takes the request back.
async fn withdraw(desk: &ReviewDesk, gate: &Gate, players: &[Player], request: RequestId) {
    let mut missing = Vec::new();
    for player in players {
        if let Ok(approver) = sign_in(desk, *player).await
            && let Ok(review) = desk.open(&approver, request).await
        {
            missing = review.card().progress();
            break;
        }
    }
    if missing.is_empty() {
        missing.push("none of them may see it".to_owned());
    }
    say!(
        "     nobody in the script settles it ({}), so it is withdrawn",
        missing.join("; ")
    );
    if let Err(refusal) = gate.withdraw(request).await {
        say!("     it could not be withdrawn: {refusal}");
    }
}

async fn vote(
    desk: &ReviewDesk,
    player: Player,
    request: RequestId,
) -> Result<Option<(String, Voted)>, String> {
    let approver = sign_in(desk, player)
        .await
        .map_err(|error| error.to_string())?;
    if !waits(desk, &approver, request)
        .await
        .map_err(|error| error.to_string())?
    {
        return Ok(None);
    }
    let review = desk
        .open(&approver, request)
        .await
        .map_err(|error| error.to_string())?;
    let ballot = review
        .approve()
        .because("as the script says")
        .map_err(|error| error.to_string())?;
    let ballot = match review.card().must_supply().ticket {
        // Nobody shall take it for a ticket that there is.
        Supply::Required => ballot
            .ticket("SCRIPTED-0")
            .map_err(|error| error.to_string())?,
        Supply::Optional => ballot,
    };
    let voted = desk
        .vote(&approver, ballot)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Some((said(player, Choice::Approve, &voted), voted)))
}
