//! Reviewers who follow a script, for runs without a person: records say `scripted-demo`.

use std::thread::JoinHandle;

use countersign::action::RequestId;
use countersign::desk::ReviewDesk;
use countersign::notify::{Choice, Notice, Notices};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::block_on;

use crate::people::{Player, sign_in, waits};
use crate::played::said;

/// A thread on which every player approves in turn, as far as it still matters.
#[derive(Debug)]
pub struct Scripted {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Scripted {
    pub fn start(desk: ReviewDesk, mut notices: Notices, players: &'static [Player]) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let mut stopped = stopped.fuse();
        let thread = std::thread::spawn(move || {
            block_on(async {
                loop {
                    let notice = futures::select! {
                        notice = notices.next().fuse() => notice,
                        _ = stopped => None,
                    };
                    match notice {
                        None => return,
                        Some(Notice::Ask { card, .. } | Notice::Remind { card, .. }) => {
                            everybody_votes(&desk, players, card.request()).await;
                        }
                        Some(Notice::Settle { .. }) => {}
                    }
                }
            });
        });
        Self { stop, thread }
    }

    /// Lets go of the desk.
    pub fn leave(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            eprintln!("the script has failed");
        }
    }
}

async fn everybody_votes(desk: &ReviewDesk, players: &[Player], request: RequestId) {
    for player in players {
        match vote(desk, *player, request).await {
            Ok(Some(sentence)) => println!("     {sentence}"),
            Ok(None) => {}
            Err(why) => println!("     demo/{} is refused: {why}", player.subject),
        }
    }
}

async fn vote(
    desk: &ReviewDesk,
    player: Player,
    request: RequestId,
) -> Result<Option<String>, String> {
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
    let voted = desk
        .vote(&approver, ballot)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Some(said(player, Choice::Approve, &voted)))
}
