//! Reviewers who are played at the terminal: before each question you say who answers it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use countersign::action::RequestId;
use countersign::approval::Status;
use countersign::desk::{Review, ReviewDesk, Voted};
use countersign::identity::Approver;
use countersign::notify::{
    Answer, ChannelName, Choice, DeliveryError, Limits, MessageRef, Notice, NoticeId, Notifier,
    Responder, Terminal, ToReview,
};

use crate::people::{Player, sign_in, waits};
use crate::prompt::Prompt;

/// A terminal that asks, and leaves it to the agent's own lines to say how things went on.
#[derive(Debug)]
pub struct Asking(pub Arc<Terminal>);

#[async_trait]
impl Notifier for Asking {
    fn channel(&self) -> &ChannelName {
        self.0.channel()
    }

    fn limits(&self) -> &Limits {
        self.0.limits()
    }

    async fn deliver(
        &self,
        notice: &Notice,
        earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        match (notice, earlier) {
            (Notice::Settle { .. }, Some(mark)) => Ok(mark.clone()),
            _ => self.0.deliver(notice, earlier).await,
        }
    }
}

/// Takes the terminal's answers to the desk, each as the person who was chosen for it.
#[derive(Debug)]
pub struct Played {
    players: &'static [Player],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None once nobody is asked any more. The desk keeps the library open, and the library the terminal, and that this.
    desk: Option<ReviewDesk>,
    /// Where a question is asked again after `later`; None as the desk.
    terminal: Option<Arc<Terminal>>,
    asked: Option<Asked>,
    /// Who has answered this request.
    answered: Option<(RequestId, Vec<&'static str>)>,
}

/// The question that is on the screen.
#[derive(Debug, Clone)]
struct Asked {
    player: Player,
    approver: Approver,
    review: Review,
}

impl Played {
    pub fn new(desk: ReviewDesk, terminal: Arc<Terminal>, players: &'static [Player]) -> Arc<Self> {
        let state = State {
            desk: Some(desk),
            terminal: Some(terminal),
            asked: None,
            answered: None,
        };
        Arc::new(Self {
            players,
            state: Mutex::new(state),
        })
    }

