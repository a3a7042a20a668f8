// Programs of node that leak, or only look like it. Each runs at a steady pace by itself.
'use strict';
const { EventEmitter } = require('node:events');

const programs = {
  // A cache by request keeps its responses: its keys never come twice.
  'map-cache': () => {
    const cache = new Map();
    let request = 0;
    every(100, () => {
      for (let i = 0; i < 8; i++) {
        const id = `/items?trace=${request++}`;
        cache.set(id, { id, headers: { a: 1, b: 'text' }, body: 'x'.repeat(400) + id, parts: new Array(64).fill(id) });
      }
    });
  },
  // Listeners are added for each request and never removed.
  listeners: () => {
    const bus = new EventEmitter().setMaxListeners(0);
    every(100, () => {
      for (let i = 0; i < 4; i++) {
        const context = { buffer: new Array(256).fill(i), at: Date.now() };
        bus.on('end', () => context.at);
      }
    });
  },
  // A leak below the sawtooth of the collector: much garbage, a little of it kept.
  sawtooth: () => {
    const kept = [];
    every(50, () => {
      const garbage = [];
      for (let i = 0; i < 300; i++) garbage.push({ i, text: `${i}`.repeat(50), list: new Array(20).fill(i) });
      kept.push(...garbage.slice(0, 6).map((entry) => ({ ...entry, more: new Array(100).fill(entry.i) })));
    });
  },
  // A cache of a bounded size fills up, and what it holds is replaced from then on.
  'bounded-lru': () => {
    const cache = new Map();
    let request = 0;
    every(50, () => {
      for (let i = 0; i < 40; i++) {
        const id = request++;
        cache.set(id, { id, list: new Array(60).fill(id) });
        if (cache.size > 20_000) cache.delete(cache.keys().next().value);
      }
    });
  },
  // Garbage alone.
  churn: () => {
    every(20, () => {
      const garbage = [];
      for (let i = 0; i < 2_000; i++) garbage.push({ i, text: `${i}`.repeat(10) });
    });
  },
};

function every(milliseconds, work) {
  work();
  setInterval(work, milliseconds);
}

programs[process.argv[2]]();
