// kafkajs, case by case: main.js BROKER PROXY CUTS RUN CASE…
'use strict';

const { Suite } = require('./suite.js');

const CASES = {
  ...require('./producing.js'),
  ...require('./reading.js'),
  ...require('./grouping.js'),
  ...require('./administering.js'),
};

async function main() {
  const [broker, proxy, cuts, run, ...cases] = process.argv.slice(2);
  for (const name of cases) {
    const started = Date.now();
    // What the case before the restart leaves, the one after it finds.
    const prefix = name.startsWith('restart-') ? 'restart' : name;
    const suite = new Suite({ broker, proxy, cuts, name: `kafkajs-${prefix}-${run}` });
    try {
      await suite.start();
      await CASES[name](suite);
      await suite.close();
      console.log(`ok ${name} ${((Date.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      console.error(error);
      console.log(`fail ${name} ${String(error).replace(/\s+/g, ' ')}`);
    }
  }
  process.exit(0); // a member that a failed case has left open must not keep the process
}

main();
