// Walks through every screen against the fake Room and takes pictures, at the sizes and in the themes
// they are looked at, and fails on anything the console says (policy violations among it), on a page
// that scrolls sideways and on a control smaller than a finger.
//
//   npm run shots [FOLDER] [NAME…]

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';
import { cloudScreens } from './shots-cloud.mjs';

const folder = process.argv[2] ?? '/tmp/shots-ui';
const only = process.argv.slice(3);
mkdirSync(folder, { recursive: true });

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
const say = (body) => fetch(`${base}/fake`, { method: 'POST', body: JSON.stringify(body) });

const id = (name) => `[data-testid="${name}"]`;
const OUT = {
  connected: false,
  account: null,
  plan: null,
  method: null,
  installed: true,
  authSession: null,
  error: null,
  versionNote: null,
};
const IN = { ...OUT, connected: true, account: 'an…@example.com', plan: 'Plus', method: 'chatgpt' };
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const RESET = {
  reset: true,
  mode: 'local',
  codex: 'ok',
  claude: 'ok',
  seconds: 900,
  pace: 1,
  stop: false,
  codexStatus: { ...OUT, version: '0.169.0' },
  claudeStatus: { ...OUT, version: '2.1.329' },
};

/** Each leaves the page on the screen to look at. `fresh`: without a sign-in of this browser. */
const SCREENS = {
  'connect-page': {
    fresh: true,
    async go(page) {
      await page.goto(`${base}/`);
      await page.waitForSelector(id('connect-page'));
    },
  },
  'connect-refused': {
    fresh: true,
    async go(page) {
      await page.goto(`${base}/#code=old`);
      await page.waitForSelector('[data-reason=code_refused]');
    },
  },
  'connect-limited': {
    fresh: true,
    async go(page) {
      await page.goto(`${base}/#code=busy`);
      await page.waitForSelector('[data-reason=limited]');
    },
  },
  overview: {
    async go(page) {
      await page.goto(`${base}/`);
      await page.waitForSelector(id('needs-you'));
      await page.waitForSelector(id('room-card'));
      await page.waitForSelector(id('recent-card'));
    },
  },
  'overview-below': {
    async go(page) {
      await say({ codexStatus: IN, claudeStatus: { ...IN, method: 'claude.ai', plan: 'Pro' } });
      await page.goto(`${base}/`);
      await page.waitForSelector(id('recent-card'));
      await page.click(id('tab-providers'));
      await page.click(id('again-codex'));
      await page.click(id('start'));
      await page.click(id('cancel'));
      await page.waitForSelector(id('canceled'));
      await page.click(id('tab-overview'));
      await page.waitForTimeout(13_000);
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    },
  },
  'overview-busy': {
    async go(page) {
      await say({ load: 4.4, codexStatus: { ...OUT, tooOld: true, version: '0.99.0' }, claudeStatus: { installed: false, version: null } });
      await page.goto(`${base}/`);
      await page.waitForSelector(id('recent-card'));
      await page.waitForTimeout(9_000);
    },
  },
  'overview-fine': {
    async go(page) {
      await say({ codexStatus: IN, claudeStatus: { ...IN, method: 'claude.ai', plan: 'Pro' } });
      await page.goto(`${base}/`);
      await page.waitForSelector(id('all-fine'));
    },
  },
  'overview-offline': {
    async go(page) {
      await page.goto(`${base}/`);
      await page.waitForSelector(id('needs-you'));
      await say({ stop: true });
      await page.waitForSelector(id('offline-note'), { timeout: 15_000 });
    },
  },
  providers: {
    async go(page) {
      await page.goto(`${base}/providers`);
      await page.waitForSelector(id('connect-claude'));
    },
  },
  'providers-mixed': {
    async go(page) {
      await say({
        codexStatus: { ...IN, version: '0.144.5', versionNote: 'tested with 0.169.0' },
        claudeStatus: { installed: false, version: null },
      });
      await page.goto(`${base}/providers`);
      await page.waitForSelector(id('get-claude'));
      await page.click(id('verify-codex'));
      await page.waitForSelector(id('outcome-codex'));
    },
  },
  disconnect: {
    async go(page) {
      await say({ codexStatus: IN });
      await page.goto(`${base}/providers`);
      await page.click(id('disconnect-codex'));
      await page.waitForSelector(id('confirm'));
    },
  },
  disconnected: {
    async go(page) {
      await SCREENS.disconnect.go(page);
      await page.click(id('confirm-yes'));
      await page.waitForSelector(id('removed'));
    },
  },
  'codex-start': {
    async go(page) {
      await page.goto(`${base}/providers/codex/connect`);
      await page.waitForSelector(id('start'));
    },
  },
  'claude-start': {
    async go(page) {
      await page.goto(`${base}/providers/claude/connect`);
      await page.waitForSelector(id('start'));
      await page.click('summary');
    },
  },
  'codex-missing': {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null } });
      await page.goto(`${base}/providers/codex/connect`);
      await page.waitForSelector('[data-code=not_installed]');
    },
  },
  'codex-preparing': {
    async go(page) {
      await say({ pace: 1000 });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(id('start'));
      await page.waitForSelector(id('preparing'));
    },
  },
  'codex-silent': {
    async go(page) {
      await say({ codex: 'silent' });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(id('start'));
      await page.waitForSelector('[data-code=no_answer]');
    },
  },
  'codex-code': { go: (page) => code(page) },
  'codex-code-open': {
    async go(page) {
      await code(page);
      if (await page.isVisible(id('show-qr'))) {
        await page.click(id('show-qr'));
        await page.waitForSelector(id('qr'));
      }
      await page.click(`${id('codes-off')} summary`);
      await page.click(id('log-toggle'));
    },
  },
  'codex-short': {
    async go(page) {
      await say({ seconds: 80 });
      await code(page);
    },
  },
  'codex-expired': {
    async go(page) {
      await say({ seconds: 2 });
      await code(page);
      await page.waitForSelector('[data-code=expired]');
    },
  },
  'codex-strange': {
    async go(page) {
      await say({ codex: 'strange' });
      await code(page);
      await page.waitForSelector(id('strange-link'));
    },
  },
  'codex-storing': {
    async go(page) {
      await code(page);
      await say({ pace: 1000, approve: 'codex' });
      await page.waitForSelector(id('finishing'));
    },
  },
  'codex-done': {
    async go(page) {
      await code(page);
      await say({ approve: 'codex' });
      await page.waitForSelector(id('done-account'));
    },
  },
  'codex-canceled': {
    async go(page) {
      await code(page);
      await page.click(id('cancel'));
      await page.waitForSelector(id('canceled'));
    },
  },
  'codex-in-place': {
    async go(page) {
      await say({ codex: 'in_place', codexStatus: IN });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(id('start'));
      await page.waitForSelector(id('agree'));
    },
  },
  'codex-died': { go: (page) => failing(page, 'program_died') },
  'codex-network': { go: (page) => failing(page, 'network') },
  'codex-codes-off': { go: (page) => failing(page, 'device_codes_off') },
  'codex-policy': { go: (page) => failing(page, 'policy') },
  'codex-unknown': { go: (page) => failing(page, 'brand_new') },
  'claude-link': { go: (page) => link(page) },
  'claude-odd': {
    async go(page) {
      await link(page);
      await page.fill(id('paste-input'), '  https://platform.claude.com/oauth/other ');
      await page.waitForSelector(id('paste-warning'));
    },
  },
  'claude-422': {
    async go(page) {
      await link(page);
      await page.fill(id('paste-input'), '12345678');
      await page.click(id('paste-submit'));
      await page.waitForSelector(id('paste-error'));
    },
  },
  'claude-again': {
    async go(page) {
      await link(page);
      await say({ refuse: 'claude' });
      await page.waitForSelector(id('paste-hint'));
    },
  },
  'claude-refused': {
    async go(page) {
      await link(page);
      await page.fill(id('paste-input'), 'bad-code-1234#state');
      await page.click(id('paste-submit'));
      await page.waitForSelector('[data-code=refused]');
    },
  },
  'claude-done': {
    async go(page) {
      await link(page);
      await page.fill(id('paste-input'), ' good-code \n-1234#state ');
      await page.click(id('paste-submit'));
      await page.waitForSelector(id('done-account'));
    },
  },
  'providers-keys': {
    async go(page) {
      const key = { kind: 'api_key', last4: 'x7Qa', storedAt: ago(3_600_000), storage: 'sealed', source: 'person', checkedAt: ago(60_000), valid: true };
      await say({
        codexStatus: { ...OUT, connected: true, method: 'api_key', apiKey: { ...key, storage: 'program', source: 'environment', valid: null, checkedAt: null } },
        claudeStatus: { ...OUT, connected: true, method: 'oauth_token', apiKey: { ...key, kind: 'token', storage: 'memory' } },
        gh: { account: 'octo…' },
      });
      await page.goto(`${base}/providers`);
      await page.waitForSelector(id('key-claude'));
    },
  },
  'providers-old': {
    async go(page) {
      await say({
        codexStatus: { ...OUT, version: '0.99.0', versionNote: 'too old, tested with 0.169.0', tooOld: true },
        claudeStatus: { ...IN, version: '2.1.197', versionNote: 'tested with 2.1.329', updateAvailable: true, expiresAt: ago(-86_400_000) },
      });
      await page.goto(`${base}/providers`);
      await page.waitForSelector(id('update-codex'));
      await page.waitForSelector(id('update-claude'));
    },
  },
  'install-offer': {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null } });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(`${id('by-hand-codex')} summary`);
    },
  },
  installing: {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null } });
      await page.goto(`${base}/providers`);
      await page.click(id('get-codex'));
      await page.waitForSelector('progress');
      await page.waitForFunction(() => document.querySelector('progress')?.value === 40);
    },
  },
  installed: {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null } });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(id('get-codex'));
      await page.waitForSelector(id('start'), { timeout: 8_000 });
    },
  },
  'install-integrity': {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null }, install: 'integrity' });
      await page.goto(`${base}/providers`);
      await page.click(id('get-codex'));
      await page.waitForSelector('[data-code=integrity]');
    },
  },
  'install-not-here': {
    async go(page) {
      await say({ codexStatus: { installed: false, version: null }, install: 'not_installable' });
      await page.goto(`${base}/providers`);
      await page.click(id('get-codex'));
      await page.waitForSelector(id('not-installable-codex'));
    },
  },
  'claude-ways': {
    async go(page) {
      await page.goto(`${base}/providers`);
      await page.click(id('others-claude'));
      await page.waitForSelector(id('use-key-claude'));
    },
  },
  'key-form': {
    async go(page) {
      await page.goto(`${base}/providers`);
      await page.click(id('others-claude'));
      await page.click(id('use-key-claude'));
      await page.fill(id('key-input-claude'), 'sk-ant-api03-abcdefghijklmnop-x7Qa');
    },
  },
  'key-format': {
    async go(page) {
      await page.goto(`${base}/providers`);
      await page.click(id('others-claude'));
      await page.click(id('use-key-claude'));
      await page.fill(id('key-input-claude'), 'hello');
      await page.click(id('key-save-claude'));
      await page.waitForSelector('[data-code=key_format]');
    },
  },
  'key-replaces': {
    async go(page) {
      await say({ codexStatus: IN });
      await page.goto(`${base}/providers`);
      await page.click(id('again-codex'));
      await page.click(`${id('other-methods')} summary`);
      await page.click(id('use-key-codex'));
      await page.fill(id('key-input-codex'), 'sk-proj-abcdefghijkl');
      await page.click(id('key-save-codex'));
      await page.waitForSelector(id('key-replace'));
    },
  },
  'key-remove': {
    async go(page) {
      await SCREENS['providers-keys'].go(page);
      await page.click(id('key-remove-claude'));
      await page.waitForSelector(id('confirm'));
    },
  },
  'key-tested': {
    async go(page) {
      await say({ key: false });
      await SCREENS['providers-keys'].go(page);
      await page.click(id('key-test-claude'));
      await page.waitForSelector(id('outcome-claude'));
    },
  },
  callback: {
    async go(page) {
      await page.goto(`${base}/providers`);
      await page.click(id('others-codex'));
      await page.click(id('method-browser'));
      await page.waitForSelector(`${id('paste-input')}:enabled`);
    },
  },
  'callback-refused': {
    async go(page) {
      await SCREENS.callback.go(page);
      await page.fill(id('paste-input'), 'https://auth.openai.com/log-in');
      await page.click(id('paste-submit'));
      await page.waitForSelector(id('paste-error'));
      await page.fill(id('paste-input'), 'https://auth.openai.com/log-in');
    },
  },
  'token-done': {
    async go(page) {
      await say({ storage: 'memory' });
      await page.goto(`${base}/providers`);
      await page.click(id('others-claude'));
      await page.click(id('method-setup_token'));
      await page.fill(id('paste-input'), 'good#code');
      await page.click(id('paste-submit'));
      await page.waitForSelector(id('done-token'));
    },
  },
  answer: {
    async go(page) {
      await say({ codex: 'asks' });
      await page.goto(`${base}/providers/codex/connect`);
      await page.click(id('start'));
      await page.waitForSelector(id('answer-warning'));
    },
  },
  'answer-field': {
    async go(page) {
      await SCREENS.answer.go(page);
      await page.click(id('answer-understood'));
      await page.fill(id('answer-input'), '1');
    },
  },
  access: {
    async go(page) {
      await page.goto(`${base}/access`);
      await page.waitForSelector(id('address'));
    },
  },
  activity: {
    async go(page) {
      await link(page);
      await page.click(id('cancel'));
      await page.waitForSelector(id('canceled'));
      await page.goto(`${base}/activity`);
      await page.waitForSelector(id('day'));
    },
  },
  settings: {
    async go(page) {
      await page.goto(`${base}/settings`);
      await page.waitForSelector(id('sign-out'));
    },
  },
  unknown: {
    async go(page) {
      await page.goto(`${base}/nowhere`);
      await page.waitForSelector(id('unknown'));
    },
  },
};

