// Cases about consumer groups.
'use strict';

const assert = require('node:assert/strict');
const { ConfigResourceTypes } = require('kafkajs');
const { checkNumbered, until } = require('./suite.js');

const positions = (messages) => messages.map(({ partition, offset }) => `${partition}/${offset}`);

async function resume(suite) {
  const topic = await suite.topic(3);
  await suite.send(topic, 3, 300);
  const groupId = suite.name;
  const first = positions(await suite.read(topic, 100, { groupId, commits: true }));
  const second = positions(await suite.read(topic, 200, { groupId }));
  const third = positions(await suite.read(topic, 200, { groupId, commits: true }));
  assert.deepEqual([...second].sort(), [...third].sort(), 'what was not committed is read again');
  assert.equal(new Set([...first, ...second]).size, 300, 'what was committed is not; together all');
}

async function restartBefore(suite) {
  const topic = await suite.topic(3, { 'retention.ms': '86400000' });
  await suite.send(topic, 3, 300);
  await suite.read(topic, 100, { groupId: suite.name, commits: true });
  suite.topics.length = 0; // left to the case after the restart
}

async function restartAfter(suite) {
  const topic = `${suite.name}-0`;
  suite.topics.push(topic);
  checkNumbered(await suite.readAll(topic), 3, 300);
  assert.equal((await suite.read(topic, 200, { groupId: suite.name, commits: true })).length, 200);
  const { resources: [{ configEntries }] } = await suite.admin.describeConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }],
  });
  assert.equal(configEntries[0].configValue, '86400000', 'retention.ms');
  await suite.send(topic, 3, 30);
  assert.equal((await suite.readAll(topic)).length, 330, 'records');
}

/** A member, and what has happened to it. */
class Member {
  constructor(suite, topic, groupId, options = {}) {
    this.seen = new Set();
    this.assigned = [];
    this.topic = topic;
    const kafka = suite.client({ clientId: options.clientId ?? suite.name });
    this.consumer = kafka.consumer({
      groupId, sessionTimeout: 20_000, heartbeatInterval: 200, rebalanceTimeout: 20_000, maxWaitTimeInMs: 100,
    });
    const { GROUP_JOIN } = this.consumer.events;
    this.consumer.on(GROUP_JOIN, ({ payload }) => { this.assigned = payload.memberAssignment[topic] ?? []; });
  }

  async start() {
    await this.consumer.connect();
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true });
    await this.consumer.run({
      eachMessage: async ({ partition, message }) => { this.seen.add(`${partition}/${message.offset}`); },
    });
    return this;
  }

  async stop() {
    await this.consumer.disconnect();
  }
}

async function rebalance(suite) {
  const topic = await suite.topic(4);
  const first = await new Member(suite, topic, suite.name).start();
  await suite.send(topic, 4, 200);
  await until('all partitions at the first member', () => first.assigned.length === 4 && first.seen.size >= 100);
  const second = await new Member(suite, topic, suite.name).start();
  await until('half of the partitions each', () => first.assigned.length === 2 && second.assigned.length === 2);
  await suite.send(topic, 4, 200);
  await until('what the second half of the partitions got', () => second.seen.size >= 100);
  await second.stop();
  await suite.send(topic, 4, 200);
  await until('every record',
    () => first.assigned.length === 4 && new Set([...first.seen, ...second.seen]).size === 600);
  await first.stop();
}

module.exports = { resume, rebalance, 'restart-before': restartBefore, 'restart-after': restartAfter, Member };
