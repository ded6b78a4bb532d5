//! The broker without I/O: requests and the passing of time go in, responses come out, at once or
//! later. TCP is one shell around it, the in-process handle is another, a simulation can be a
//! third: nothing in here reads a clock, draws a number or touches a socket.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use crate::api::fetch::{self, WaitingFetch};
use crate::api::{join_group, sync_group};
use crate::broker_config::BrokerConfig;
use crate::clock::Now;
use crate::config::Overrides;
use crate::dispatch::{self, CallHeader};
use crate::error::ErrorCode;
use crate::group::{Coordinator, GroupAnswer};
use crate::rng::Rng;
use crate::topic_config::TopicConfig;
use crate::topics::Topics;
use crate::wire::{Fatal, Outbox};

/// The only broker of its cluster.
pub(crate) const BROKER_ID: i32 = 1;

/// Names a connection, of which at most one request waits at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// Where requests come from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) token: Token,
    /// The client's own address, as DescribeGroups shows it.
    pub(crate) client_host: String,
    /// Where this client finds the broker.
    pub(crate) advertised_host: StrBytes,
    pub(crate) advertised_port: i32,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its response is written (or it wants none).
    Done,
    /// Its response comes with [`Core::resume`], once the token is among the woken ones.
    Waiting,
}

/// What the core is told about the cluster it is.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) config: BrokerConfig,
    pub(crate) seed: u64,
}

enum Late {
    Fetch(WaitingFetch),
    Group { header: CallHeader, answer: Option<GroupAnswer> },
}

pub(crate) struct Core {
    pub(crate) config: BrokerConfig,
    pub(crate) cluster_id: StrBytes,
    pub(crate) rng: Rng,
    pub(crate) topics: Topics,
    pub(crate) groups: Coordinator,
    next_producer_id: i64,
    late: BTreeMap<Token, Late>,
    fetch_deadlines: BTreeSet<(u64, Token)>,
    retention_due_ms: Option<u64>,
    producer_expiry_due_ms: Option<u64>,
    woken: Vec<Token>,
}

