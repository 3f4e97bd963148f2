// Sign-ins as people do them, against the fake Room: what is in the clipboard, where the focus goes,
// what a second browser sees, and how the page heals. `npm run flows`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { launch } from './browser.mjs';
import { cloudFlows } from './flows-cloud.mjs';
import { providerFlows } from './flows-providers.mjs';

const fake = spawn(process.execPath, [new URL('fake-room.mjs', import.meta.url).pathname], {
  env: { ...process.env, PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const base = await new Promise((resolve) => {
  fake.stdout.on('data', (data) => {
    const found = /http:\/\/localhost:\d+/u.exec(String(data));
    if (found) resolve(found[0]);
  });
});
const say = async (body) => (await fetch(`${base}/fake`, { method: 'POST', body: JSON.stringify(body) })).json();
const id = (name) => `[data-testid="${name}"]`;
const OUT = { connected: false, account: null, plan: null, method: null, installed: true, authSession: null };

const browser = await launch();
const problems = [];

async function open(options = {}) {
  const context = await browser.newContext({
    viewport: { width: 393, height: 852 },
    hasTouch: true,
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !/Failed to load resource|WebSocket connection/u.test(message.text()))
      problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  return page;
}

async function signedIn(path = '/', options = {}) {
  const page = await open(options);
  await page.goto(`${base}/#code=dev`);
  await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  if (path !== '/') {
    await page.goto(base + path);
    await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  }
  return page;
}

const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const focused = (page) => page.evaluate(() => document.activeElement?.tagName);

const FLOWS = {
  async 'three taps from the dashboard to the sign-in page, with the code copied'() {
    const page = await signedIn();
    await page.tap(id('needs-codex'));
    await page.tap(id('start'));
    const [popup] = await Promise.all([page.context().waitForEvent('page'), page.tap(id('copy-and-open'))]);
    assert.equal(
      new URL(
        popup.url() === 'about:blank' ? await popup.waitForEvent('framenavigated').then((frame) => frame.url()) : popup.url(),
      ).protocol,
      'chrome-error:',
    );
    await page.bringToFront();
    assert.equal(await clipboard(page), 'CZ6N-DCWVI');
    assert.equal(await page.getAttribute(id('copy-and-open'), 'href'), 'https://auth.openai.com/codex/device');
    assert.match(await page.getAttribute(id('copy-and-open'), 'rel'), /noopener/u);
    assert.match(await page.textContent(id('copy-and-open')), /auth\.openai\.com/u);
    await page.tap(id('copy-link'));
    assert.equal(await clipboard(page), 'https://auth.openai.com/codex/device');
    await page.tap('.code');
    assert.equal(await clipboard(page), 'CZ6N-DCWVI');
    assert.equal(await page.getByRole('button', { name: 'Copy code CZ6N-DCWVI' }).count(), 1);
  },

  async 'leaving does not cancel, and coming back shows the same sign-in'() {
    const page = await signedIn('/providers');
    await page.click(id('connect-codex'));
    await page.waitForSelector(id('device-code'));
    await page.click(id('back'));
    assert.equal(await focused(page), 'H1');
    await page.waitForSelector(id('continue-codex'));
    await page.reload();
    await page.click(id('continue-codex'));
    await page.waitForSelector(id('device-code'));
    await say({ approve: 'codex' });
    await page.waitForSelector(id('login-done'));
    assert.equal(await page.textContent(id('said')), 'Codex is connected');
    await page.click(id('to-overview'));
    await page.waitForFunction(() => !document.querySelector('[data-testid=needs-codex]'));
  },

  async 'after a success one can sign in again, and a disconnect is not called connected'() {
    const page = await signedIn('/providers/codex/connect');
    await page.click(id('start'));
    await page.waitForSelector(id('device-code'));
    await say({ approve: 'codex' });
    await page.waitForSelector(id('login-done'));
    await page.click(id('afresh'));
    await page.waitForSelector(id('start'));
    await page.click(id('back'));
    await page.click(id('disconnect-codex'));
    await page.click(id('confirm-yes'));
    await page.waitForSelector(id('outcome-codex'));
    await page.goto(`${base}/providers/codex/connect`);
    await page.waitForSelector(id('start'));
  },

  async 'a second browser joins, and both see the end'() {
    const first = await signedIn('/providers/codex/connect');
    const second = await signedIn('/providers/codex/connect', { viewport: { width: 1280, height: 800 } });
    await second.waitForSelector(id('start'));
    await first.click(id('start'));
    await second.waitForSelector(id('joined'));
    assert.equal(await second.textContent(id('device-code')), 'CZ6N-DCWVI');
    await second.waitForSelector(id('qr'));
    await second.click(id('cancel'));
    await first.waitForSelector(id('canceled'));
    assert.match(await first.textContent(id('canceled')), /Nothing was stored/u);
  },

  async 'a pasted code is cleaned, sent once, and gone from the page'() {
    const page = await signedIn('/providers/claude/connect');
    await page.click(id('start'));
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    const sent = page.waitForRequest((request) => request.url().endsWith('/input'));
    await page.fill(id('paste-input'), 'https://platform.claude.com/oauth/code/callback?code=AAAA-1111&state=BBBB_2222');
    await page.press(id('paste-input'), 'Enter');
    assert.deepEqual((await sent).postDataJSON(), { text: 'AAAA-1111#BBBB_2222' });
    await page.waitForSelector(id('login-done'));
    assert.ok(!(await page.content()).includes('AAAA-1111'));
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.ok(!stored.includes('AAAA'));
  },

  async 'the paste button takes the clipboard'() {
    const page = await signedIn('/providers/claude/connect');
    await page.click(id('start'));
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    await page.evaluate(() => navigator.clipboard.writeText(' one#\n two '));
    await page.click(id('paste-button'));
    await page.waitForFunction(() => document.querySelector('[data-testid=paste-input]').value === 'one#two');
    assert.equal(await page.locator(id('paste-warning')).count(), 0);
  },

  async 'a refused paste says why and takes another'() {
    const page = await signedIn('/providers/claude/connect');
    await page.click(id('start'));
    await page.fill(id('paste-input'), 'nonsense');
    await page.waitForSelector(id('paste-warning'));
    await page.click(id('paste-submit'));
    await page.waitForSelector(id('paste-error'));
    assert.equal(await page.inputValue(id('paste-input')), '');
    await page.fill(id('paste-input'), 'good#code');
    await page.click(id('paste-submit'));
    await page.waitForSelector(id('login-done'));
  },

  async 'an ended sign-in gives a new link'() {
    const page = await signedIn('/providers/claude/connect');
    await page.click(id('start'));
    await page.fill(id('paste-input'), 'bad-code#state');
    await page.click(id('paste-submit'));
    await page.waitForSelector(`${id('failure')}[data-code=refused]`);
    await page.click(id('action-copy-details'));
    const details = await clipboard(page);
    assert.match(details, /refused/u);
    assert.ok(!/state=[A-Za-z0-9]/u.test(details), 'the link lost its secrets');
    await page.click(id('action-fresh'));
    await page.waitForSelector(`${id('paste-input')}:enabled`);
  },

  async 'time that is up ends on the screen, and one tap gets a new code'() {
    await say({ seconds: 2 });
    const page = await signedIn('/providers/codex/connect');
    await page.click(id('start'));
    await page.waitForSelector(`${id('failure')}[data-code=expired]`);
    await say({ seconds: 900 });
    await page.click(id('action-fresh'));
    await page.waitForSelector(id('device-code'));
  },

  async 'a sign-in that would sign out asks first'() {
    await say({ codex: 'in_place' });
    const page = await signedIn('/providers');
    await page.click(id('connect-codex'));
    await page.click(id('agree'));
    await page.waitForSelector(id('device-code'));
  },

  async 'provider text cannot deceive'() {
    const page = await signedIn('/providers/codex/connect');
    await page.click(id('start'));
    await page.waitForSelector(id('device-code'));
    await page.click(id('log-toggle'));
    await say({ lines: { provider: 'codex', texts: ['<img src=x onerror=alert(1)>', 'abc\u202Edef\u200B'] } });
    await page.waitForFunction(() => document.querySelector('[data-testid=log]')?.textContent.includes('abcdef'));
    assert.equal(await page.locator(`${id('log')} img`).count(), 0);
    await page.click(id('copy-log'));
    assert.ok((await clipboard(page)).endsWith('<img src=x onerror=alert(1)>\nabcdef'));
  },

  async 'the log follows the end only while one is there'() {
    const page = await signedIn('/providers/codex/connect');
    await page.click(id('start'));
    await page.click(id('log-toggle'));
    const many = (from) => Array.from({ length: 60 }, (_, index) => `line ${from + index}`);
    await say({ lines: { provider: 'codex', texts: many(0) } });
    await page.waitForFunction(() => document.querySelector('[data-testid=log]')?.textContent.includes('line 59'));
    const gap = () => page.$eval(id('log'), (log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    assert.ok((await gap()) < 2);
    await page.$eval(id('log'), (log) => log.scrollTo(0, 0));
    await page.waitForSelector(id('newest'));
    await say({ lines: { provider: 'codex', texts: many(60) } });
    await page.waitForFunction(() => document.querySelector('[data-testid=log]')?.textContent.includes('line 119'));
    assert.ok((await gap()) > 100);
    await page.click(id('newest'));
    await page.waitForFunction(() => !document.querySelector('[data-testid=newest]'));
  },

  async 'a Room that goes and comes back is healed without a tap, with what was typed'() {
    const page = await signedIn('/providers/claude/connect');
    await page.click(id('start'));
    await page.fill(id('paste-input'), 'half-typed');
    await say({ stop: true });
    await page.waitForSelector('[data-testid=link-chip]:not([data-phase=live])');
    await page.waitForSelector('[data-testid=link-chip][data-phase=offline]', { timeout: 20_000 });
    await say({ stop: false });
    await page.waitForSelector('[data-testid=link-chip][data-phase=live]', { timeout: 20_000 });
    assert.equal(await page.inputValue(id('paste-input')), 'half-typed');
  },

  async 'a Room that restarted asks for a sign-in, and the new link leads back'() {
    const page = await signedIn('/settings');
    await say({ tokens: false, stop: true });
    await say({ stop: false });
    await page.waitForSelector('[data-reason=ended]', { timeout: 20_000 });
    assert.equal(new URL(page.url()).pathname, '/settings');
    await page.fill(id('connect-code-input'), `${base}/#code=dev2`);
    await page.click(id('connect-submit'));
    await page.waitForSelector(id('settings'));
  },

  async 'another tab’s link signs this one in, and its sign-out out'() {
    const page = await open();
    await page.goto(base);
    await page.waitForSelector(id('connect-page'));
    const other = await page.context().newPage();
    await other.goto(`${base}/#code=dev`);
    await page.waitForSelector(id('overview'));
    await other.goto(`${base}/settings`);
    await other.click(id('sign-out'));
    await page.waitForSelector('[data-reason=signed_out]');
  },

  async 'a new link in the same tab is taken without a reload'() {
    const page = await open();
    await page.goto(base);
    await page.waitForSelector(id('connect-page'));
    await page.evaluate(() => {
      location.hash = 'code=dev';
    });
    await page.waitForSelector(id('overview'));
    assert.equal(new URL(page.url()).hash, '');
  },

  async 'disconnecting asks, names what goes, and can be left by Escape'() {
    await say({ codexStatus: { ...OUT, connected: true, account: 'a…@example.com' } });
    const page = await signedIn('/providers');
    await page.click(id('disconnect-codex'));
    assert.match(await page.textContent(id('confirm')), /auth\.json/u);
    await page.keyboard.press('Escape');
    await page.waitForSelector(id('confirm'), { state: 'detached' });
    assert.equal(await page.getAttribute(id('provider-codex-state'), 'data-state'), 'connected');
    await page.click(id('disconnect-codex'));
    await page.click(id('confirm-yes'));
    await page.waitForSelector('[data-testid=provider-codex-state][data-state=disconnected]');
    assert.match(await page.textContent(id('outcome-codex')), /auth\.json/u);
  },

  async 'a local Room has its log too, and gives it as a file'() {
    const page = await signedIn('/providers');
    await page.click(id('connect-codex'));
    await page.waitForSelector(id('device-code'));
    await page.click(id('tab-activity'));
    await page.waitForSelector('[data-action="provider.connect"]');
    assert.match(await page.textContent('[data-action="provider.connect"]'), /Owner, browser/u);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(id('export'))]);
    assert.match(readFileSync(await file.path(), 'utf8'), /provider\.connect/u);
  },

  async 'the theme is kept'() {
    const page = await signedIn('/settings');
    await page.check(id('theme-dark'));
    const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    assert.equal(await scheme(), 'rgb(15, 18, 23)');
    await page.reload();
    await page.waitForSelector(id('theme-dark'));
    assert.equal(await scheme(), 'rgb(15, 18, 23)');
  },

  async 'the whole sign-in works by keyboard'() {
    const page = await signedIn('/providers/codex/connect');
    await page.focus(id('start'));
    await page.keyboard.press('Enter');
    await page.waitForSelector(id('device-code'));
    for (
      let presses = 0;
      presses < 30 && (await page.evaluate(() => document.activeElement?.dataset.testid)) !== 'cancel';
      presses += 1
    )
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector(id('canceled'));
  },

  async 'the policy is enforced here, so that silence means something'() {
    const page = await signedIn();
    const before = problems.length;
    const blocked = page.waitForEvent('console', (message) => /Content Security Policy|TrustedHTML/u.test(message.text()));
    await page.evaluate(() => {
      const script = document.createElement('img');
      script.src = 'https://example.com/x.png';
      document.body.append(script);
    });
    await blocked;
    problems.length = before;
  },
};

Object.assign(FLOWS, providerFlows({ base, say, signedIn, id, clipboard, OUT }));
Object.assign(FLOWS, cloudFlows({ base, say, open, id, clipboard }));

let failed = 0;
let walked = 0;
const only = process.argv[2];
for (const [name, flow] of Object.entries(FLOWS)) {
  if (only !== undefined && !name.includes(only)) continue;
  await say({
    reset: true,
    mode: 'local',
    codex: 'ok',
    claude: 'ok',
    seconds: 900,
    pace: 1,
    stop: false,
    codexStatus: { ...OUT, version: '0.169.0' },
    claudeStatus: { ...OUT, version: '2.1.329' },
  });
  problems.length = 0;
  walked += 1;
  try {
    await flow();
    assert.deepEqual(problems, []);
    console.log(`  ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`  FAIL  ${name}\n        ${String(error.message).split('\n').slice(0, 6).join('\n        ')}`);
  }
  for (const context of browser.contexts()) await context.close();
}
await browser.close();
fake.kill();
console.log(`flows: ${walked} walked, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
