// What a first visit costs: the page and every script and style it names, as gzip sends them; and what
// each part that is loaded on request costs.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzip } from 'pako';

const root = resolve(process.env.UI_OUT_DIR ?? new URL('../../ui-dist', import.meta.url).pathname);
const LIMIT_BYTES = 25_000;
const PART_LIMIT_BYTES = 10_000;

const html = readFileSync(join(root, 'index.html'), 'utf8');
const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/gu)].map((match) => match[1]);
const first = ['index.html'];
// A script counts with every script it imports outright.
const waiting = [...named];
for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
  if (first.includes(name)) continue;
  first.push(name);
  const code = name.endsWith('.js') ? readFileSync(join(root, name), 'utf8') : '';
  for (const match of code.matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/gu)) waiting.push(`assets/${match[1]}`);
}
const later = readdirSync(join(root, 'assets'))
  .map((name) => `assets/${name}`)
  .filter((name) => /\.(?:js|css)$/u.test(name) && !first.includes(name));

const cost = (name) => gzip(readFileSync(join(root, name)), { level: 9 }).length;
let total = 0;
for (const name of first) {
  total += cost(name);
  console.log(`${String(cost(name)).padStart(7)}  ${name}`);
}
for (const name of later) console.log(`${String(cost(name)).padStart(7)}  ${name} (on request)`);
const heavy = later.filter((name) => cost(name) > PART_LIMIT_BYTES);
console.log(`size: first load ${total} of ${LIMIT_BYTES} bytes, gzip`);
if (total > LIMIT_BYTES || heavy.length > 0) {
  console.error(`size: over the limit${heavy.length > 0 ? ` (a part may have ${PART_LIMIT_BYTES}): ${heavy.join(', ')}` : ''}`);
  process.exit(1);
}