    /// Lets go of the desk and of the terminal.
    pub fn leave(&self) {
        let mut state = self.state();
        state.desk = None;
        state.terminal = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The players, those first who have not answered this request yet.
    fn in_turn(&self, request: RequestId) -> Vec<Player> {
        let answered = match &self.state().answered {
            Some((about, who)) if *about == request => who.clone(),
            _ => Vec::new(),
        };
        let mut players = self.players.to_vec();
        players.sort_by_key(|player| answered.contains(&player.subject));
        players
    }

    fn note(&self, request: RequestId, player: Player) {
        match &mut self.state().answered {
            Some((about, who)) if *about == request => who.push(player.subject),
            answered => *answered = Some((request, vec![player.subject])),
        }
    }

    /// Who shall answer, as typed; an empty line is whoever has not answered yet, and the end of input or Ctrl-C is nobody.
    fn choose(&self, request: RequestId) -> std::io::Result<Option<Player>> {
        let [first, ..] = *self.in_turn(request) else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        if self.players.len() == 1 {
            return Ok(Some(first));
        }
        let prompt = Prompt::open()?;
        loop {
            let mut text = String::from("\nWho answers?\n");
            for (number, player) in (1..).zip(self.players) {
                text.push_str(&format!("  {number}  {player}\n"));
            }
            text.push_str(&format!("number, or Enter for demo/{}: ", first.subject));
            let Some(line) = prompt.ask(&text)? else {
                return Ok(None);
            };
            let said = line.trim();
            let said = said.strip_prefix("demo/").unwrap_or(said);
            let chosen = (1..).zip(self.players).find(|(number, player): &(u32, _)| {
                said == number.to_string() || said == player.subject
            });
            match chosen {
                Some((_, player)) => return Ok(Some(*player)),
                None if said.is_empty() => return Ok(Some(first)),
                None => prompt.say("there is nobody of that number")?,
            }
        }
    }

    /// Denies a request as the first player whose denial counts, and says so.
    async fn deny(&self, desk: &ReviewDesk, request: RequestId) -> std::io::Result<()> {
        let prompt = Prompt::open()?;
        for player in self.in_turn(request) {
            let Ok(approver) = sign_in(desk, player).await else {
                continue;
            };
            let Ok(review) = desk.open(&approver, request).await else {
                continue;
            };
            match desk.vote(&approver, review.deny()).await {
                Ok(voted) => {
                    self.note(request, player);
                    return prompt.say(&said(player, Choice::Deny, &voted));
                }
                Err(refused) => {
                    prompt.say(&format!("refused, demo/{}: {refused}", player.subject))?;
                }
            }
        }
        prompt.say("nobody here could deny it")
    }

    /// Has the question come again if it is put off: nothing else would ask it.
    async fn ask_again(&self, review: &Review) {
        let terminal = self.state().terminal.clone();
        let Ok(id) = NoticeId::new(&format!("again-{}", review.request())) else {
            return;
        };
        let card = review.card().clone();
        if let Some(terminal) = terminal {
            // If the terminal is gone, so is the question.
            let _ = terminal.deliver(&Notice::Remind { id, card }, None).await;
        }
    }
}

#[async_trait]
impl Responder for Played {
    async fn review(&self, request: RequestId) -> Option<ToReview> {
        let desk = self.state().desk.clone()?;
        // Whoever may see it sees whether it waits.
        let mut waiting = false;
        for player in self.players {
            let approver = sign_in(&desk, *player).await.ok()?;
            waiting |= waits(&desk, &approver, request).await.ok()?;
        }
        if !waiting {
            return None;
        }
        let Some(player) = self.choose(request).ok()? else {
            self.deny(&desk, request).await.ok()?;
            return None;
        };
        let approver = sign_in(&desk, player).await.ok()?;
        let review = desk.open(&approver, request).await.ok()?;
        self.ask_again(&review).await;
        let (card, denial) = (review.card().clone(), review.denial());
        self.state().asked = Some(Asked {
            player,
            approver,
            review,
        });
        Some(ToReview {
            reviewer: player.to_string(),
            card,
            denial,
        })
    }

    async fn answer(&self, answer: Answer) -> Result<String, String> {
        let (desk, asked) = {
            let mut state = self.state();
            (state.desk.clone(), state.asked.take())
        };
        let (Some(desk), Some(asked)) = (desk, asked) else {
            return Err("nothing was asked".to_owned());
        };
        let Asked {
            player,
            approver,
            review,
        } = asked;
        if answer.card != *review.card() {
            return Err("the answer is to another question".to_owned());
        }
        let ballot = match answer.choice {
            Choice::Approve => review.approve(),
            Choice::Deny => review.deny(),
        };
        let ballot = match answer.comment {
            Some(comment) => ballot.because(comment),
            None => Ok(ballot),
        };
        let ballot = ballot.and_then(|ballot| match answer.ticket {
            Some(ticket) => ballot.ticket(ticket),
            None => Ok(ballot),
        });
        let ballot = ballot.map_err(|error| error.to_string())?;
        let voted = desk.vote(&approver, ballot).await;
        let voted =
            voted.map_err(|refused| format!("refused, demo/{}: {refused}", player.subject))?;
        self.note(review.request(), player);
        Ok(said(player, answer.choice, &voted))
    }
}

/// What became of a vote, in a sentence.
pub fn said(player: Player, choice: Choice, voted: &Voted) -> String {
    let who = format!("demo/{}", player.subject);
    let verb = match choice {
        Choice::Approve => "approves",
        Choice::Deny => "denies",
    };
    match voted {
        Voted::Recorded { receipt, status } => {
            let then = match status {
                Status::Pending { .. } => "; more people have to agree",
                Status::Approved { .. } => "; that is enough",
                _ => "",
            };
            format!("{who} {verb}: record {}{then}", receipt.seq())
        }
        Voted::Unchanged { .. } => format!("{who} had said so before"),
        Voted::Cancelled { receipt } => {
            format!(
                "{who} has an interest in it and calls it off: record {}",
                receipt.seq()
            )
        }
    }
}
