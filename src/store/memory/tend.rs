use super::super::chore::{Chore, Tended, with_lines};
use super::super::rows::{InstanceRow, Liveness};
use super::state::State;

impl State {
    pub(super) fn tend(&mut self, chore: Chore) -> Tended {
        match chore {
            Chore::ClaimOutbox {
                channels,
                by: _,
                now,
                lease_until,
                limit,
            } => Tended::Claimed(self.outbox.claim(
                &channels,
                now,
                lease_until,
                limit.get() as usize,
            )),
            Chore::SettleOutbox { notice, result } => done(self.outbox.settle(notice, result)),
            Chore::MoveCursor { name, to, expected } => {
                if self.cursors.get(&name).copied() != expected {
                    return Tended::Stale;
                }
                self.cursors.insert(name, to);
                Tended::Done
            }
            Chore::AddSignatures {
                size,
                expected,
                lines,
            } => match self.checkpoints.get_mut(&size) {
                Some(note) if *note == expected => {
                    *note = with_lines(expected, &lines);
                    Tended::Done
                }
                Some(_) | None => Tended::Stale,
            },
            Chore::PutInstance { instance, at } => {
                let row = InstanceRow {
                    instance,
                    at,
                    liveness: Liveness::Alive,
                };
                self.instances.insert(instance, row);
                Tended::Done
            }
            Chore::DropInstance(instance) => done(self.instances.remove(&instance).is_some()),
            Chore::DropTimer(row) => done(self.timers.done(row)),
            // What was erased is not there.
            Chore::Scrub => Tended::Done,
            Chore::DropTimers(request) => done(self.timers.drop_all(request)),
        }
    }
}

fn done(changed: bool) -> Tended {
    if changed { Tended::Done } else { Tended::Stale }
}
