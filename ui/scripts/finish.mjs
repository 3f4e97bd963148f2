// After the build: gives it its id, and compresses what is text, so that the server only has to send.
//
// The id is a hash of every built file's name and content. It stands in the page, which tells its own
// build from the server's, in build.json, and in the worker, which keeps that build's files and the page
// under a name of its own. All of it comes out the same in any folder, at any time.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { gzip } from 'pako';

const root = resolve(process.env.UI_OUT_DIR ?? new URL('../../ui-dist', import.meta.url).pathname);
const TEXT = /\.(?:html|js|css|json|svg|webmanifest|txt)$/u;
/** Below this a compressed sibling saves less than a header costs. */
const LEAST_BYTES = 200;

function files(folder = root) {
  return readdirSync(folder)
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? files(path) : [path];
    })
    .sort();
}

for (const path of files()) if (/\.(?:br|gz)$/u.test(path)) rmSync(path);

const hash = createHash('sha256');
for (const path of files()) {
  hash.update(`${relative(root, path).split(sep).join('/')}\0${readFileSync(path).length}\0`);
  hash.update(readFileSync(path));
}
const build = hash.digest('hex').slice(0, 16);

const page = join(root, 'index.html');
const html = readFileSync(page, 'utf8');
const marked = html.replace('name="room-build" content="dev"', `name="room-build" content="${build}"`);
if (marked === html) throw new Error('index.html has no place for the build id');
writeFileSync(page, marked);
writeFileSync(join(root, 'offline.html'), marked);

const worker = join(root, 'sw.js');
const kept = files()
  .map((path) => `/${relative(root, path).split(sep).join('/')}`)
  .filter((path) => path.startsWith('/assets/') || ['/offline.html', '/manifest.webmanifest', '/icons/icon.svg'].includes(path));
const body = readFileSync(worker, 'utf8');
const named = body.replaceAll('__ROOM_BUILD__', build).replaceAll('__ROOM_FILES__', kept.join(' '));
if (!named.includes(build) || !named.includes(' /offline.html')) throw new Error('sw.js has no place for the build');
if (/^\s*(?:import|export)\b/mu.test(named)) throw new Error('sw.js is no classic script');
writeFileSync(worker, named);
writeFileSync(join(root, 'build.json'), `${JSON.stringify({ build })}\n`);

let count = 0;
for (const path of files()) {
  const content = readFileSync(path);
  if (!TEXT.test(path) || content.length < LEAST_BYTES) continue;
  // Written in JavaScript: Node's own zlib compresses differently from processor to processor.
  writeFileSync(`${path}.gz`, gzip(content, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
  count += 1;
}
console.log(`finish: build ${build}, ${count} files compressed`);
