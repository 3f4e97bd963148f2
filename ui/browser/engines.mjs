// The sign-in screen in the other two engines: Firefox, and WebKit, the nearest thing to Safari that runs here.
// Both must be installed: firefox-esr and webkit2gtk-driver.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { launch } from 'puppeteer-core';
import { ask, id, until } from './stage.mjs';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const DRIVER = '/usr/bin/WebKitWebDriver';
const MINIBROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const started = [];

function start(program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  return child;
}
process.on('exit', () => started.forEach((child) => child.kill('SIGKILL')));

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** Keeps what the page complains of: WebKit's driver tells nothing of it. */
const HEAR = `((heard) => {
  globalThis.heard = heard;
  for (const kind of ['error', 'warn']) console[kind] = (...words) => void heard.push(words.join(' '));
  for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])
    addEventListener(kind, (event) => void heard.push(kind + ' ' + (event.message ?? event.violatedDirective ?? event.reason)));
})([])`;

/** Walks to the code; `look` runs a function in the page, `go` opens an address. */
async function walk(engine, go, look, heard) {
  const link = await ask('link');
  const text = (name) => look(`document.querySelector('${id(name)}')?.textContent ?? null`);
  const press = (name) => look(`document.querySelector('${id(name)}').click()`);
  await go(link);
  await until(`${engine}: live`, () => look("document.querySelector('[data-phase=live]') !== null"), 30_000);
  assert.equal(await look('location.hash'), '');
  await until(`${engine}: a worker`, () => look("navigator.serviceWorker.controller?.state === 'activated'"), 20_000);
  // From here on without another load, so that everything the screen says is heard.
  await look(HEAR);
  await look("history.pushState(null, '', '/providers/codex/connect') ?? dispatchEvent(new PopStateEvent('popstate'))");
  // The second engine finds the sign-in that the first one began.
  await until(`${engine}: the screen`, () => look(`document.querySelector('${id('start')}, ${id('device-code')}') !== null`), 20_000);
  if ((await text('device-code')) === null) await press('start');
  await until(`${engine}: the code`, async () => /^[A-Z0-9]{4}-[A-Z0-9]{5}$/u.test(await text('device-code')), 20_000);
  const wide = await look('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  assert.ok(wide <= 0, `${engine} scrolls sideways by ${wide} px`);
  assert.equal(await look("document.querySelectorAll('h1').length"), 1);
  assert.deepEqual(await look('globalThis.heard'), []);
  assert.deepEqual(heard, []);
  await look("console.error('control')");
  assert.deepEqual(await look('globalThis.heard'), ['control'], 'what is said is heard');
}

async function firefox() {
  const browser = await launch({ browser: 'firefox', executablePath: FIREFOX, headless: true });
  const page = await browser.newPage();
  const heard = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) heard.push(message.text());
  });
  page.on('pageerror', (error) => heard.push(error.message));
  await walk('Firefox', (url) => page.goto(url), (script) => page.evaluate(`(() => ${script})()`), heard);
  const version = await browser.version();
  await browser.close();
  return version;
}

async function webkit() {
  const display = `:${90 + (process.pid % 100)}`;
  start('Xvfb', [display, '-screen', '0', '1024x900x24']);
  const port = await freePort();
  start(DRIVER, [`--port=${port}`], { DISPLAY: display, GDK_BACKEND: 'x11', WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' });
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.error} ${value.message}`);
    return value;
  };
  await until('the driver', () => call('GET', '/status').then(() => true, () => false), 10_000);
  const options = { alwaysMatch: { 'webkitgtk:browserOptions': { binary: MINIBROWSER, args: ['--automation'] } } };
  const { sessionId, capabilities } = await call('POST', '/session', { capabilities: options });
  const session = `/session/${sessionId}`;
  await walk(
    'WebKit',
    (url) => call('POST', `${session}/url`, { url }),
    (script) => call('POST', `${session}/execute/sync`, { script: `return ${script}`, args: [] }),
    [],
  );
  await call('DELETE', session);
  return `WebKit ${capabilities.browserVersion}`;
}

try {
  for (const [name, there, run] of [
    ['Firefox', existsSync(FIREFOX), firefox],
    ['WebKit', existsSync(DRIVER) && existsSync(MINIBROWSER), webkit],
  ]) {
    assert(there, `${name} is not installed`);
    console.error(`  ok    ${name}: ${await run()}`);
  }
  await ask('done');
} catch (error) {
  console.error('  FAIL ', error);
  process.exitCode = 1;
}
process.exit();
