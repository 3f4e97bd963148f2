// A bad network between the page and its Room: it stalls without a word, cuts, refuses, and stands in for a
// machine that sleeps. The proxy is in here; the Room behind it is the real one.
//
// That it happens, and within what is promised, is seen here; the timers that see to it (15 s and 5 s, 1.5 s on
// waking, half a second to the first try) are looked at one by one in `src/api/socket.test.ts`, on a clock of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { watch, within } from './clock.mjs';
import { ask, id, LINK, live, open, phase, suite, until } from './stage.mjs';

const { PROXY, TARGET } = process.env;
const base = new URL(LINK).origin;

/** A proxy of bytes, with the faults a network has. */
const proxy = {
  mode: 'pass',
  pairs: new Set(),
  sockets: 0,
  listener: null,

  async listen() {
    this.listener = createServer((client) => this.take(client));
    await new Promise((resolve) => void this.listener.listen(Number(PROXY), 'localhost', resolve));
  },

  take(client) {
    client.on('error', () => client.destroy());
    if (this.mode === 'asleep') {
      // As a platform's proxy answers while the machine behind it starts.
      client.once('data', () => client.end('HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 8\r\nConnection: close\r\n\r\nstarting'));
      return;
    }
    const server = connect(Number(TARGET), 'localhost');
    const pair = { client, server, stalled: false };
    this.pairs.add(pair);
    const pass = (from, to) => from.on('data', (data) => pair.stalled || to.write(data));
    client.once('data', (data) => {
      if (String(data).startsWith('GET /ws')) this.sockets += 1;
    });
    pass(client, server);
    pass(server, client);
    for (const [end, far] of [[client, server], [server, client]]) {
      end.on('close', () => {
        // Who is behind a stalled line hears of nothing.
        if (pair.stalled) return;
        this.pairs.delete(pair);
        far.destroy();
      });
      end.on('error', () => end.destroy());
    }
  },

  /** What is open now carries nothing more and says nothing; what comes later works. */
  stall() {
    for (const pair of this.pairs) pair.stalled = true;
  },

  reset() {
    for (const { client, server } of this.pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.pairs.clear();
  },

  async refuse() {
    const closed = new Promise((resolve) => void this.listener.close(resolve));
    this.reset();
    await closed;
  },
};
await proxy.listen();

let page;
let session;

/** The numbers of the lines on the screen, and of those the Room has, in their order. */
const numbers = (lines) => lines.map((line) => /^line (\d+) of a drip/u.exec(line)?.[1]).filter((n) => n !== undefined).map(Number);
const shown = async () => numbers(await page.$$eval(`${id('log')} .line`, (lines) => lines.map((line) => line.textContent)));
const printed = async () => numbers((await ask('session', { session })).lines.map((line) => line.text));

/** Each line once, in its order, from the first. */
function whole(lines) {
  assert.deepEqual(lines, Array.from(lines, (_, index) => index + 1));
  return lines.length;
}

/** Until as many more lines were printed. */
async function more(count) {
  const before = (await printed()).length;
  await until('more is printed', async () => (await printed()).length >= before + count, 20_000);
  return (await printed()).length;
}

/** Until the screen has every line up to that one. */
const upTo = (count) => until(`line ${count}`, async () => whole(await shown()) >= count, 60_000);

/** Keeps what the page's live region says, in order. */
function listen() {
  return page.evaluate(() => {
    const region = document.querySelector('[data-testid=said]');
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(region.textContent.trim())).observe(region, { childList: true, characterData: true, subtree: true });
  });
}
const said = () => page.evaluate(() => globalThis.said);

const HALF = 'half-a-code-and';
const stored = () => page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));

/** As a phone that was in a pocket: headless browsers are never hidden, so the page is told. */
function wake() {
  return page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
}

/** Three for each processor, busy at once: all of them, until each has done its work. */
async function crowd(ours) {
  const work = 'for (let n = 0; n < 2e8; n += 1); process.stdout.write("done")';
  const all = Array.from({ length: 3 * availableParallelism() }, () =>
    // A shell that ends leaves what it began to nobody, and so to no family.
    ours ? spawn(process.execPath, ['-e', `${work}; setInterval(() => {}, 1e6)`]) : spawn('sh', ['-c', '"$0" -e "$1" &', process.execPath, work]),
  );
  const done = Promise.all(all.map((child) => new Promise((resolve) => void child.stdout.once('data', resolve))));
  await Promise.all(all.map((child) => new Promise((resolve) => void child.once('spawn', resolve))));
  return { done, end: () => all.forEach((child) => child.kill()) };
}

