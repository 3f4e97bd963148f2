// A person with a browser signs both providers in and out again, on the real server. Started by
// `tests/it/browser.rs`, which plays the vendors: this script writes one JSON object a line for each
// thing it needs of them, and waits for a line in answer.
//
// LINK is the one-time link, CODEX_KEY and CLAUDE_KEY are keys to give and take; VIEW `phone` or `desktop`; THEME `light` or `dark`; SHOTS a folder for
// pictures, or nothing.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { launch } from '../dev/browser.mjs';
import { watch, within } from './clock.mjs';

const { LINK, SHOTS, VIEW = 'phone', THEME = 'light' } = process.env;
const PHONE = { viewport: { width: 393, height: 852 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const id = (name) => `[data-testid="${name}"]`;

/** Tells the test what the person sees, and waits for the vendors' side of it. */
async function ask(what) {
  console.log(JSON.stringify(what));
  return (await answers.next()).value;
}

const browser = await launch();
const context = await browser.newContext({
  ...(VIEW === 'phone' ? PHONE : DESKTOP),
  colorScheme: THEME,
  permissions: ['clipboard-read', 'clipboard-write'],
});
const page = await context.newPage();
const problems = [];
page.on('console', (message) => {
  // A key that is none is refused, and the browser says so too.
  if (['error', 'warning'].includes(message.type()) && !/status of 422/u.test(message.text())) problems.push(message.text());
});
page.on('pageerror', (error) => problems.push(error.message));
page.on('requestfinished', (request) => {
  if (new URL(request.url()).origin !== new URL(LINK).origin) problems.push(`foreign request: ${request.url()}`);
});

async function shot(name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px`);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${VIEW}-${THEME}-${name}.png` });
}

async function live() {
  await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
}

async function signInCodex() {
  await page.click(id('needs-codex'));
  await page.click(id('start'));
  await page.waitForSelector(id('device-code'));
  const code = await page.textContent(id('device-code'));
  const link = await page.getAttribute(id('copy-and-open'), 'href');
  await page.click('.code');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  await shot('codex-code');
  await ask({ step: 'codex', code, link });
  await page.waitForSelector(id('login-done'));
  await shot('codex-done');
}

async function signInClaude() {
  await page.click(id('tab-providers'));
  await page.click(id('connect-claude'));
  await page.waitForSelector(`${id('paste-input')}:enabled`);
  const link = await page.getAttribute(id('open-link'), 'href');
  await shot('claude-link');
  const code = await ask({ step: 'claude', link });
  await page.evaluate((text) => navigator.clipboard.writeText(text), ` ${code}\n`);
  await page.click(id('paste-button'));
  await page.waitForFunction((text) => document.querySelector('[data-testid=paste-input]')?.value === text, code);
  await page.press(id('paste-input'), 'Enter');
  await page.waitForSelector(id('login-done'));
  await shot('claude-done');
  assert.ok(!(await page.content()).includes(code), 'the pasted code is on the page');
}

async function cancelCodex() {
  await page.goto(new URL('/providers/codex/connect', LINK).href);
  await live();
  // What became of the last sign-in is still there to read.
  await page.click(id('afresh'));
  await page.click(id('start'));
  await page.waitForSelector(id('device-code'));
  const stop = watch();
  await page.click(id('cancel'));
  await page.waitForSelector(id('canceled'));
  within(1_000, 'cancelled', stop);
  await shot('codex-cancelled');
  await ask({ step: 'cancelled' });
}

async function signOut(provider) {
  await page.click(id('tab-providers'));
  await page.click(id(`disconnect-${provider}`));
  await page.waitForSelector(id('confirm'));
  await shot(`${provider}-disconnect`);
  await page.click(id('confirm-yes'));
  await page.waitForSelector(id(`outcome-${provider}`));
  await shot(`${provider}-disconnected`);
}

/** The page at the end does not load here: its address is what finishes the sign-in. */
async function pasteAddress() {
  if ((await ask({ step: 'browser' })) !== 'agrees') return;
  await page.click(id('tab-providers'));
  await page.click(id('others-codex'));
  await page.click(id('method-browser'));
  await page.waitForSelector(`${id('paste-input')}:enabled`);
  const link = await page.getAttribute(id('open-link'), 'href');
  assert.ok((await page.textContent(id('callback-text'))).includes(new URL(new URL(link).searchParams.get('redirect_uri')).origin));
  await shot('callback');
  const address = await ask({ step: 'callback', link });
  await page.fill(id('paste-input'), link);
  await page.click(id('paste-submit'));
  await page.waitForSelector(`${id('paste-error')}[data-code=sign_in_link]`);
  await shot('callback-refused');
  // As it comes out of a phone's address bar.
  await page.fill(id('paste-input'), ` ${address.replace('http://', '')}\n`);
  await page.click(id('paste-submit'));
  await page.waitForSelector(id('login-done'));
  await nowhere(new URL(address).searchParams.get('code'));
  await signOut('codex');
}

