// Cases about producers.
'use strict';

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { CompressionTypes } = require('kafkajs');
const { checkNumbered, numbered, refused } = require('./suite.js');

async function produce(suite) {
  const topic = await suite.topic(1);
  const noise = Array.from({ length: 31_250 }, (_, at) => createHash('sha256').update(String(at)).digest());
  const sent = [
    { key: Buffer.from('key'), value: Buffer.from('value'), headers: { a: ['1', '2'], empty: '' } },
    { key: null, value: Buffer.from('no key') },
    { key: Buffer.from('tombstone'), value: null },
    { key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { key: Buffer.from('large'), value: Buffer.concat(noise) },
  ];
  await suite.producing(async (producer) => {
    for (const [at, message] of sent.entries()) {
      const [acknowledged] = await producer.send({ topic, messages: [message] });
      assert.equal(acknowledged.baseOffset, String(at), 'offset of an acknowledged record');
    }
  });
  const read = await suite.readAll(topic);
  assert.equal(read.length, sent.length, 'records');
  for (const [at, { key, value }] of read.entries()) {
    assert.deepEqual(key, sent[at].key, `key of record ${at}`);
    assert.deepEqual(value, sent[at].value, `value of record ${at}`);
  }
  assert.deepEqual(read[0].headers.a.map(String), ['1', '2'], 'repeated header');
  assert.equal(String(read[0].headers.empty), '', 'empty header');
}

async function codecs(suite) {
  for (const compression of [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy]) {
    const topic = await suite.topic(1);
    await suite.send(topic, 1, 300, { compression });
    checkNumbered(await suite.readAll(topic), 1, 300);
    const rest = await suite.read(topic, 300 - 137, { seek: 137 });
    assert.equal(rest[0].offset, '137', 'first offset from within a batch');
    assert.equal(rest[0].value.readInt32BE(), 137, 'first record');
  }
}

async function acks(suite) {
  for (const wanted of [0, 1, -1]) {
    const topic = await suite.topic(1);
    await suite.send(topic, 1, 50, { acks: wanted });
    checkNumbered(await suite.read(topic, 50), 1, 50);
  }
}

/** One record a request, one after the other: it has no more than one in flight when idempotent. */
async function oneByOne(suite, topic, partitions, count, { idempotent, kafka }) {
  const options = { idempotent, maxInFlightRequests: 1, retry: { initialRetryTime: 10, retries: 20 } };
  await suite.producing(async (producer) => {
    for (const message of numbered(partitions, count)) await producer.send({ topic, messages: [message] });
  }, options, kafka);
}

async function idempotent(suite) {
  const topic = await suite.topic(3);
  await oneByOne(suite, topic, 3, 1_000, { idempotent: true });
  checkNumbered(await suite.readAll(topic), 3, 1_000);
}

async function cut(suite) {
  const records = 60;
  const safe = `cut-${suite.name}`;
  let topic = await suite.topic(1);
  const through = (clientId) => suite.client({ clientId, brokers: [suite.proxy], logLevel: 0 });
  await oneByOne(suite, topic, 1, records, { idempotent: true, kafka: through(safe) });
  assert.ok(suite.cutsOf(safe) >= 5, 'the proxy did not cut');
  checkNumbered(await suite.readAll(topic), 1, records);

  // The counter-check: the same cuts double records of a producer that is not idempotent.
  const unsafe = `cut-unsafe-${suite.name}`;
  topic = await suite.topic(1);
  await oneByOne(suite, topic, 1, records, { idempotent: false, kafka: through(unsafe) });
  assert.ok(suite.cutsOf(unsafe) >= 5, 'the proxy did not cut');
  assert.ok((await suite.readAll(topic)).length > records, 'cuts double records that are not idempotent');
}

async function tooLarge(suite) {
  const topic = await suite.topic(1, { 'max.message.bytes': '10000' });
  await suite.producing(async (producer) => {
    const send = (size) => producer.send({ topic, messages: [{ value: Buffer.alloc(size) }] });
    await refused('MESSAGE_TOO_LARGE', () => send(20_000));
    await send(5_000);
  }, { retry: { retries: 1 } });
  assert.equal((await suite.readAll(topic)).length, 1, 'records');
}

async function unknownTopic(suite) {
  await suite.producing(async (producer) => {
    await refused('UNKNOWN_TOPIC_OR_PARTITION',
      () => producer.send({ topic: 'no-such-topic', messages: [{ value: 'x' }] }));
  }, { retry: { retries: 1, initialRetryTime: 10 } });
  assert.ok(!(await suite.admin.listTopics()).includes('no-such-topic'), 'nothing was created');
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => suite.admin.fetchTopicMetadata({ topics: ['no-such-topic'] }));
}

module.exports = { produce, codecs, acks, idempotent, cut, 'too-large': tooLarge, 'unknown-topic': unknownTopic };
