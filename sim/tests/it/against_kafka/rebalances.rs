//! Two members of a group: who is told what, and when, while they come, change, fall silent and go.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::GroupId;

use super::Transcript;
use super::admin::text;
use crate::wire::Wire;

const REBALANCE_IN_PROGRESS: i16 = 27;

struct Member<'a> {
    wire: Wire,
    group: &'a str,
    id: String,
    generation: i32,
    protocols: Vec<(&'static str, &'static str)>,
    instance: Option<&'static str>,
    session_timeout_ms: i32,
}

impl<'a> Member<'a> {
    async fn new(
        told: &Transcript,
        group: &'a str,
        protocols: &[(&'static str, &'static str)],
    ) -> Self {
        let mut wire = Wire::connect(told.wire.address()).await;
        wire.call(0, &m::ApiVersionsRequest::default()).await;
        Self {
            wire,
            group,
            id: String::new(),
            generation: -1,
            protocols: protocols.to_vec(),
            instance: None,
            session_timeout_ms: 30_000,
        }
    }

    async fn send_join(&mut self) {
        use m::join_group_request::JoinGroupRequestProtocol;
        let protocols = self.protocols.iter().map(|(name, metadata)| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(Bytes::from_static(metadata.as_bytes()))
        });
        let request = m::JoinGroupRequest::default()
            .with_group_id(GroupId(text(self.group)))
            .with_session_timeout_ms(self.session_timeout_ms)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text))
            .with_protocol_type(text("test"))
            .with_protocols(protocols.collect());
        self.wire.send(9, &request).await;
    }

    async fn joined(&mut self, told: &mut Transcript, what: &str) -> i16 {
        let response = self.wire.receive::<m::JoinGroupRequest>(9).await;
        self.id = response.member_id.to_string();
        self.generation = response.generation_id;
        let mut others: Vec<_> = response
            .members
            .iter()
            .map(|one| (one.group_instance_id.clone(), one.metadata.clone()))
            .collect();
        others.sort();
        let leads = response.leader == response.member_id;
        told.note(
            what,
            (
                response.error_code,
                response.generation_id,
                response.protocol_name,
                leads,
                response.skip_assignment,
                others,
            ),
        );
        response.error_code
    }

    async fn join(&mut self, told: &mut Transcript, what: &str) {
        self.send_join().await;
        // A member that is new is given its id first.
        if self.joined(told, what).await == 79 {
            self.send_join().await;
            self.joined(told, what).await;
        }
    }

    async fn send_sync(&mut self, assign: &[(&str, &'static str)]) {
        use m::sync_group_request::SyncGroupRequestAssignment;
        let assignments = assign.iter().map(|(id, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(id))
                .with_assignment(Bytes::from_static(assignment.as_bytes()))
        });
        let request = m::SyncGroupRequest::default()
            .with_group_id(GroupId(text(self.group)))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_assignments(assignments.collect());
        self.wire.send(3, &request).await;
    }

    async fn synced(&mut self, told: &mut Transcript, what: &str) {
        let response = self.wire.receive::<m::SyncGroupRequest>(3).await;
        told.note(what, (response.error_code, response.assignment));
    }

    async fn beat(&mut self) -> i16 {
        let request = m::HeartbeatRequest::default()
            .with_group_id(GroupId(text(self.group)))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id));
        self.wire.call(3, &request).await.error_code
    }

    /// Waits for what happens by itself.
    async fn until_beat_is(&mut self, expected: i16) {
        let end = tokio::time::Instant::now() + Duration::from_secs(30);
        while self.beat().await != expected {
            assert!(tokio::time::Instant::now() < end, "no heartbeat was answered {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn leave(&mut self, told: &mut Transcript) {
        let member =
            m::leave_group_request::MemberIdentity::default().with_member_id(text(&self.id));
        let request = m::LeaveGroupRequest::default()
            .with_group_id(GroupId(text(self.group)))
            .with_members(vec![member]);
        let response = self.wire.call(3, &request).await;
        told.note("leave", response.members[0].error_code);
    }
}

/// `b` comes and `a` joins again; `a` leads and shares.
async fn share(told: &mut Transcript, a: &mut Member<'_>, b: &mut Member<'_>, what: &str) {
    a.until_beat_is(REBALANCE_IN_PROGRESS).await;
    a.send_join().await;
    a.joined(told, &format!("{what}: a again")).await;
    b.joined(told, &format!("{what}: b")).await;
    let note = a.beat().await;
    told.note("heartbeat while the assignment is awaited", note);
    b.send_sync(&[]).await;
    let (first, second) = (a.id.clone(), b.id.clone());
    a.send_sync(&[(&first, "half"), (&second, "rest")]).await;
    a.synced(told, &format!("{what}: a")).await;
    b.synced(told, &format!("{what}: b")).await;
}

pub(super) async fn of_two(told: &mut Transcript) {
    let group = told.name("pair");
    let mut a = Member::new(told, &group, &[("x", "ax"), ("y", "ay")]).await;
    a.join(told, "a alone").await;
    let id = a.id.clone();
    a.send_sync(&[(&id, "all")]).await;
    a.synced(told, "a alone").await;
    let mut b = Member::new(told, &group, &[("z", "bz"), ("y", "by"), ("x", "bx")]).await;
    b.send_join().await;
    b.joined(told, "b new").await;
    b.send_join().await;
    share(told, &mut a, &mut b, "both").await;

    b.join(told, "the follower joins with nothing new").await;
    told.note("a hears nothing", 0);
    let beat = a.beat().await;
    told.note("a", beat);
    b.send_sync(&[]).await;
    b.synced(told, "b syncs again").await;

    b.protocols = vec![("y", "by2")];
    b.send_join().await;
    share(told, &mut a, &mut b, "the follower changes").await;

    a.send_join().await;
    b.until_beat_is(REBALANCE_IN_PROGRESS).await;
    b.send_sync(&[]).await;
    b.synced(told, "a sync while joining").await;
    b.send_join().await;
    a.joined(told, "the leader joins: a").await;
    b.joined(told, "the leader joins: b").await;
    // The leader goes before it has assigned: the follower's sync ends.
    b.send_sync(&[]).await;
    a.leave(told).await;
    b.synced(told, "the leader left").await;
    b.join(told, "b alone").await;
    let mut odd = Member::new(told, &group, &[("odd", "o")]).await;
    odd.join(told, "no protocol in common").await;
    b.leave(told).await;
}

pub(super) async fn of_the_silent(told: &mut Transcript) {
    let group = told.name("silent");
    let mut a = Member::new(told, &group, &[("x", "a")]).await;
    a.join(told, "a").await;
    let id = a.id.clone();
    a.send_sync(&[(&id, "all")]).await;
    a.synced(told, "a").await;
    let mut b = Member::new(told, &group, &[("x", "b")]).await;
    b.session_timeout_ms = 6_000;
    b.send_join().await;
    b.joined(told, "b new").await;
    b.send_join().await;
    share(told, &mut a, &mut b, "both").await;
    a.until_beat_is(REBALANCE_IN_PROGRESS).await;
    a.join(told, "b fell silent").await;
    let beat = b.beat().await;
    told.note("b", beat);
}

pub(super) async fn of_static_members(told: &mut Transcript) {
    let group = told.name("static");
    let mut a = Member::new(told, &group, &[("x", "a")]).await;
    a.instance = Some("one");
    a.join(told, "one").await;
    let id = a.id.clone();
    a.send_sync(&[(&id, "all")]).await;
    a.synced(told, "one").await;
    let mut b = Member::new(told, &group, &[("x", "b")]).await;
    b.instance = Some("two");
    b.send_join().await;
    share(told, &mut a, &mut b, "both").await;
    for (member, what) in [(&mut b, "the follower returns"), (&mut a, "the leader returns")] {
        member.id.clear();
        member.join(told, what).await;
        member.send_sync(&[]).await;
        member.synced(told, what).await;
    }
    b.id.clear();
    b.protocols = vec![("x", "changed")];
    b.send_join().await;
    b.joined(told, "the follower returns changed").await;
}
