// Cases about where reading starts. kafkajs reads in groups only.
'use strict';

const assert = require('node:assert/strict');
const { CompressionTypes } = require('kafkajs');
const { checkNumbered, until } = require('./suite.js');

/** Ten records, a second apart; in one batch where they are compressed. */
async function sendTimed(suite, topic, compression) {
  const start = Date.now() - 60_000;
  const messages = Array.from({ length: 10 }, (_, number) => ({
    partition: 0, value: Buffer.from([number]), timestamp: String(start + number * 1000),
  }));
  await suite.producing(async (producer) => {
    if (compression !== CompressionTypes.None) return producer.send({ topic, compression, messages });
    for (const message of messages) await producer.send({ topic, messages: [message] });
  });
  return start;
}

async function checkTimes(suite, topic, start) {
  for (let number = 0; number < 10; number++) {
    const found = await suite.admin.fetchTopicOffsetsByTimestamp(topic, start + number * 1000 - 500);
    assert.deepEqual(found, [{ partition: 0, offset: String(number) }], 'offset for a timestamp');
  }
}

async function positions(suite) {
  const topic = await suite.topic(1);
  const start = await sendTimed(suite, topic, CompressionTypes.None);
  assert.deepEqual(await suite.admin.fetchTopicOffsets(topic),
    [{ partition: 0, offset: '10', high: '10', low: '0' }], 'bounds');
  await checkTimes(suite, topic, start);
  assert.equal((await suite.read(topic, 10))[0].offset, '0', 'earliest');
  assert.equal((await suite.read(topic, 6, { seek: 4 }))[0].offset, '4', 'after a seek');
  let found;
  const latest = suite.read(topic, 1, { fromBeginning: false }).then((messages) => { found = messages; });
  await until('a record behind the end', async () => {
    await suite.send(topic, 1, 1);
    return found;
  });
  await latest;
  assert.ok(Number(found[0].offset) >= 10, 'latest');
}

async function timesCompressed(suite) {
  for (const compression of [CompressionTypes.GZIP, CompressionTypes.Snappy]) {
    const topic = await suite.topic(1);
    await checkTimes(suite, topic, await sendTimed(suite, topic, compression));
  }
}

async function deleteRecords(suite) {
  const topic = await suite.topic(1);
  await sendTimed(suite, topic, CompressionTypes.None);
  await suite.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
  assert.deepEqual(await suite.admin.fetchTopicOffsets(topic),
    [{ partition: 0, offset: '10', high: '10', low: '4' }], 'bounds');
  assert.equal((await suite.read(topic, 6, { seek: 1 }))[0].offset, '4', 'after the reset');
  await suite.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
  assert.equal((await suite.readAll(topic)).length, 0, 'records that are left');
}

async function retention(suite) {
  const topic = await suite.topic(1, { 'retention.ms': '30000' });
  await sendTimed(suite, topic, CompressionTypes.None);
  await until('the end of old records', async () => (await suite.admin.fetchTopicOffsets(topic))[0].low === '10');
  await suite.send(topic, 1, 1);
  assert.equal((await suite.read(topic, 1, { seek: 3 }))[0].offset, '10', 'after the reset');
}

async function manyPartitions(suite) {
  const topic = await suite.topic(100);
  await suite.send(topic, 100, 1_000);
  const messages = await suite.readAll(topic);
  checkNumbered(messages, 100, 1_000);
}

module.exports = {
  positions, retention, 'times-compressed': timesCompressed, 'delete-records': deleteRecords, 'many-partitions': manyPartitions,
};
