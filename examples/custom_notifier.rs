//! A notifier of your own: it shows the card to whoever reads along, and decides nothing.

use std::error::Error;

use async_trait::async_trait;
use countersign::action::SessionId;
use countersign::gate::Filing;
use countersign::notify::*;
use countersign::{
    Action, ActorChain, ApprovalGate, Countersign, Keys, MemoryStore, Principal, RuleSet,
    StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str =
    "version = 1\ndefault = \"approve:one\"\n[approvals.one]\nquorum = \"1 of group:staff\"";

const PEOPLE: &str = r#"
persons = [{ id = "example/rita", groups = ["staff"] }]
agents = [{ id = "example/bot", controllers = [] }]
"#;

/// Posts cards to a board; here the board is the other end of a queue.
#[derive(Debug)]
struct Board {
    channel: ChannelName,
    board: std::sync::mpsc::Sender<String>,
}

#[async_trait]
impl Notifier for Board {
    fn channel(&self) -> &ChannelName {
        &self.channel
    }

    // A channel that can show only so much says so, and `render` then offers no approval.
    fn limits(&self) -> &Limits {
        &Limits::UNLIMITED
    }

    async fn deliver(
        &self,
        notice: &Notice,
        _earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        let text = match notice {
            Notice::Ask { card, .. } | Notice::Remind { card, .. } => {
                render(card, self.limits(), &Page::default()).into_text()
            }
            Notice::Settle { settlement, .. } => settlement.sentence(),
        };
        let never = |code| DeliveryError::Never { code };
        self.board.send(text).map_err(|_| never("no_board"))?;
        // The mark by which a later notice finds this message again.
        MessageRef::new(&notice.request().to_string()).map_err(|_| never("no_mark"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let keys = Keys::create(folder.path().join("keys"))?;
    let (board, posted) = std::sync::mpsc::channel();
    let channel = ChannelName::new("board")?;
    let rules = RuleSet::from_toml(RULES)?;
    let people = StaticDirectory::from_toml(PEOPLE)?;
    let opening = Countersign::open(MemoryStore::new(), keys, rules, people);
    let opening = opening.with_notifier(Board { channel, board });
    let countersign = block_on(opening.into_future())?;
    let bot = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(bot, SessionId::new("run-1")?)?;
    let action = Action::named("door.open").parameter("door", "cellar");
    let Filing::Waiting(request) = block_on(gate.request(action.build()?))? else {
        return Err("it should wait for people".into());
    };
    println!("{}", posted.recv()?);
    block_on(gate.withdraw(request))?;
    println!("{}", posted.recv()?);
    Ok(())
}