await suite({
  async 'control: to wait counts on however busy a machine, to stand in line for it does not'() {
    const stopOurs = watch();
    const ours = await crowd(true);
    await ours.done;
    const { wall, took } = stopOurs();
    ours.end();
    assert.ok(took < wall / 2, `${took} of ${wall} ms`);
    const strangers = await crowd(false);
    // Of a family that does nothing else; the browser has only just begun.
    const sleeper = spawn('sleep', ['1']);
    const stopSleeper = watch(sleeper.pid);
    await new Promise((resolve) => void sleeper.once('exit', resolve));
    assert.throws(() => within(500, 'a sleep of a second', stopSleeper), /promised within 500 ms/u);
    await strangers.done;
  },

  async 'a sign-in is on the screen, and prints on and on'(browser) {
    page = await open(browser);
    await page.goto(LINK);
    await live(page);
    await ask('play', { provider: 'codex', scenario: 'drip' });
    session = (await ask('connect', { provider: 'codex' })).sessionId;
    await page.goto(`${base}/providers/codex/connect`);
    await live(page);
    await page.click(id('log-toggle'));
    await upTo(await more(3));
  },

  async 'after sleep, what was missed is there within 4 s, none lost and none twice'() {
    proxy.stall();
    const missed = await more(12);
    // The socket is dead, and nothing has said so: the page knows none of it. (The control of this check.)
    assert.ok((await shown()).length <= missed - 12, 'lines came through a line that is cut');
    assert.equal(await phase(page), 'live');
    const stop = watch();
    await wake();
    await upTo(missed);
    within(4_000, 'caught up', stop);
    await live(page);
  },

  async 'a line that dies silently is noticed within 25 s and heals without a tap'() {
    const before = proxy.sockets;
    proxy.stall();
    const stop = watch();
    const missed = await more(3);
    await until('it is noticed', async () => (await phase(page)) !== 'live' || proxy.sockets > before, 60_000);
    within(25_000, 'noticed', stop);
    await live(page);
    await upTo(missed);
  },

  async 'cut connections are back soon'() {
    for (let time = 0; time < 3; time += 1) {
      const before = proxy.sockets;
      const stop = watch();
      proxy.reset();
      await until('a new socket', () => proxy.sockets > before, 60_000);
      await live(page);
      within(2_000, 'back', stop);
      await upTo(await more(1));
    }
  },

  async 'a Room that is not there is asked in moderation, said to be away, and found at once when it is back'() {
    await listen();
    const tries = [];
    const count = (socket) => tries.push([performance.now(), socket.url()]);
    page.on('websocket', count);
    await proxy.refuse();
    await page.waitForSelector(`${id('link-chip')}[data-phase=reconnecting]`);
    await until('the age of what is shown', async () => /data \d+\s?s old/u.test(await page.textContent(id('link-chip'))), 30_000);
    await page.waitForSelector(`${id('link-chip')}[data-phase=offline]`);
    assert.match(await page.textContent(id('link-chip')), /Offline/u);
    assert.equal(await page.locator(`${id('link-chip')} svg path`).count(), 1, 'a triangle');
    // Someone who looks at it again and again.
    for (let time = 0; time < 30; time += 1) {
      await wake();
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
    for (const [start] of tries) {
      const near = tries.filter(([at]) => at >= start && at < start + 10_000).length;
      assert.ok(near <= 8, `${near} tries in 10 s`);
    }
    assert.ok(tries.length >= 2, `${tries.length} tries`);
    page.off('websocket', count);
    await proxy.listen();
    const stop = watch();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    // Eight tries in ten seconds were allowed, and they may all have been made.
    await live(page);
    within(11_000, 'found again', stop);
    assert.equal(await page.locator(`${id('link-chip')} svg circle`).count(), 1, 'a dot');
    await until('it is said', async () => (await said()).at(-1) === 'Live', 30_000);
    // Once each, and not by colour alone; what passes in a moment is not worth a word.
    const words = await said();
    assert.deepEqual(words.at(0) === 'Reconnecting' ? words.slice(1) : words, ['Offline', 'Live']);
    await upTo((await printed()).length);
  },

  async 'what is half typed is there after a cut line, on another page and back'() {
    await page.goto(`${base}/providers/claude/connect`);
    await live(page);
    await page.click(id('start'));
    await page.fill(`${id('paste-input')}:enabled`, HALF);
    const before = proxy.sockets;
    proxy.reset();
    await until('a new socket', () => proxy.sockets > before, 60_000);
    await live(page);
    assert.equal(await page.inputValue(id('paste-input')), HALF);
    await page.click(id('tab-providers'));
    await page.click(id('continue-claude'));
    assert.equal(await page.inputValue(id('paste-input')), HALF);
    assert.ok(!(await stored()).includes(HALF), 'nothing of it is stored');
    await page.click(id('cancel'));
    await page.waitForSelector(id('canceled'));
    await page.goto(`${base}/providers/codex/connect`);
    await live(page);
  },

  async 'a machine that sleeps is woken, with progress and without an error'() {
    proxy.mode = 'asleep';
    proxy.reset();
    await page.waitForSelector(`${id('link-chip')}[data-phase=asleep]`);
    assert.match(await page.textContent(id('link-chip')), /Room asleep/u);
    await page.waitForSelector(`${id('waking')} progress`);
    await page.click(id('tab-activity'));
    const at = Number(await page.getAttribute(`${id('waking')} progress`, 'value'));
    await until('progress', async () => Number(await page.getAttribute(`${id('waking')} progress`, 'value')) > at, 30_000);
    assert.equal(await page.locator('.note.bad').count(), 0, 'no error is shown');
    proxy.mode = 'pass';
    await live(page, 30_000);
    await page.waitForSelector('[data-testid=activity] li');
    assert.equal(await page.locator(id('waking')).count(), 0);
  },

  async 'an ended sign-in ends the tries, and keeps the address'() {
    assert.equal(await ask('revoke'), 200);
    await page.waitForSelector(`${id('link-chip')}[data-phase=signed_out]`);
    const before = proxy.sockets;
    await wake();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.waitForSelector(id('connect-page'));
    // Longer than the first two waits before another try would be.
    await new Promise((resolve) => void setTimeout(resolve, 1_600));
    assert.equal(proxy.sockets, before);
    assert.equal(new URL(page.url()).pathname, '/activity');
  },
});
