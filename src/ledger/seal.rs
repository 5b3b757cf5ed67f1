//! Seals of notices: a channel is told only what a gate or a desk of this log has queued.
//!
//! The records do not say which channels were asked, and the outbox is no record. So whoever queues a notice signs for it, and a
//! row that somebody else wrote into the store is neither delivered nor followed up.

use std::collections::BTreeSet;

use crate::action::RequestId;
use crate::clock::Timestamp;
use crate::log::{Role, Seq, decode_signatures, encode_signatures, pae};
use crate::store::{ChannelKey, MessageRow, NoticeId, NoticeKind, OutboxRow, Row, Seal};

use super::{LedgerError, Shared};

/// What is signed is no statement, and no statement is this.
const PAYLOAD_TYPE: &str = "application/vnd.countersign.notice.v1";
/// Who queues notices.
const ROLES: [Role; 2] = [Role::Gate, Role::Desk];

impl Shared {
    /// A notice to each of the channels, sealed.
    pub(crate) fn notices(
        &self,
        channels: impl IntoIterator<Item = ChannelKey>,
        request: RequestId,
        what: NoticeKind,
        due: Timestamp,
    ) -> Result<Vec<Row>, LedgerError> {
        let notice = |channel| {
            let mut row = OutboxRow {
                notice: NoticeId::new(),
                channel,
                request,
                what,
                due,
                seal: Seal(Vec::new()),
            };
            row.seal = self.seal(&row)?;
            Ok(Row::Outbox(row))
        };
        channels.into_iter().map(notice).collect()
    }

    fn seal(&self, row: &OutboxRow) -> Result<Seal, LedgerError> {
        let signer = ROLES.into_iter().find_map(|role| self.signer(role));
        let signer = signer.ok_or(LedgerError::NoSuchRole(Role::Gate))?;
        let signature = signer
            .sign(&self.sealed(row))
            .map_err(|_| LedgerError::Signer)?;
        let by = signer.public().id();
        Ok(Seal(encode_signatures(&[(by, signature)])))
    }

    /// Whether a gate or a desk of this log has queued the notice.
    pub(super) fn is_sealed(&self, row: &OutboxRow) -> bool {
        let signatures = decode_signatures(&row.seal.0).unwrap_or_default();
        let [(by, signature)] = signatures.as_slice() else {
            return false;
        };
        let trust = self.trust();
        let Some((key, roles)) = trust.ring().in_force(by, Seq::new(self.known_size())) else {
            return false;
        };
        ROLES.iter().any(|role| roles.contains(role))
            && key.verify(&self.sealed(row), signature).is_ok()
    }

    /// The channels of those of the messages that are sealed.
    pub(super) fn told(&self, messages: Vec<MessageRow>) -> Vec<ChannelKey> {
        let mut told = BTreeSet::new();
        for message in messages {
            if !told.contains(&message.row.channel) && self.is_sealed(&message.row) {
                told.insert(message.row.channel);
            }
        }
        told.into_iter().collect()
    }

    /// Everything about a notice that does not change while it is delivered; only the channel's name, at the end, has no fixed length.
    fn sealed(&self, row: &OutboxRow) -> Vec<u8> {
        let OutboxRow {
            notice,
            channel,
            request,
            what,
            due: _,
            seal: _,
        } = row;
        let what = match what {
            NoticeKind::Ask => b'a',
            NoticeKind::Remind => b'r',
            NoticeKind::Settle => b's',
        };
        let mut bytes = self.trust().log().as_bytes().to_vec();
        bytes.extend_from_slice(notice.as_uuid().as_bytes());
        bytes.extend_from_slice(request.as_uuid().as_bytes());
        bytes.push(what);
        bytes.extend_from_slice(channel.0.as_bytes());
        pae(PAYLOAD_TYPE, &bytes)
    }
}
