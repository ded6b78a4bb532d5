// Cases about topics, settings, the cluster, and groups seen by an administrator.
'use strict';

const assert = require('node:assert/strict');
const { AssignerProtocol, ConfigResourceTypes } = require('kafkajs');
const { Member } = require('./grouping.js');
const { checkNumbered, refused, until } = require('./suite.js');

async function topics(suite) {
  const topic = suite.name;
  const wanted = { topic, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '60000' }] };
  const create = (options) => suite.admin.createTopics({ topics: [wanted], waitForLeaders: false, ...options });
  assert.ok(await create({ validateOnly: true }));
  assert.ok(!(await suite.admin.listTopics()).includes(topic), 'validating creates nothing');
  assert.equal(await create(), true, 'created');
  assert.equal(await create(), false, 'it exists already');
  await refused('INVALID_TOPIC_EXCEPTION', () => suite.admin.createTopics({ topics: [{ topic: 'a/b' }] }));
  const nonsense = { topic: `${topic}0`, configEntries: [{ name: 'retention.ms', value: 'soon' }] };
  await refused('INVALID_CONFIG', () => suite.admin.createTopics({ topics: [nonsense] }));
  await suite.settled(topic, 3);
  assert.ok((await suite.admin.listTopics()).includes(topic), 'it is listed');
  const { topics: [described] } = await suite.admin.fetchTopicMetadata({ topics: [topic] });
  assert.equal(described.partitions.length, 3, 'partitions');
  for (const { isr, leader } of described.partitions) assert.deepEqual(isr, [leader], 'replicas in sync');
  await suite.admin.deleteTopics({ topics: [topic] });
  await until('the end of the topic', async () => !(await suite.admin.listTopics()).includes(topic));
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => suite.admin.deleteTopics({ topics: [topic] }));
}

async function partitions(suite) {
  const topic = await suite.topic(3);
  const grow = (count) => suite.admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await grow(6);
  await suite.settled(topic, 6);
  const { topics: [described] } = await suite.admin.fetchTopicMetadata({ topics: [topic] });
  assert.equal(described.partitions.length, 6, 'partitions');
  await refused('INVALID_PARTITIONS', () => grow(2));
  await suite.send(topic, 6, 60);
  checkNumbered(await suite.readAll(topic), 6, 60);
}

// Where a setting comes from, in Kafka's numbers.
const FROM_TOPIC = 1;
const FROM_DEFAULT = 5;

async function configs(suite) {
  const topic = await suite.topic(1, { 'retention.ms': '60000' });
  const describe = async (type, name) => {
    const { resources: [resource] } = await suite.admin.describeConfigs({
      resources: [{ type, name }], includeSynonyms: true,
    });
    return new Map(resource.configEntries.map((entry) => [entry.configName, entry]));
  };
  const alter = (name, value) => suite.admin.alterConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }],
  });
  const before = await describe(ConfigResourceTypes.TOPIC, topic);
  assert.equal(before.get('retention.ms').configValue, '60000');
  assert.equal(before.get('retention.ms').configSource, FROM_TOPIC);
  assert.equal(before.get('max.message.bytes').configValue, '1048588');
  assert.equal(before.get('max.message.bytes').configSource, FROM_DEFAULT);
  // It has no incremental alteration: what is not named goes back to its default.
  await alter('max.message.bytes', '5000');
  await until('the changes', async () => {
    const after = await describe(ConfigResourceTypes.TOPIC, topic);
    return after.get('max.message.bytes').configValue === '5000' && after.get('retention.ms').configSource !== FROM_TOPIC;
  });
  await refused('INVALID_CONFIG', () => alter('no.such.setting', '1'));
  await refused('INVALID_CONFIG', () => alter('retention.ms', 'soon'));
  const { controller } = await suite.admin.describeCluster();
  const broker = await describe(ConfigResourceTypes.BROKER, String(controller));
  assert.equal(broker.get('num.partitions').configValue, '4');
}

async function groups(suite) {
  const topic = await suite.topic(2);
  const groupId = suite.name;
  await suite.send(topic, 2, 10);
  const member = await new Member(suite, topic, groupId, { clientId: 'someone' }).start();
  await until('its records', () => member.seen.size === 10);
  const describe = async () => (await suite.admin.describeGroups([groupId])).groups[0];
  const described = await describe();
  assert.equal(described.state, 'Stable');
  assert.deepEqual(described.members.map(({ clientId }) => clientId), ['someone']);
  const { assignment } = AssignerProtocol.MemberAssignment.decode(described.members[0].memberAssignment);
  assert.deepEqual([...assignment[topic]].sort(), [0, 1], 'assignment');
  const isListed = async () => (await suite.admin.listGroups()).groups.some((group) => group.groupId === groupId);
  assert.ok(await isListed(), 'it is listed');
  await refused('NON_EMPTY_GROUP', () => suite.admin.deleteGroups([groupId]));
  await member.stop();
  assert.equal((await describe()).state, 'Empty');
  await suite.admin.deleteGroups([groupId]);
  await refused('GROUP_ID_NOT_FOUND', () => suite.admin.deleteGroups([groupId]));
  assert.ok(!(await isListed()), 'no longer listed');
}

async function groupOffsets(suite) {
  const topic = await suite.topic(2);
  const groupId = suite.name;
  await suite.send(topic, 2, 20);
  const wanted = [{ partition: 0, offset: '7' }, { partition: 1, offset: '3' }];
  await suite.admin.setOffsets({ groupId, topic, partitions: wanted });
  const committed = async () => {
    const [{ partitions: all }] = await suite.admin.fetchOffsets({ groupId, topics: [topic] });
    return all.map(({ partition, offset }) => ({ partition, offset })).sort((a, b) => a.partition - b.partition);
  };
  assert.deepEqual(await committed(), wanted, 'offsets');
  const messages = await suite.read(topic, 10, { groupId });
  const first = messages.filter(({ partition }) => partition === 0).map(({ offset }) => offset);
  assert.deepEqual(first, ['7', '8', '9'], 'from the offset set');
  await suite.admin.resetOffsets({ groupId, topic, earliest: true });
  // -2 is stored as it is: a member that finds it starts at the earliest.
  assert.equal((await suite.read(topic, 20, { groupId })).length, 20, 'from the start');
  await suite.admin.deleteGroups([groupId]);
  assert.deepEqual((await committed()).map(({ offset }) => offset), ['-1', '-1'], 'offsets of a deleted group');
}

async function cluster(suite) {
  const { brokers, controller, clusterId } = await suite.admin.describeCluster();
  assert.deepEqual(brokers.map(({ host, port }) => `${host}:${port}`), [suite.broker], 'nodes');
  assert.equal(brokers[0].nodeId, controller, 'controller');
  assert.ok(clusterId, 'cluster id');
}

module.exports = { topics, partitions, configs, groups, 'group-offsets': groupOffsets, cluster };
