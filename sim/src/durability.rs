//! What the core promises to keep: every durable change is recorded before it is made, and an answer
//! that acknowledges one is held back until it is synced, where that was asked for. At start, what
//! was kept becomes the core's state again.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::broker_config::Whose;
use crate::clock::Now;
use crate::config::{Operation, Overrides, Refusal};
use crate::core::{Core, Late, Origin, Progress, Settings, Token};
use crate::dispatch;
use crate::group::state::Group;
use crate::log::Log;
use crate::metadata::{Committed, Config, Entry, Metadata, TopicMetadata};
use crate::rng::Rng;
use crate::storage::{Failed, Place, Storage, Ticket};
use crate::topic_config::{TopicConfig, altered};
use crate::wire::{Fatal, Outbox};

/// Producer ids are recorded in blocks: one entry for so many of them.
const PRODUCER_ID_BLOCK: i64 = 1_000;

/// An answer that waits for its writes to be synced.
pub(crate) struct Unsynced {
    pub(crate) ticket: Ticket,
    failed: bool,
    answer: Outbox,
}

impl Core {
    /// A broker that goes on where the one before it ended: with this metadata, and with the batches
    /// that `storage` holds.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub(crate) fn recover(
        settings: &Settings,
        storage: Box<dyn Storage>,
        metadata: Metadata,
        now: Now,
    ) -> Result<Self, Failed> {
        let mut core = Self::new(settings);
        core.storage = storage;
        core.starts = metadata.starts;
        core.rng = Rng::from_seed(settings.seed.wrapping_add(metadata.starts));
        for (whose, config) in metadata.broker {
            let given = restored(&config, |given, changes| {
                // Each is set in turn, on top of those before.
                let mut altered = core.config.altered(whose, changes)?;
                altered.extend(given.clone());
                Ok(altered)
            });
            core.config.set(whose, given);
        }
        core.groups.settings = (&core.config).into();
        for (name, topic) in metadata.topics {
            core.recover_topic(&name, topic)?;
        }
        for (group, committed) in metadata.groups {
            core.groups.restore(&group, committed, now);
        }
        // What was removed and is still in a file that holds more than that is removed again.
        core.topics.retain(now);
        core.plan_retention(now);
        core.plan_producer_expiry(now);
        match metadata.cluster_id {
            Some(id) => core.cluster_id = StrBytes::from_string(id),
            None => {
                let id = core.cluster_id.to_string();
                core.record(|| vec![Entry::ClusterId(id)])?;
            }
        }
        if let Some(taken) = metadata.producer_ids_taken {
            core.next_producer_id = taken;
            core.producer_ids_taken = taken;
        }
        Ok(core)
    }

    fn recover_topic(&mut self, name: &str, topic: TopicMetadata) -> Result<(), Failed> {
        let TopicMetadata { id, partitions, config, log_starts } = topic;
        let given = restored(&config, |given, changes| altered(given, changes, &self.config));
        let config = TopicConfig::new(given, &self.config);
        let mut logs = Vec::new();
        let mut producers = Vec::new();
        for index in 0..partitions {
            let mut log = self.new_log((name, id), index, &config);
            let mut known = crate::producers::Producers::default();
            let log_start = log_starts.get(&(index as i32)).copied().unwrap_or(0);
            log.recover(log_start, &mut |header| known.appended(header, header.base_offset))?;
            logs.push(log);
            producers.push(known);
        }
        match self.topics.create(name, id, logs, config) {
            Ok(topic) => {
                for (partition, known) in topic.partitions.iter_mut().zip(producers) {
                    partition.producers = known;
                }
            }
            Err(error) => tracing::error!(topic = name, %error, "a stored topic is not served"),
        }
        Ok(())
    }

    /// The log of a partition that is created or recovered.
    pub(crate) fn new_log(
        &mut self,
        (topic, topic_id): (&str, Uuid),
        partition: usize,
        config: &TopicConfig,
    ) -> Log {
        let mut log = Log::new(self.storage.segments(Place { topic, topic_id, partition }));
        log.roll_at(segment_bytes(config));
        log
    }

    /// Records a change before it is made; every durable change but a batch goes through here.
    ///
    /// # Errors
    /// It could not be recorded, and must not be made.
    pub(crate) fn record(&mut self, entries: impl FnOnce() -> Vec<Entry>) -> Result<(), Failed> {
        if !self.storage.is_durable() {
            return Ok(());
        }
        if self.storage.wants_rewrite() {
            let entries = self.metadata().into_entries();
            // A journal that could not be replaced goes on growing, or goes on failing.
            let _ = self.storage.rewrite(&entries);
        }
        self.storage.record(&entries())
    }

    /// Everything that the journal has to know.
    fn metadata(&self) -> Metadata {
        let topics = self.topics.iter().map(|topic| {
            let starts = topic.partitions.iter().map(|partition| partition.log.log_start_offset());
            let log_starts = (0..).zip(starts).filter(|(_, start)| *start > 0).collect();
            let (id, partitions) = (topic.id, topic.partitions.len());
            let config = kept(topic.config.given());
            (topic.name.to_string(), TopicMetadata { id, partitions, config, log_starts })
        });
        let broker = [Whose::ThisBroker, Whose::AllBrokers].map(|whose| {
            let given = self.config.given(whose);
            (whose, kept(given))
        });
        let broker = broker.into_iter().filter(|(_, config)| !config.is_empty());
        let groups = self.groups.iter().filter(|(_, group)| !group.offsets.is_empty());
        Metadata {
            cluster_id: Some(self.cluster_id.to_string()),
            starts: self.starts,
            producer_ids_taken: Some(self.producer_ids_taken),
            broker: broker.collect(),
            topics: topics.collect(),
            groups: groups.map(|(id, group)| (id.to_owned(), committed(group))).collect(),
        }
    }

    /// An id that no producer of this cluster has.
    pub(crate) fn new_producer_id(&mut self) -> Result<i64, Failed> {
        if self.next_producer_id >= self.producer_ids_taken {
            let taken = self.next_producer_id + PRODUCER_ID_BLOCK;
            self.record(|| vec![Entry::ProducerIdsTaken(taken)])?;
            self.producer_ids_taken = taken;
        }
        self.next_producer_id += 1;
        Ok(self.next_producer_id - 1)
    }

    /// Handles a request whose answer may have to wait until its writes are synced.
    pub(crate) fn request_and_sync(
        &mut self,
        origin: &Origin,
        frame: &Bytes,
        now: Now,
        outbox: &mut Outbox,
    ) -> Result<Progress, Fatal> {
        let (start, length) = (outbox.position(), outbox.len());
        let written_before = self.storage.written();
        self.promises = false;
        let progress = dispatch::dispatch(self, origin, frame, now, outbox)?;
        let ticket = self.storage.written();
        let owes = ticket != written_before || self.promises;
        let answered = progress == Progress::Done && outbox.len() > length;
        if !owes || !answered || self.storage.synced().tried >= ticket {
            return Ok(progress);
        }
        let answer = outbox.split_off(&start);
        self.late.insert(origin.token, Late::Synced(Unsynced { ticket, failed: false, answer }));
        self.sync_waits.insert((ticket, origin.token));
        Ok(Progress::Waiting)
    }

    /// Wakes whose writes were synced, or could not be.
    pub(crate) fn wake_synced(&mut self) {
        if self.sync_waits.is_empty() {
            return;
        }
        let synced = self.storage.synced();
        while let Some((ticket, token)) = self.sync_waits.first().copied() {
            if ticket > synced.tried {
                break;
            }
            self.sync_waits.pop_first();
            if let Some(Late::Synced(unsynced)) = self.late.get_mut(&token) {
                unsynced.failed =
                    synced.failed.is_some_and(|(after, up_to)| ticket > after && ticket <= up_to);
                self.woken.push(token);
            }
        }
    }

    /// Writes an answer that was held back. After a failed sync nobody knows what a power cut would
    /// leave of the request, which is what a lost connection tells its client.
    pub(crate) fn release(
        &mut self,
        token: Token,
        unsynced: Unsynced,
        outbox: &mut Outbox,
    ) -> Result<Progress, Fatal> {
        if self.sync_waits.contains(&(unsynced.ticket, token)) {
            self.late.insert(token, Late::Synced(unsynced));
            return Ok(Progress::Waiting);
        }
        if unsynced.failed {
            return Err(Fatal::Unsynced);
        }
        outbox.append(unsynced.answer);
        Ok(Progress::Done)
    }
}