async function code(page) {
  await page.goto(`${base}/providers/codex/connect`);
  await page.click(id('start'));
  await page.waitForSelector(id('device-code'));
}

async function link(page) {
  await page.goto(`${base}/providers/claude/connect`);
  await page.click(id('start'));
  await page.waitForSelector(`${id('paste-input')}:enabled`);
}

async function failing(page, how) {
  await say({ codex: how });
  await page.goto(`${base}/providers/codex/connect`);
  await page.click(id('start'));
  await page.waitForSelector(id('failure'));
}

Object.assign(SCREENS, cloudScreens({ base, say, id, IN, OUT }));

const VIEWS = [
  { name: 'phone-light', viewport: { width: 393, height: 852 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 393, height: 852 }, colorScheme: 'dark' },
  { name: 'desktop-light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  { name: 'narrow-light', viewport: { width: 320, height: 640 }, colorScheme: 'light' },
  // German words are longer.
  { name: 'german-dark', viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE' },
];

const faults = [];
let taken = 0;
const browser = await launch();
for (const view of VIEWS) {
  for (const [name, screen] of Object.entries(SCREENS)) {
    const label = `${view.name}_${name}`;
    if (only.length > 0 && !only.some((one) => label.includes(one))) continue;
    await say(RESET);
    const context = await browser.newContext({
      viewport: view.viewport,
      colorScheme: view.colorScheme,
      ...(view.locale === undefined ? {} : { locale: view.locale }),
      hasTouch: view.viewport.width < 800,
      deviceScaleFactor: view.viewport.width < 800 ? 2 : 1,
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.on('console', (message) => {
      // A refused request is part of some screens; the browser says so by itself.
      if (['error', 'warning'].includes(message.type()) && !/Failed to load resource|WebSocket connection/u.test(message.text()))
        faults.push(`${label}: ${message.text()}`);
    });
    page.on('pageerror', (error) => faults.push(`${label}: ${error.message}`));
    try {
      if (screen.fresh !== true) {
        await page.goto(`${base}/#code=dev`);
        await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
        if (page.url().includes('code=')) faults.push(`${label}: the code stayed in the address`);
      }
      await screen.go(page);
      await page.waitForTimeout(150);
      const bad = await page.evaluate(measure);
      faults.push(...bad.map((fault) => `${label}: ${fault}`));
      await page.screenshot({ path: `${folder}/${label}.png`, fullPage: process.env.FULL === '1' });
      taken += 1;
    } catch (error) {
      faults.push(`${label}: ${error.message.split('\n')[0]}`);
      await page.screenshot({ path: `${folder}/${label}_broken.png` });
    }
    await context.close();
  }
}
await browser.close();
fake.kill();

function measure() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`scrolls sideways (${root.scrollWidth} of ${root.clientWidth})`);
  for (const node of document.querySelectorAll('a, button, input, summary')) {
    const box = node.getBoundingClientRect();
    const inline = node.tagName === 'A' && getComputedStyle(node).display === 'inline';
    if (box.width === 0 || inline || node.classList.contains('skip')) continue;
    if (box.height < 43.5 || box.width < 43.5)
      found.push(`small target ${node.tagName} "${node.textContent}" ${Math.round(box.width)}x${Math.round(box.height)}`);
    if (box.left < -0.5 || box.right > root.clientWidth + 0.5) found.push(`cut target "${node.textContent}"`);
    if (node.tagName === 'INPUT' && node.type === 'text' && parseFloat(getComputedStyle(node).fontSize) < 16)
      found.push('small field text');
  }
  return found;
}

for (const fault of faults) console.log(`  ${fault}`);
console.log(`shots: ${taken} pictures in ${folder}, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