/** What the browser was ever given to keep, and what the page holds. */
async function nowhere(secret) {
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!kept.includes(secret), 'the key is in the browser');
  assert.ok(!(await page.content()).includes(secret), 'the key is on the page');
}

/** Gives a key, tests it, and takes it away again. */
async function keyOf(provider, key, storage) {
  await page.click(id('tab-providers'));
  await page.click(id(`others-${provider}`));
  await page.click(id(`use-key-${provider}`));
  await page.fill(id(`key-input-${provider}`), 'hello');
  await page.click(id(`key-save-${provider}`));
  await page.waitForSelector('[data-testid=key-error][data-code=key_format]');
  await page.fill(id(`key-input-${provider}`), key);
  await shot(`${provider}-key`);
  await page.click(id(`key-save-${provider}`));
  await page.waitForSelector(`${id(`key-${provider}`)}[data-storage=${storage}]`);
  assert.ok((await page.textContent(id(`key-${provider}`))).includes(key.slice(-4)));
  await nowhere(key.slice(0, -4));
  await page.click(id('tab-providers'));
  await page.click(id(`key-test-${provider}`));
  await page.waitForSelector(id(`outcome-${provider}`));
  await shot(`${provider}-key-kept`);
  await ask({ step: 'key', provider, good: (await page.locator(`${id(`outcome-${provider}`)}.good`).count()) === 1 });
  await page.click(id(`key-remove-${provider}`));
  await page.click(id('confirm-yes'));
  await page.waitForSelector(id(`key-${provider}`), { state: 'detached' });
  await ask({ step: 'no-key', provider });
}

/** A sign-in that ends in a token, which the Room keeps and nobody sees. */
async function tokenOfClaude() {
  if ((await ask({ step: 'token' })) !== 'prints one') return;
  await page.click(id('tab-providers'));
  await page.click(id('others-claude'));
  await page.click(id('method-setup_token'));
  await page.waitForSelector(`${id('paste-input')}:enabled`);
  const code = await ask({ step: 'claude', link: await page.getAttribute(id('open-link'), 'href') });
  await page.fill(id('paste-input'), code);
  await page.press(id('paste-input'), 'Enter');
  await page.waitForSelector(`${id('done-token')}[data-storage=memory]`);
  await shot('token-done');
  assert.ok(!(await page.content()).includes('sk-ant-oat01-'), 'the token is on the page');
  await page.click(id('tab-providers'));
  await page.click(id('key-remove-claude'));
  await page.click(id('confirm-yes'));
  await page.waitForSelector(id('key-claude'), { state: 'detached' });
}

/** The program asks what nobody taught the Room, and its owner answers. */
async function answerCodex() {
  if ((await ask({ step: 'puzzle' })) !== 'asks') return;
  await page.click(id('tab-providers'));
  await page.click(id('others-codex'));
  await page.click(id('start'));
  // Silence counts as a question after a while.
  await page.waitForSelector(id('answer'), { timeout: 40_000 });
  assert.match(await page.textContent(id('answer-screen')), /Continue with foo\?/u);
  await page.click(id('answer-understood'));
  await page.fill(id('answer-input'), 'y');
  await shot('answer');
  await page.press(id('answer-input'), 'Enter');
  await page.waitForSelector(id('device-code'));
  await page.click(id('cancel'));
  await page.waitForSelector(id('canceled'));
}

try {
  await page.goto(LINK);
  await live();
  assert.equal(new URL(page.url()).hash, '', 'the code is gone from the address');
  await shot('overview');
  await signInCodex();
  await signInClaude();
  await page.click(id('tab-providers'));
  await page.waitForSelector(id('disconnect-codex'));
  await shot('providers');
  await cancelCodex();
  await signOut('codex');
  await signOut('claude');
  await pasteAddress();
  await keyOf('codex', process.env.CODEX_KEY, 'program');
  await keyOf('claude', process.env.CLAUDE_KEY, 'memory');
  await tokenOfClaude();
  await answerCodex();
  await page.click(id('tab-settings'));
  await page.waitForSelector(id('programs'));
  await shot('settings');
  await page.click(id('tab-overview'));
  await page.waitForSelector(id('plot-memory'));
  await page.waitForSelector(id('recent-event'));
  await shot('overview-later');

  // The link was good once: a browser that comes with it again is told how to get another.
  const stranger = await browser.newContext({ ...(VIEW === 'phone' ? PHONE : DESKTOP), colorScheme: THEME });
  const other = await stranger.newPage();
  await other.goto(LINK);
  await other.waitForSelector(id('connect-reason'));
  if (SHOTS) await other.screenshot({ path: `${SHOTS}/${VIEW}-${THEME}-used-link.png` });

  assert.deepEqual(problems, []);
  await ask({ step: 'done' });
} catch (error) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${VIEW}-${THEME}-failed.png` });
  console.error(error, problems);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
