// A person with a phone and a desk at a hosted Room, on the real server: signs in with a token, brings a
// second browser in by the QR code, signs Codex in, and loses access. Started by a test, which plays the
// control plane and the vendor: this script writes one JSON object a line for each thing it needs of them,
// and waits for a line in answer.
//
// LINK is a sign-in link of an owner, OTHER one of a member who looks on; THEME `light` or `dark`; SHOTS a
// folder for pictures, or nothing. Steps: `codex` {code, link} (approve it), `seen` {text} (everything the
// member's browser was sent meanwhile), `revoke` (end the owner's access now), `done`.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from '../dev/browser.mjs';
import { watch, within } from './clock.mjs';

const { LINK, OTHER, SHOTS, THEME = 'light' } = process.env;
const PHONE = { viewport: { width: 393, height: 852 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESK = { viewport: { width: 1280, height: 800 } };

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const id = (name) => `[data-testid="${name}"]`;

async function ask(what) {
  console.log(JSON.stringify(what));
  return (await answers.next()).value;
}

const browser = await launch();
const problems = [];

/** A browser of its own; what it was sent is kept where `heard` is given. */
async function open(look, heard = []) {
  const context = await browser.newContext({ ...look, colorScheme: THEME, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  // That a stranger is one is asked once, and the browser says so by itself.
  const expected = /Failed to load resource/u;
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(LINK).origin) problems.push(`foreign request: ${request.url()}`);
  });
  page.on('response', async (response) => {
    if (response.url().includes('/api/')) heard.push(await response.text().catch(() => ''));
  });
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => heard.push(String(payload))));
  return page;
}

async function shot(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px`);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/hosted-${THEME}-${name}.png` });
}

const live = (page) => page.waitForSelector('[data-testid=link-chip][data-phase=live]');

/** What a camera reads from the picture on the screen. */
async function scan(page) {
  const picture = await page.locator(id('qr')).screenshot();
  const blank = await browser.newPage();
  // In there, for a picture's every pixel would take its time on the way out.
  await blank.addScriptTag({ path: fileURLToPath(import.meta.resolve('jsqr')) });
  const found = await blank.evaluate(async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const context = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height }).getContext('2d');
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, image.width, image.height);
    return globalThis.jsQR(data, width, height)?.data ?? null;
  }, `data:image/png;base64,${picture.toString('base64')}`);
  await blank.close();
  assert.ok(found !== null, 'the picture can be read');
  return found;
}

const heard = [];
const phone = await open(PHONE);
try {
  await phone.goto(LINK);
  await live(phone);
  assert.equal(new URL(phone.url()).hash, '', 'the token is gone from the address');
  await shot(phone, 'overview');

  const member = await open(PHONE, heard);
  await member.goto(OTHER);
  await live(member);
  await shot(member, 'member');

  await phone.click(id('tab-access'));
  await phone.click(id('add-device'));
  await phone.waitForSelector(id('qr'));
  await shot(phone, 'code');
  const started = performance.now();
  const link = await scan(phone);
  const desk = await open(DESK);
  await desk.goto(link);
  await live(desk);
  assert.equal(new URL(desk.url()).hash, '', 'the code is gone from the address');
  await phone.waitForSelector(id('pair-added'));
  // Of the three minutes that a code lives, on however slow a machine.
  const took = Math.round(performance.now() - started);
  assert.ok(took < 30_000, `from the picture to both devices, not ${took} ms`);
  await shot(phone, 'added');
  // From a desk to a phone it is one tap and one scan, wherever one is; on a phone itself there is no such tap.
  assert.ok(!(await phone.isVisible(id('on-my-phone'))));
  await desk.click(id('on-my-phone'));
  await desk.waitForSelector(id('qr'));
  assert.match(await scan(desk), new RegExp(`^${new URL(LINK).origin}/#pair=`, 'u'));
  await shot(desk, 'on-my-phone');

  await phone.click(id('tab-overview'));
  await phone.click(id('needs-codex'));
  await phone.click(id('start'));
  await phone.waitForSelector(id('device-code'));
  const code = await phone.textContent(id('device-code'));
  const vendor = await phone.getAttribute(id('copy-and-open'), 'href');
  await ask({ step: 'codex', code, link: vendor });
  await phone.waitForSelector(id('login-done'));
  await member.click(id('tab-providers'));
  await member.waitForSelector('[data-testid=provider-codex-state][data-state=connected]');
  await shot(member, 'member-providers');
  const text = heard.join('\n');
  assert.ok(!text.includes(code), 'a member was sent the code');
  assert.ok(!text.includes(vendor), 'a member was sent the link');
  await ask({ step: 'seen', text });

  await desk.click(id('tab-activity'));
  await desk.waitForSelector('[data-action="provider.finished"]');
  await shot(desk, 'activity');
  const ended = Promise.all([phone, desk].map((page) => page.waitForSelector('[data-reason=revoked]')));
  const stop = watch();
  await ask({ step: 'revoke' });
  await ended;
  within(1_000, 'both pages know', stop);
  await shot(phone, 'revoked');
  assert.equal(await member.getAttribute(id('link-chip'), 'data-phase'), 'live');

  assert.deepEqual(problems, []);
  await ask({ step: 'done' });
} catch (error) {
  if (SHOTS) await phone.screenshot({ path: `${SHOTS}/hosted-${THEME}-failed.png` });
  console.error(error, problems);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
