//! What the coordinator's answers mean for a member.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use contract::topics::Topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::leave_group_request::LeaveGroupRequest;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequest;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::{FindCoordinatorRequest, HeartbeatRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::{
    Asked, Event, GroupSettings, HEARTBEAT_INTERVAL, Member, Offsets, RETRY_PAUSE, State, wire,
};
use crate::kit::kafka::assignor::assign;

impl Member {
    /// An answer came.
    ///
    /// # Errors
    /// When it cannot be read: the connection is of no more use.
    pub(crate) fn answered(&mut self, frame: Bytes, now: Duration) -> anyhow::Result<()> {
        let id = self.correlation_id;
        match self.asked.take().context("an answer that nobody asked for")? {
            Asked::Coordinator => {
                let answer = wire::decode::<FindCoordinatorRequest>(frame, id)?;
                if answer.error_code != 0 {
                    self.refused(answer.error_code, now);
                } else {
                    self.coordinator = Some(format!("{}:{}", answer.host, answer.port));
                    self.connected = false;
                }
            }
            Asked::Join => {
                let answer = wire::decode::<JoinGroupRequest>(frame, id)?;
                self.joined(answer, now)?;
            }
            Asked::Sync => {
                let answer = wire::decode::<SyncGroupRequest>(frame, id)?;
                if answer.error_code != 0 {
                    self.refused(answer.error_code, now);
                } else {
                    self.state = State::Fetching(wire::from_assignment(answer.assignment)?);
                    self.heartbeat_due = now + HEARTBEAT_INTERVAL;
                    self.confirmed_at = Some(self.asked_at);
                }
            }
            Asked::Offsets => self.fetched(frame, now)?,
            Asked::Heartbeat => {
                let answer = wire::decode::<HeartbeatRequest>(frame, id)?;
                self.heartbeat_due = now + HEARTBEAT_INTERVAL;
                // Whoever is asked to join again is a member, and has its partitions until it does.
                if [0, ResponseError::RebalanceInProgress.code()].contains(&answer.error_code) {
                    self.confirmed_at = Some(self.asked_at);
                }
                self.refused(answer.error_code, now);
            }
            Asked::Commit => {
                let answer = wire::decode::<OffsetCommitRequest>(frame, id)?;
                let mut errors = answer.topics.iter().flat_map(|topic| &topic.partitions);
                let error = errors.find(|partition| partition.error_code != 0);
                self.committed(error.map_or(0, |partition| partition.error_code), now);
            }
            Asked::Leave => {
                wire::decode::<LeaveGroupRequest>(frame, id)?;
                self.state = State::Ended;
            }
        }
        Ok(())
    }

    fn joined(&mut self, answer: JoinGroupResponse, now: Duration) -> anyhow::Result<()> {
        if answer.error_code != 0 {
            if answer.error_code == ResponseError::MemberIdRequired.code() {
                self.identity.member_id = answer.member_id;
            } else {
                self.refused(answer.error_code, now);
            }
            return Ok(());
        }
        self.identity.member_id = answer.member_id.clone();
        self.identity.generation = answer.generation_id;
        let mut shares = Vec::new();
        if answer.leader == answer.member_id && !answer.members.is_empty() {
            let name = |instance: &Option<StrBytes>, id: &StrBytes| {
                instance.as_ref().unwrap_or(id).as_str().to_owned()
            };
            let members = &answer.members;
            let names: Vec<String> = members
                .iter()
                .map(|member| name(&member.group_instance_id, &member.member_id))
                .collect();
            let Some(leader) = members.iter().position(|m| m.member_id == answer.leader) else {
                bail!("the leader is not among the members");
            };
            let GroupSettings { sharing, topics, partitions, .. } = &self.settings;
            let parts = assign(*sharing, topics, *partitions, &names, leader);
            shares = members.iter().map(|member| member.member_id.clone()).zip(parts).collect();
        }
        self.state = State::Syncing(shares);
        Ok(())
    }

    fn fetched(&mut self, frame: Bytes, now: Duration) -> anyhow::Result<()> {
        let answer = wire::decode::<OffsetFetchRequest>(frame, self.correlation_id)?;
        let partitions = || answer.topics.iter().flat_map(|topic| &topic.partitions);
        let error = partitions().find(|partition| partition.error_code != 0);
        let code = error.map_or(answer.error_code, |partition| partition.error_code);
        if code != 0 {
            self.refused(code, now);
            return Ok(());
        }
        let State::Fetching(share) = std::mem::replace(&mut self.state, State::Stable) else {
            bail!("offsets that nobody asked for");
        };
        let mut committed = Offsets::new();
        for topic in &answer.topics {
            let known = Topic::ALL.into_iter().find(|known| known.name() == topic.name.as_str());
            for partition in &topic.partitions {
                if let (Some(known), true) = (known, partition.committed_offset >= 0) {
                    committed
                        .insert((known, partition.partition_index), partition.committed_offset);
                }
            }
        }
        self.news = Some(Event::Assigned { share, committed });
        Ok(())
    }

    /// What the coordinator could not take now it is told again, between the heartbeats.
    fn committed(&mut self, code: i16, now: Duration) {
        use ResponseError as E;
        match E::try_from_code(code) {
            Some(E::NotCoordinator | E::CoordinatorNotAvailable) => self.broken(now),
            Some(later) if later.is_retriable() => self.commit_at = now + RETRY_PAUSE,
            _ => {
                self.offsets.clear();
                self.refused(code, now);
            }
        }
    }

    /// What an error code of the coordinator means for a member; 0 is none.
    fn refused(&mut self, code: i16, now: Duration) {
        use ResponseError as E;
        let Some(error) = E::try_from_code(code) else { return };
        let had_partitions = matches!(self.state, State::Stable | State::Draining);
        match error {
            E::RebalanceInProgress if self.state == State::Stable => {
                self.state = State::Draining;
                self.news = Some(Event::Revoked);
            }
            E::RebalanceInProgress if self.state == State::Draining => {}
            E::RebalanceInProgress => {
                self.state = State::Joining;
                self.resume_at = now + RETRY_PAUSE;
            }
            E::UnknownMemberId | E::IllegalGeneration => {
                self.identity.member_id = StrBytes::new();
                self.identity.generation = -1;
                self.state = State::Joining;
                self.rejoin = false;
                self.offsets.clear();
                self.confirmed_at = None;
                if had_partitions {
                    self.news = Some(Event::Lost);
                } else {
                    self.resume_at = now + RETRY_PAUSE;
                }
            }
            E::NotCoordinator | E::CoordinatorNotAvailable => self.broken(now),
            E::FencedInstanceId => self.fail(format!(
                "another process has taken the place of {} in group {}",
                self.settings.instance, self.settings.group
            )),
            retriable if retriable.is_retriable() => self.resume_at = now + RETRY_PAUSE,
            fatal => self.fail(format!("group {}: {fatal}", self.settings.group)),
        }
    }

    fn fail(&mut self, reason: String) {
        self.confirmed_at = None;
        self.state = State::Ended;
        self.news = Some(Event::Failed(reason));
    }
}
