// Draws public/screenshots/*.png, which browsers show before they install the app and the README to its readers,
// from the fake Room. Run after the look changes and a build; the pictures are committed.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';

const folder = new URL('../public/screenshots/', import.meta.url).pathname;
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
const browser = await launch();

async function visit(options) {
  const context = await browser.newContext({ colorScheme: 'light', locale: 'en-GB', serviceWorkers: 'block', ...options });
  const page = await context.newPage();
  await page.goto(`${base}/#code=dev`);
  await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  return page;
}

const narrow = await visit({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
await narrow.tap('[data-testid=needs-codex]');
await narrow.tap('[data-testid=start]');
await narrow.waitForSelector('[data-testid=device-code]');
await narrow.screenshot({ path: `${folder}narrow.png` });
const say = (body) => fetch(`${base}/fake`, { method: 'POST', body: JSON.stringify(body) });
await say({ approve: 'codex' });
await narrow.waitForSelector('[data-testid=login-done]');
const account = { connected: true, account: 'an…@example.com', plan: 'Plus' };
await say({ codexStatus: { ...account, method: 'chatgpt' }, claudeStatus: { ...account, method: 'claude.ai' } });
const wide = await visit({ viewport: { width: 1280, height: 800 } });
await wide.waitForSelector('[data-testid=all-fine]');
// A line that has gone on for a while.
await wide.waitForTimeout(60_000);
await wide.screenshot({ path: `${folder}wide.png` });
await browser.close();
fake.kill();
console.log('screenshots: 2 drawn');
