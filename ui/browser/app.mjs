// The page as an app: what a browser asks of one before it installs it, the hint that offers it, and the
// page of a Room that is away.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { watch, within } from './clock.mjs';
import { ask, controlled, DESK, id, LINK, live, open, openRemembering, suite, until } from './stage.mjs';

const base = new URL(LINK).origin;
const get = (path, headers = {}) => fetch(base + path, { headers });
const MARK = 'room.token';
let page;

async function installability(target) {
  const session = await target.context().newCDPSession(target);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  const { errors, data } = await session.send('Page.getAppManifest');
  return { found: installabilityErrors.map(({ errorId }) => errorId), errors, manifest: JSON.parse(data) };
}

/** How large a picture really is. */
function sizeOf(target, path) {
  return target.evaluate(async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return `${image.naturalWidth}x${image.naturalHeight}`;
  }, path);
}

await suite({
  async 'files say for how long they are good'() {
    const rule = async (path, headers) => (await get(path, headers)).headers.get('cache-control');
    const html = { Accept: 'text/html' };
    for (const path of ['/', '/providers', '/sw.js', '/sw.js?v=abc', '/build.json', '/offline.html']) {
      assert.equal(await rule(path, html), 'no-store', path);
    }
    const named = /assets\/[^"]+\.js/u.exec(await (await get('/', html)).text())[0];
    assert.match(await rule(`/${named}`), /max-age=31536000, immutable/u);
    assert.match((await get('/sw.js')).headers.get('content-type'), /^text\/javascript/u);
    assert.match((await get('/manifest.webmanifest')).headers.get('content-type'), /^application\/manifest\+json/u);
    const missing = await get('/assets/missing.js', html);
    assert.equal(missing.status, 404);
    assert.doesNotMatch(await missing.text(), /<html/u);
    const { build } = await (await get('/build.json')).json();
    const { build: bootstrap } = await (await get('/api/bootstrap')).json();
    assert.equal(bootstrap, build);
    assert.ok((await (await get('/sw.js')).text()).includes(build), 'the worker names its build');
  },

  async 'nothing stands between the page and being installed'() {
    page = await openRemembering();
    await page.goto(LINK);
    await live(page);
    await controlled(page);
    const { found, errors, manifest } = await installability(page);
    assert.deepEqual([found, errors], [[], []]);
    assert.deepEqual([manifest.id, manifest.scope, manifest.display], ['/', '/', 'standalone']);
    const icons = (purpose) => manifest.icons.filter((icon) => icon.purpose === purpose);
    assert.ok(icons('any').some((icon) => icon.sizes === '192x192') && icons('any').some((icon) => icon.sizes === '512x512'));
    assert.equal(icons('maskable').length, 1);
    assert.ok(!icons('any').some((icon) => icon.src === icons('maskable')[0].src), 'files of their own');
    assert.deepEqual(manifest.screenshots.map((shot) => shot.form_factor).sort(), ['narrow', 'wide']);
    assert.ok(manifest.shortcuts.length >= 2);
    for (const picture of [...manifest.icons, ...manifest.screenshots, ...manifest.shortcuts.flatMap((one) => one.icons ?? [])]) {
      assert.equal(await sizeOf(page, picture.src), picture.sizes, picture.src);
    }
    for (const { url } of manifest.shortcuts) assert.equal((await get(url, { Accept: 'text/html' })).status, 200, url);
    assert.equal(await sizeOf(page, await page.getAttribute('link[rel=apple-touch-icon]', 'href')), '180x180');
  },

  async 'control: a manifest without icons is found'() {
    const other = await openRemembering({ serviceWorkers: 'block' });
    await other.route('**/manifest.webmanifest', async (route) => {
      const json = { ...(await (await route.fetch()).json()), icons: [] };
      await route.fulfill({ json, contentType: 'application/manifest+json' });
    });
    await other.goto(base);
    await other.waitForSelector(id('connect-page'));
    assert.notDeepEqual((await installability(other)).found, []);
    await other.context().close();
  },

  async 'the app is offered after the first success and not before, and never again once declined'() {
    await page.waitForSelector(id('needs-codex'));
    assert.equal(await page.locator(id('install-hint')).count(), 0, 'nothing has worked yet');
    await ask('sign in codex');
    await page.waitForSelector(id('install-hint'));
    await page.click(id('tab-providers'));
    await page.waitForSelector('h1');
    assert.equal(await page.locator(id('install-hint')).count(), 0, 'on the first page alone');
    await page.click(id('tab-settings'));
    await page.waitForSelector(`${id('install-card')} button`);
    await page.click(id('tab-overview'));
    await page.click(id('install-dismiss'));
    assert.equal(await page.locator(id('install-hint')).count(), 0);
    await page.reload();
    await live(page);
    await page.waitForSelector(id('providers-card'));
    assert.equal(await page.locator(id('install-hint')).count(), 0, 'kept');
  },

  async 'the owner takes a backup home'() {
    await page.click(id('tab-settings'));
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(id('backup'))]);
    assert.match(file.suggestedFilename(), /^room-\d{4}-\d\d-\d\d\.db$/u);
    assert.match(readFileSync(await file.path()).subarray(0, 16).toString('latin1'), /^SQLite format 3/u);
    await page.click(id('tab-overview'));
    await page.waitForSelector(`${id('recent-card')} >> text=Backup made`);
  },

  async 'an iPhone is told its three steps'(browser) {
    const phone = await open(browser, {
      userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 27_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/27.2 Mobile/15E148 Safari/604.1',
    });
    // Safari has no such event.
    await phone.addInitScript(() => addEventListener('beforeinstallprompt', (event) => event.stopImmediatePropagation(), true));
    await phone.goto(await ask('link'));
    await phone.waitForSelector(id('install-steps'));
    assert.equal(await phone.locator(`${id('install-steps')} li`).count(), 3);
    await phone.context().close();
  },

  async 'without its Room the page is there at once, says since when, and asks nobody'() {
    await page.click(id('tab-activity'));
    await page.evaluate(() => fetch('/api/status').catch(() => null));
    const token = await page.evaluate((key) => localStorage.getItem(key), MARK);
    await ask('stop');
    const stop = watch();
    const answer = await page.goto(`${base}/activity`);
    await page.waitForSelector(`${id('connect-page')} ${id('connect-command')}`);
    within(1_000, 'the page of a Room that is away', stop);
    assert.ok(answer.fromServiceWorker());
    assert.match(answer.headers()['content-security-policy'], /require-trusted-types-for 'script'/u);
    assert.equal(new URL(page.url()).pathname, '/activity', 'the address stays');
    assert.equal(await page.getAttribute(id('connect-reason'), 'data-reason'), 'unreachable');
    assert.match(await page.textContent(id('last-heard')), /Last heard of it/u);
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.card')).borderTopLeftRadius), '14px', 'in its styles');
    assert.equal(await page.evaluate(() => fetch('/api/status').then(String, () => 'refused')), 'refused');
    const kept = await page.evaluate(async () => {
      const found = [];
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) found.push([new URL(request.url).pathname, await (await cache.match(request)).text()]);
      }
      return found;
    });
    assert.ok(kept.length > 20, `${kept.length} files`);
    for (const [path, text] of kept) {
      assert.match(path, /^\/(?:assets\/[\w-]+\.(?:js|css)|offline\.html|manifest\.webmanifest|icons\/[\w-]+\.(?:svg|png))$/u);
      assert.ok(!text.includes(token), `the sign-in in ${path}`);
    }
  },

  async 'control: without the worker there is no page'(browser) {
    const bare = await open(browser, { serviceWorkers: 'block' });
    await assert.rejects(bare.goto(base), /ERR_CONNECTION_REFUSED/u);
    await bare.context().close();
  },

  async 'it comes back by itself, without a reload'() {
    await page.evaluate(() => {
      window.same = true;
    });
    await ask('start');
    await page.waitForSelector(`${id('connect-reason')}[data-reason=ended]`);
    assert.equal(await page.evaluate(() => window.same), true);
    // A new link in the same tab changes what is behind the # alone.
    await page.goto(await ask('link').then((link) => link.replace('/#', '/activity#')));
    await live(page);
    assert.equal(await page.evaluate(() => window.same), true);
    assert.equal(new URL(page.url()).pathname, '/activity');
  },

  async 'a second window is in the worker’s hands from its first byte'(browser) {
    const other = await open(browser, DESK);
    await other.goto(await ask('link'));
    await live(other);
    await controlled(other);
    const answer = await other.reload();
    assert.ok(answer.fromServiceWorker());
    await until('live', () => other.locator('[data-phase=live]').count(), 30_000);
    await other.context().close();
  },
});
