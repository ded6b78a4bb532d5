'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');

const PATIENCE_MS = 60_000;

/** What a case works with. Its topics are deleted when it ends. */
class Suite {
  constructor({ broker, proxy, cuts, name }) {
    Object.assign(this, { broker, proxy, cuts, name, topics: [] });
    this.kafka = this.client({});
    this.admin = this.kafka.admin();
  }

  client(options) {
    return new Kafka({ clientId: this.name, brokers: [this.broker], logLevel: logLevel.ERROR, ...options });
  }

  async start() {
    await this.admin.connect();
  }

  async close() {
    if (this.topics.length > 0) await this.admin.deleteTopics({ topics: this.topics });
    await this.admin.disconnect();
  }

  async topic(numPartitions, config = {}) {
    const topic = `${this.name}-${this.topics.length}`;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    // Its own way of waiting gives up where Kafka has not heard of the topic yet.
    const topics = [{ topic, numPartitions, configEntries }];
    assert.ok(await this.admin.createTopics({ topics, waitForLeaders: false }));
    this.topics.push(topic);
    await this.settled(topic, numPartitions);
    return topic;
  }

  /** Waits until every partition has a leader that answers: Kafka creates topics before it serves them. */
  async settled(topic, partitions) {
    await until(`${partitions} partitions of ${topic}`, async () => {
      try {
        return (await this.admin.fetchTopicOffsets(topic)).length === partitions;
      } catch (error) {
        if (error.retriable) return false;
        throw error;
      }
    });
  }

  /** A producer for as long as `use` runs. */
  async producing(use, options = {}, kafka = this.kafka) {
    const producer = kafka.producer({ allowAutoTopicCreation: false, ...options });
    await producer.connect();
    try {
      return await use(producer);
    } finally {
      await producer.disconnect();
    }
  }

  /** Sends 0, 1, 2… as the first four bytes of the values, over the partitions in turn. */
  async send(topic, partitions, count, options = {}) {
    await this.producing((producer) => producer.send({ topic, messages: numbered(partitions, count), ...options }));
  }

  /** Reads until `count` records are there; by a group of its own unless one is given. */
  async read(topic, count, { groupId = `${this.name}-${Math.random()}`, seek, fromBeginning = true, commits } = {}) {
    const consumer = this.kafka.consumer({ groupId, sessionTimeout: 20_000, maxWaitTimeInMs: 100, retry: { retries: 5 } });
    const messages = [];
    let offsets;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning });
    try {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`waited in vain for ${count} records`)), PATIENCE_MS);
        if (count === 0) resolve();
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        consumer.run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            if (messages.length === count) return;
            messages.push({ ...message, partition });
            if (messages.length < count) return;
            clearTimeout(timer);
            offsets = next(topic, messages);
            resolve();
          },
        });
        if (seek !== undefined) consumer.seek({ topic, partition: 0, offset: String(seek) });
      });
      if (commits) await consumer.commitOffsets(offsets);
    } finally {
      await consumer.disconnect();
    }
    return messages;
  }

  /** Everything that a topic holds, from its start to its end. */
  async readAll(topic) {
    const bounds = await this.admin.fetchTopicOffsets(topic);
    return this.read(topic, bounds.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0));
  }

  cutsOf(client) {
    return fs.readFileSync(this.cuts, 'utf8').split('\n').filter((line) => line === client).length;
  }
}

function numbered(partitions, count) {
  return Array.from({ length: count }, (_, number) => {
    const value = Buffer.alloc(200);
    value.writeInt32BE(number);
    return { partition: number % partitions, value };
  });
}

/** The offsets behind what was read. */
function next(topic, messages) {
  const ends = new Map(messages.map(({ partition, offset }) => [partition, offset]));
  return [...ends].map(([partition, offset]) => ({ topic, partition, offset: String(Number(offset) + 1) }));
}

/** Every number is there once, and each partition has its own in order. */
function checkNumbered(messages, partitions, count) {
  assert.equal(messages.length, count, 'records');
  const nexts = Array(partitions).fill(0);
  for (const { partition, value } of messages) {
    assert.equal(value.readInt32BE(), nexts[partition] * partitions + partition, 'order');
    nexts[partition] += 1;
  }
}

async function until(what, done) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await done())) {
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The attempt fails with exactly this error of the protocol. */
async function refused(type, attempt) {
  try {
    await attempt();
  } catch (error) {
    // kafkajs wraps what it has tried again, and what concerns several topics or groups.
    const causes = [error, error.cause, ...(error.errors ?? []), ...(error.groups ?? []).map(({ error: e }) => e)];
    const types = causes.filter(Boolean).map((cause) => cause.type ?? cause.name);
    assert.ok(types.includes(type), `expected ${type}, got ${types} (${error})`);
    return;
  }
  assert.fail(`expected ${type}, got no error`);
}

module.exports = { Suite, PATIENCE_MS, checkNumbered, next, numbered, refused, until };