impl Core {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut rng = Rng::from_seed(settings.seed);
        let cluster_id = rng.uuid().simple().to_string();
        // Producers that outlive a broker must not meet their own ids in the next one.
        let next_producer_id = rng.below(1 << 40) as i64;
        Self {
            groups: Coordinator::new(&settings.config),
            config: settings.config.clone(),
            cluster_id: StrBytes::from_string(cluster_id),
            rng,
            topics: Topics::default(),
            next_producer_id,
            late: BTreeMap::new(),
            fetch_deadlines: BTreeSet::new(),
            retention_due_ms: None,
            producer_expiry_due_ms: None,
            woken: Vec::new(),
        }
    }

    /// Takes one request (a frame without its size) and writes its response, unless it waits.
    ///
    /// # Errors
    /// The connection has to be closed; nothing was written for this request.
    pub(crate) fn request(
        &mut self,
        origin: &Origin,
        frame: &Bytes,
        now: Now,
        outbox: &mut Outbox,
    ) -> Result<Progress, Fatal> {
        dispatch::dispatch(self, origin, frame, now, outbox)
    }

    /// Writes the response of a woken request. `Waiting` if there is nothing to say yet.
    pub(crate) fn resume(&mut self, token: Token, outbox: &mut Outbox) -> Result<Progress, Fatal> {
        match self.late.remove(&token) {
            None => Ok(Progress::Done),
            Some(Late::Fetch(waiting)) => {
                self.stop_waiting(token, &waiting);
                fetch::respond(self, &waiting.request, &waiting.header, outbox);
                Ok(Progress::Done)
            }
            Some(Late::Group { header, answer: Some(answer) }) => {
                match answer {
                    GroupAnswer::Join(joined) => {
                        dispatch::encode(&join_group::response(joined, &header), &header, outbox)?;
                    }
                    GroupAnswer::Sync(synced) => {
                        dispatch::encode(&sync_group::response(synced), &header, outbox)?;
                    }
                }
                Ok(Progress::Done)
            }
            Some(unanswered) => {
                self.late.insert(token, unanswered);
                Ok(Progress::Waiting)
            }
        }
    }

    /// Forgets a connection that is gone.
    pub(crate) fn forget(&mut self, token: Token) {
        if let Some(Late::Fetch(waiting)) = self.late.remove(&token) {
            self.stop_waiting(token, &waiting);
        }
    }

    /// Does what is due by now. To be called when [`Core::next_deadline_ms`] has come.
    pub(crate) fn advance(&mut self, now: Now) {
        while let Some((due_ms, token)) = self.fetch_deadlines.first().copied() {
            if due_ms > now.monotonic_ms {
                break;
            }
            self.fetch_deadlines.pop_first();
            self.woken.push(token);
        }
        self.groups.advance(now);
        self.deliver_group_answers();
        if self.retention_due_ms.is_some_and(|due_ms| due_ms <= now.monotonic_ms) {
            self.topics.retain(now);
            self.retention_due_ms = None;
            self.plan_retention(now);
        }
        self.expire(now);
    }

    /// Forgets what was silent for too long.
    fn expire(&mut self, now: Now) {
        let due = |due_ms: Option<u64>| due_ms.is_some_and(|due_ms| due_ms <= now.monotonic_ms);
        if due(self.groups.expiry_due_ms()) {
            self.expire_offsets(now);
            self.groups.expiry_done(now);
        }
        if due(self.producer_expiry_due_ms) {
            let silent_ms = self.config.number("producer.id.expiration.ms");
            self.topics.expire_producers(now.wall_ms.saturating_sub(silent_ms));
            self.producer_expiry_due_ms = None;
            self.plan_producer_expiry(now);
        }
    }

    /// Without topics there are no producers, so an idle broker sleeps on.
    fn plan_producer_expiry(&mut self, now: Now) {
        if self.producer_expiry_due_ms.is_none() && !self.topics.is_empty() {
            let interval_ms = self.config.number("producer.id.expiration.check.interval.ms");
            self.producer_expiry_due_ms = Some(now.monotonic_ms + interval_ms.unsigned_abs());
        }
    }

    /// When something is due next, in the milliseconds of the monotonic clock.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        let fetch = self.fetch_deadlines.first().map(|(due_ms, _)| *due_ms);
        let expiry = [self.groups.expiry_due_ms(), self.producer_expiry_due_ms];
        let others = [fetch, self.groups.next_deadline_ms(), self.retention_due_ms];
        others.into_iter().chain(expiry).flatten().min()
    }

    /// The connections whose waiting request may be resumed since the last call.
    pub(crate) fn take_woken(&mut self) -> std::vec::Drain<'_, Token> {
        self.woken.drain(..)
    }

    pub(crate) fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    /// Partitions of a topic that is created without a number.
    pub(crate) fn default_partitions(&self) -> usize {
        self.config.number("num.partitions").unsigned_abs() as usize
    }

    /// An id that no producer of this cluster has.
    pub(crate) fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }

    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: usize,
        given: Overrides,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let id = self.rng.uuid();
        let config = TopicConfig::new(given, &self.config);
        self.topics.create(name, id, partitions, config)?;
        self.plan_retention(now);
        self.plan_producer_expiry(now);
        Ok(())
    }

    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<(), ErrorCode> {
        let topic = self.topics.delete(name)?;
        self.groups.forget_topic(name);
        for partition in topic.partitions {
            self.woken.extend(partition.waiting);
        }
        Ok(())
    }

    /// Lets a fetch wait until enough was appended to one of its partitions or its time is up.
    pub(crate) fn wait_for_records(&mut self, token: Token, waiting: WaitingFetch) {
        for (topic, partition) in waiting.request.positions() {
            if let Ok(partition) = self.topics.partition_mut(topic, partition) {
                partition.waiting.insert(token);
            }
        }
        self.fetch_deadlines.insert((waiting.deadline_ms, token));
        self.late.insert(token, Late::Fetch(waiting));
    }

    /// Wakes the fetches for which these `bytes` were enough.
    pub(crate) fn appended(&mut self, readers: &BTreeSet<Token>, bytes: usize) {
        for token in readers {
            if let Some(Late::Fetch(waiting)) = self.late.get_mut(token) {
                let was_missing = waiting.missing_bytes > 0;
                waiting.missing_bytes = waiting.missing_bytes.saturating_sub(bytes);
                if was_missing && waiting.missing_bytes == 0 {
                    self.woken.push(*token);
                }
            }
        }
    }

    /// Wakes the fetches that ask for an offset before `start` here.
    pub(crate) fn wake_readers_before(
        &mut self,
        topic: &str,
        partition: i32,
        start: i64,
        readers: &BTreeSet<Token>,
    ) {
        for token in readers {
            if let Some(Late::Fetch(waiting)) = self.late.get(token)
                && waiting.request.asks_before(topic, partition, start)
            {
                self.woken.push(*token);
            }
        }
    }

    /// Lets a member wait for its group; answers at once if the group already did.
    pub(crate) fn wait_for_group(
        &mut self,
        token: Token,
        header: CallHeader,
        outbox: &mut Outbox,
    ) -> Result<Progress, Fatal> {
        self.late.insert(token, Late::Group { header, answer: None });
        self.deliver_group_answers();
        self.resume(token, outbox)
    }

    /// Hands what groups have decided to the members that wait for it.
    pub(crate) fn deliver_group_answers(&mut self) {
        for (token, decided) in self.groups.take_answers() {
            if let Some(Late::Group { answer, .. }) = self.late.get_mut(&token) {
                *answer = Some(decided);
                self.woken.push(token);
            }
        }
    }

    fn stop_waiting(&mut self, token: Token, waiting: &WaitingFetch) {
        self.fetch_deadlines.remove(&(waiting.deadline_ms, token));
        for (topic, partition) in waiting.request.positions() {
            if let Ok(partition) = self.topics.partition_mut(topic, partition) {
                partition.waiting.remove(&token);
            }
        }
    }

    pub(crate) fn plan_retention(&mut self, now: Now) {
        if self.retention_due_ms.is_none() && self.topics.any_retention_by_time() {
            let interval_ms = self.config.number("log.retention.check.interval.ms").unsigned_abs();
            self.retention_due_ms = Some(now.monotonic_ms + interval_ms);
        }
    }
}
