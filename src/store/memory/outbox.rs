use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::action::RequestId;
use crate::clock::Timestamp;

use super::super::chore::DeliveryResult;
use super::super::query::OutboxCounts;
use super::super::rows::{ChannelKey, Delivery, MessageRow, NoticeId, OutboxRow};

/// The notices, in the order in which they were filed.
///
/// INVARIANT: `waiting` holds exactly the notices that wait, and `leased` those of them that somebody has or had.
#[derive(Default)]
pub(super) struct Outbox {
    notices: Vec<MessageRow>,
    by_id: HashMap<NoticeId, usize>,
    by_request: HashMap<RequestId, Vec<usize>>,
    waiting: BTreeSet<(Timestamp, usize)>,
    leased: BTreeMap<usize, Timestamp>,
}

impl Outbox {
    pub(super) fn contains(&self, notice: NoticeId) -> bool {
        self.by_id.contains_key(&notice)
    }

    pub(super) fn file(&mut self, row: OutboxRow) {
        let place = self.notices.len();
        self.by_id.insert(row.notice, place);
        self.by_request.entry(row.request).or_default().push(place);
        self.waiting.insert((row.due, place));
        self.notices.push(MessageRow {
            row,
            attempts: 0,
            delivery: Delivery::Waiting,
        });
    }

    pub(super) fn claim(
        &mut self,
        channels: &[ChannelKey],
        now: Timestamp,
        lease_until: Timestamp,
        limit: usize,
    ) -> Vec<MessageRow> {
        self.leased.retain(|_, until| *until > now);
        let target = |row: &OutboxRow| (row.request, row.channel.clone());
        let mut out: HashSet<_> = self
            .leased
            .keys()
            .filter_map(|place| self.notices.get(*place))
            .map(|message| target(&message.row))
            .collect();
        let mut claimed = Vec::new();
        for (due, place) in &self.waiting {
            if *due > now || claimed.len() == limit {
                break;
            }
            let Some(message) = self.notices.get_mut(*place) else {
                continue;
            };
            if channels.contains(&message.row.channel) && out.insert(target(&message.row)) {
                message.attempts = message.attempts.saturating_add(1);
                self.leased.insert(*place, lease_until);
                claimed.push(message.clone());
            }
        }
        claimed
    }

    pub(super) fn next(&self, channels: &[ChannelKey], now: Timestamp) -> Option<Timestamp> {
        let leases = self.leased.iter().filter(|(_, until)| **until > now);
        let leased: Vec<(&OutboxRow, Timestamp)> = leases
            .filter_map(|(place, until)| Some((&self.notices.get(*place)?.row, *until)))
            .filter(|(row, _)| channels.contains(&row.channel))
            .collect();
        let free = |row: &OutboxRow| {
            let same = |one: &OutboxRow| one.request == row.request && one.channel == row.channel;
            channels.contains(&row.channel) && !leased.iter().any(|(one, _)| same(one))
        };
        let first = self.waiting.iter().find(|(_, place)| {
            let message = self.notices.get(*place);
            message.is_some_and(|message| free(&message.row))
        });
        let ends = leased.iter().map(|(_, until)| *until);
        ends.chain(first.map(|(due, _)| *due)).min()
    }

    /// Whether there was something to settle.
    pub(super) fn settle(&mut self, notice: NoticeId, result: DeliveryResult) -> bool {
        let Some(&place) = self.by_id.get(&notice) else {
            return false;
        };
        let Some(message) = self.notices.get_mut(place) else {
            return false;
        };
        if !self.waiting.remove(&(message.row.due, place)) {
            return false;
        }
        self.leased.remove(&place);
        match result {
            DeliveryResult::Delivered(reference) => {
                message.delivery = Delivery::Delivered(reference);
            }
            DeliveryResult::Later { due } => {
                message.row.due = due;
                self.waiting.insert((due, place));
            }
            DeliveryResult::Dead { code } => message.delivery = Delivery::Dead(code),
        }
        true
    }

    pub(super) fn about(&self, request: RequestId) -> Vec<MessageRow> {
        let places = self.by_request.get(&request).into_iter().flatten();
        places
            .filter_map(|place| self.notices.get(*place))
            .cloned()
            .collect()
    }

    pub(super) fn counts(&self) -> OutboxCounts {
        let mut counts = OutboxCounts::default();
        for message in &self.notices {
            match message.delivery {
                Delivery::Waiting => counts.waiting += 1,
                Delivery::Delivered(_) => counts.delivered += 1,
                Delivery::Dead(_) => counts.dead += 1,
            }
        }
        counts
    }
}
