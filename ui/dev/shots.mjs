// Walks through every screen against the fake Room and takes pictures, at the sizes and in the themes
// they are looked at, and fails on anything the console says (policy violations among it), on a page
// that scrolls sideways and on a control smaller than a finger.
//
//   npm run shots [FOLDER] [NAME…]

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';
import { cloudScreens } from './shots-cloud.mjs';
import { loginScreens } from './shots-logins.mjs';
import { pageScreens } from './shots-pages.mjs';
import { providerScreens } from './shots-providers.mjs';

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

const tools = { base, say, id, IN, OUT, ago, code, link };
/** Each leaves the page on the screen to look at. `fresh`: without a sign-in of this browser. */
const SCREENS = { ...pageScreens(tools), ...providerScreens(tools), ...loginScreens(tools), ...cloudScreens(tools) };

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