fn committed(group: &Group) -> Committed {
    let offsets = group.offsets.iter();
    offsets.map(|(topic, at, committed)| ((topic.to_owned(), at), committed.clone())).collect()
}

/// Given settings, as they are recorded.
pub(crate) fn kept(given: &Overrides) -> Config {
    given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Given settings, as they were recorded. One that means nothing any more is left out.
fn restored(
    config: &Config,
    alter: impl Fn(&Overrides, &[(String, Operation)]) -> Result<Overrides, Refusal>,
) -> Overrides {
    let mut given = Overrides::new();
    for (name, value) in config {
        match alter(&given, &[(name.clone(), Operation::Set(value.clone()))]) {
            Ok(altered) => given = altered,
            Err((_, why)) => tracing::warn!(why, "a stored setting is ignored"),
        }
    }
    given
}

/// Files go as a whole, so what retention by size leaves should be some of them.
const SEGMENTS_WITHIN_RETENTION: u64 = 4;
const MIN_SEGMENT_BYTES: u64 = 64 * 1024;

/// How large a segment of this topic becomes.
pub(crate) fn segment_bytes(config: &TopicConfig) -> u32 {
    let within = config.retention.bytes.map(|bytes| bytes / SEGMENTS_WITHIN_RETENTION);
    let within = within.unwrap_or(u64::MAX).max(MIN_SEGMENT_BYTES);
    u32::try_from(config.segment_bytes.min(within)).unwrap_or(u32::MAX)
}
