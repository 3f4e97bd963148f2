// What people do with a hosted Room: arrive, are refused, renew, pair, are ended. Walked by flows.mjs.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';

/** The same bundle on another origin, in a folder, with a file beside it that names the Room. */
function elsewhere(apiUrl) {
  const root = new URL('../../ui-dist/', import.meta.url).pathname;
  const types = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/app/r/inst-4711/config.json') {
      response.end(JSON.stringify({ apiUrl, controlPlaneUrl: 'https://plane.example', instanceId: 'inst-4711' }));
      return;
    }
    const file = pathname.startsWith('/app/') ? 'index.html' : pathname.slice(1);
    if (!existsSync(root + file) || pathname.startsWith('/api/')) {
      response.writeHead(404).end('nothing');
      return;
    }
    response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(root + file));
  });
  return new Promise((resolve) => {
    server.listen(0, 'localhost', () => resolve({ server, site: `http://localhost:${server.address().port}` }));
  });
}

export function cloudFlows({ base, say, open, id }) {
  const token = async (who = 'ada', more = {}) => {
    const answer = await fetch(`${base}/fake?token=${who}&more=${encodeURIComponent(JSON.stringify(more))}`);
    return (await answer.json()).token;
  };
  const live = (page) => page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  const reason = (page, why) => page.waitForSelector(`[data-reason=${why}]`);

  /** A browser of a hosted Room, signed in. */
  async function signedIn(who = 'ada', path = '/', options = {}) {
    await say({ mode: 'cloud' });
    const page = await open(options);
    await page.goto(`${base}${path}#token=${await token(who)}`);
    await live(page);
    return page;
  }

  return {
    async 'cloud: a token in the address signs in, is gone from it, and nothing keeps it'() {
      await say({ mode: 'cloud' });
      const page = await open();
      const jwt = await token();
      const asked = [];
      page.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
      await page.goto(`${base}/providers#token=${jwt}`);
      await live(page);
      assert.equal(page.url(), `${base}/providers`);
      assert.ok(!asked.some((one) => one.includes(jwt.slice(0, 40))), 'no request has it in its address');
      const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
      assert.ok(!kept.includes(jwt.split('.')[1].slice(0, 20)));
      assert.ok(!asked.some((one) => one.includes('ws-ticket')), 'the cookie is enough for a socket');
      await page.goBack().catch(() => null);
      assert.ok(!page.url().includes('token='), 'nor is it in the history');
    },

    async 'cloud: a reload stays signed in, by the cookie alone'() {
      const page = await signedIn();
      await page.reload();
      await live(page);
      await page.waitForSelector(id('overview'));
    },

    async 'cloud: every refusal has its words and a way on'() {
      await say({ mode: 'cloud' });
      const now = Math.floor(Date.now() / 1000);
      const used = await token();
      const first = await open();
      await first.goto(`${base}/#token=${used}`);
      await live(first);
      for (const [link, why, words] of [
        [used, 'token_refused', /already used/u],
        [await token('ada', { iat: now - 700, exp: now + 700 }), 'token_refused', /ten minutes/u],
        [await token('ada', { exp: now - 100 }), 'token_refused', /is over/u],
        [await token('ada', { instanceId: 'other' }), 'token_refused', /another Room/u],
        ['nonsense', 'token_refused', /could not make sure/u],
        [await token('ada', { role: 'king' }), 'role_refused', /no role/u],
      ]) {
        const page = await open();
        await page.goto(`${base}/#token=${link}`);
        await reason(page, why);
        assert.match(await page.textContent(id('connect-reason')), words);
        await page.waitForSelector(id('launch'));
      }
      for (const [trade, why] of [
        ['limited', 'limited'],
        ['no_keys', 'no_keys'],
      ]) {
        await say({ trade });
        const page = await open();
        await page.goto(`${base}/#token=${await token()}`);
        await reason(page, why);
        await say({ trade: null });
        // The link was not lost over it.
        await page.click(id('connect-retry'));
        await live(page);
      }
    },

    async 'cloud: a link opened twice on the same browser is no refusal'() {
      await say({ mode: 'cloud' });
      const page = await open();
      const jwt = await token();
      await page.goto(`${base}/#token=${jwt}`);
      await live(page);
      await page.goto('about:blank');
      await page.goto(`${base}/#token=${jwt}`);
      await live(page);
    },

    async 'cloud: someone else’s link asks before it replaces who is signed in'() {
      const page = await signedIn('ada');
      const jwt = await token('grace');
      await page.goto('about:blank');
      await page.goto(`${base}/#token=${jwt}`);
      await page.waitForSelector(id('ask-replace'));
      assert.match(await page.textContent(id('ask-replace')), /Ada Lovelace is signed in/u);
      assert.match(await page.textContent(id('ask-replace')), /signs in Grace Hopper/u);
      await page.click(id('ask-stay'));
      await live(page);
      await page.goto('about:blank');
      await page.goto(`${base}/#token=${jwt}`);
      await page.click(id('ask-replace-yes'));
      await live(page);
      const who = await page.evaluate(async () => (await fetch('/api/auth/verify')).json());
      assert.equal(who.profile.name, 'Grace Hopper');
    },

    async 'cloud: without a sign-in the page leads to the control plane and back to where one was'() {
      await say({ mode: 'cloud', launchHome: true });
      const page = await open();
      await page.goto(`${base}/providers`);
      await reason(page, 'no_code');
      const href = new URL(await page.getAttribute(id('launch'), 'href'));
      assert.equal(href.pathname + href.search, '/launch?instance=inst-4711&return=%2Fproviders');
      await page.click(id('launch'));
      await live(page);
      await page.waitForSelector(id('providers'));
      assert.equal(page.url(), `${base}/providers`);
    },

    async 'cloud: Cloudflare Access signs in with one tap'() {
      await say({ mode: 'cloud', noPlane: true, cloudflare: true });
      const page = await open();
      await page.goto(base);
      await page.click(id('cloudflare'));
      await live(page);
      await say({ reset: true, cloudflare: 'unknown', noPlane: true });
      const other = await open();
      await other.goto(base);
      await other.click(id('cloudflare'));
      await reason(other, 'role_refused');
    },

    async 'cloud: a Room without a control plane says how the machine pairs'() {
      await say({ mode: 'cloud', noPlane: true });
      const page = await open();
      await page.goto(base);
      assert.equal(await page.textContent(id('pair-command')), 'room pair');
      assert.equal(await page.locator(id('launch')).count(), 0);
    },

    async 'cloud: a typed code pairs, however it is written; a wrong one says so'() {
      const page = await signedIn('ada');
      const { code, url } = await page.evaluate(async () => (await fetch('/api/auth/pair', { method: 'POST' })).json());
      const second = await open();
      await second.goto(base);
      await second.fill(id('pair-code-input'), 'ABC');
      await second.click(id('pair-submit'));
      await second.waitForSelector(`${id('pair-code-input')}[aria-invalid=true]`);
      await second.fill(id('pair-code-input'), '00000-00000');
      await second.click(id('pair-submit'));
      await reason(second, 'pair_refused');
      assert.match(await second.textContent(id('connect-reason')), /knows no such/u);
      await second.fill(id('pair-code-input'), ` ${code.toLowerCase().replace('-', ' ').replace(/0/gu, 'o').replace(/1/gu, 'l')} `);
      await second.press(id('pair-code-input'), 'Enter');
      await live(second);
      const third = await open();
      await third.goto(url);
      await reason(third, 'pair_refused');
      assert.match(await third.textContent(id('connect-reason')), /already used/u);
      assert.equal(third.url(), `${base}/`);
    },

    async 'cloud: a pairing link signs in, and asks where someone is signed in'() {
      const page = await signedIn('ada');
      const pair = () => page.evaluate(async () => (await (await fetch('/api/auth/pair', { method: 'POST' })).json()).url);
      const phone = await open();
      await phone.goto(await pair());
      await live(phone);
      const grace = await signedIn('grace');
      const url = await pair();
      await grace.goto('about:blank');
      await grace.goto(url);
      await grace.waitForSelector(id('ask-replace'));
      await grace.click(id('ask-replace-yes'));
      await live(grace);
      const who = await grace.evaluate(async () => (await fetch('/api/auth/verify')).json());
      assert.equal(who.profile.name, 'Ada Lovelace');
    },

    async 'cloud: ended access says so at once, an ended sign-in asks for a new one'() {
      const page = await signedIn('ada', '/providers');
      await say({ people: { end: 'revoked' } });
      await reason(page, 'revoked');
      assert.equal(new URL(page.url()).pathname, '/providers');
      assert.match(await page.textContent(id('connect-reason')), /was ended/u);
      await page.click(id('launch'));
      await live(page);
      await say({ people: { end: 'expired' } });
      await reason(page, 'ended');
    },

    async 'cloud: a hidden page is let go, and comes back when it is looked at'() {
      const page = await signedIn();
      const seen = (state) =>
        page.evaluate((value) => {
          Object.defineProperty(document, 'visibilityState', { value, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }, state);
      await seen('hidden');
      await page.waitForFunction(async () => {
        const answer = await fetch('/fake', { method: 'POST', body: '{}' });
        return (await answer.json()).script.heard === false;
      });
      await say({ people: { end: 'idle' } });
      await page.waitForSelector('[data-testid=link-chip]:not([data-phase=live])');
      await page.waitForTimeout(1500);
      assert.notEqual(await page.getAttribute(id('link-chip'), 'data-phase'), 'live');
      await seen('visible');
      await live(page);
    },

    async 'cloud: signing out in one tab signs out the others, and a Room that is down cannot do it'() {
      const page = await signedIn('ada', '/settings');
      const other = await page.context().newPage();
      await other.goto(`${base}/settings`);
      await live(other);
      await say({ stop: true });
      await other.click(id('sign-out'));
      await other.waitForSelector(id('sign-out-error'));
      await say({ stop: false });
      await other.click(id('sign-out'));
      await reason(other, 'signed_out');
      await reason(page, 'signed_out');
    },

    async 'cloud: a second browser pairs by the shown code, and shows at once'() {
      const page = await signedIn('ada', '/access');
      await page.click(id('add-device'));
      const code = await page.textContent(id('pair-code'));
      await page.waitForSelector(id('qr'));
      const phone = await open();
      await phone.goto(base);
      await phone.fill(id('pair-code-input'), code);
      await phone.press(id('pair-code-input'), 'Enter');
      await live(phone);
      await page.waitForSelector(id('pair-added'), { timeout: 2_000 });
      await page.click(id('pair-done'));
      assert.equal(await page.locator(`${id('person-u-ada')} li`).count(), 2);
      assert.match(await page.textContent(id('people')), /let in by/u);
    },

    async 'cloud: wiping asks for the name, survives its own sign-out, and shows the proof'() {
      const page = await signedIn('ada', '/settings');
      await page.click(id('wipe'));
      assert.equal(await page.isDisabled(id('wipe-yes')), true);
      await page.fill(id('wipe-name'), 'another room');
      await page.press(id('wipe-name'), 'Enter');
      assert.equal(await page.getAttribute(id('wipe-dialog'), 'data-at'), 'asking');
      await page.click(id('wipe-no'));
      await page.waitForSelector(id('wipe-dialog'), { state: 'detached' });
      await say({ wipe: 'limited' });
      await page.click(id('wipe'));
      await page.fill(id('wipe-name'), "ada's room");
      await page.click(id('wipe-yes'));
      await page.waitForSelector(id('wipe-error'));
      await say({ wipe: null });
      await page.click(id('wipe-yes'));
      await page.waitForSelector('[data-at=busy]');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await page.waitForSelector('[data-at=ended]');
      assert.match(await page.textContent(id('wipe-dialog')), /is wiped.*Claude.*signed out.*\.credentials\.json/u);
      assert.equal(await page.textContent(id('left-devices')), '0');
      // The page behind it knows, and has the way back in.
      await page.waitForSelector('[data-reason=revoked]', { state: 'attached' });
      await page.click(id('wipe-close'));
      await page.waitForSelector(id('launch'));
    },

    async 'cloud: a wipe that leaves something, or is cut off, says so and leaves no dead end'() {
      for (const [wipe, selector, words] of [
        ['left', '[data-at=ended]', /Not everything is gone.*still signed in.*Sign in again and wipe once more/u],
        ['cut', id('wipe-error'), /Nobody here can tell how far it came/u],
      ]) {
        const page = await signedIn('ada', '/settings');
        await say({ wipe });
        await page.click(id('wipe'));
        await page.fill(id('wipe-name'), 'inst-4711');
        await page.press(id('wipe-name'), 'Enter');
        await page.waitForSelector(selector);
        assert.match(await page.textContent(id('wipe-dialog')), words);
        await page.click(id('wipe-close'));
        await page.waitForSelector(id('launch'));
        await page.context().close();
      }
      const admin = await signedIn('grace', '/settings');
      await admin.waitForSelector(id('sign-out'));
      await admin.waitForSelector(id('programs'));
      assert.equal(await admin.locator(id('wipe')).count(), 0);
    },

    async 'cloud: errors alone are found far back, and a search without any comes to an end'() {
      const quiet = Array.from({ length: 260 }, (_, index) => ['access.sign_in', 'ok', 'ada', 9_000 - index]);
      await say({ mode: 'cloud', people: { history: [['provider.finished', 'failed', null, 10_000, { target: 'codex', detail: { reason: 'network' } }], ...quiet] } });
      const page = await signedIn('ada', '/activity');
      await page.waitForSelector(id('day'));
      assert.equal(await page.locator('[data-outcome=failed]').count(), 0);
      await page.check(id('errors-only'));
      await page.waitForSelector('[data-outcome=failed]');
      assert.equal(await page.locator('[data-outcome=ok]').count(), 0);
      await page.click(`label:has(${id('kind-instance')})`);
      await page.waitForSelector(id('activity-none'));
      await page.uncheck(id('errors-only'));
      await page.click(`label:has(${id('kind-all')})`);
      await page.waitForSelector('[data-outcome=ok]');
      await say({ reset: true, people: { history: Array.from({ length: 1_200 }, (_, index) => ['access.sign_in', 'ok', 'ada', 9_000 - index]) } });
      const other = await signedIn('ada', '/activity');
      await other.check(id('errors-only'));
      await other.waitForSelector(id('full'));
      assert.match(await other.textContent(id('activity-none')), /in the last 1,000 events/u);
    },

    async 'cloud: one without the channel sees the new device too'() {
      const page = await signedIn('bob', '/access');
      await page.click(id('add-device'));
      const code = await page.textContent(id('pair-code'));
      const phone = await open();
      await phone.goto(base);
      await phone.fill(id('pair-code-input'), code);
      await phone.press(id('pair-code-input'), 'Enter');
      await page.waitForSelector(id('pair-added'), { timeout: 4_000 });
      assert.equal(await page.locator(id('person-u-ada')).count(), 0);
    },

    async 'cloud: a device is ended after a question, and its page says so within a second'() {
      const page = await signedIn('ada', '/access');
      const grace = await signedIn('grace');
      const row = page.locator(`${id('person-u-grace')} li`);
      await row.locator('.small').click();
      await page.click(id('confirm-no'));
      assert.equal(await grace.getAttribute(id('link-chip'), 'data-phase'), 'live');
      await row.locator('.small').click();
      await page.click(id('confirm-yes'));
      await grace.waitForSelector('[data-reason=revoked]', { timeout: 1_000 });
      await row.waitFor({ state: 'detached' });
      assert.match(await page.textContent(id('said')), /is signed out/u);
    },

    async 'cloud: all of a person’s devices end at once, one’s own but this'() {
      await say({ mode: 'cloud', people: { devices: [['bob', 'A', 1000], ['bob', 'B', 2000], ['ada', 'C', 1000], ['ada', 'D', 1000]] } });
      const page = await signedIn('ada', '/access');
      await page.click(id('end-all-u-bob'));
      assert.match(await page.textContent(id('confirm')), /2 devices/u);
      await page.click(id('confirm-yes'));
      await page.waitForSelector(id('person-u-bob'), { state: 'detached' });
      await page.click(id('end-all-u-ada'));
      await page.click(id('confirm-yes'));
      await page.waitForFunction(() => document.querySelectorAll('[data-testid=person-u-ada] li').length === 1);
      assert.equal(await page.getAttribute(id('link-chip'), 'data-phase'), 'live');
    },

    async 'cloud: an admin cannot end an owner, a member sees only themselves'() {
      await say({ mode: 'cloud', people: { devices: [['ada', 'A', 1000], ['bob', 'B', 1000]] } });
      const admin = await signedIn('grace', '/access');
      await admin.waitForSelector(id('person-u-ada'));
      assert.equal(await admin.locator(`${id('person-u-ada')} button`).count(), 0);
      assert.equal(await admin.locator(`${id('person-u-bob')} button`).count(), 1);
      const member = await signedIn('vera', '/access');
      await member.waitForSelector('[data-current=true]');
      assert.equal(await member.locator('[data-testid^=person-]').count(), 1);
    },

    async 'cloud: signing out of this device'() {
      const page = await signedIn('bob', '/access');
      await page.click(id('sign-out-here'));
      await reason(page, 'signed_out');
      await page.reload();
      await reason(page, 'no_code');
    },

    async 'cloud: a member has no dead ends'() {
      const page = await signedIn('bob', '/');
      await page.waitForSelector(id('needs-you'));
      assert.equal(await page.locator(`${id('needs-you')} a`).count(), 0);
      assert.equal(await page.locator(id('tab-activity')).count(), 0);
      await page.click(id('tab-providers'));
      await page.waitForSelector(id('provider-codex'));
      assert.equal(await page.locator(`${id('provider-codex')} button`).count(), 0);
      for (const path of ['/providers/codex/connect', '/activity']) {
        await page.goto(base + path);
        await page.waitForSelector(id('denied'));
      }
    },

    async 'cloud: a role taken away takes the buttons with it'() {
      const page = await signedIn('grace', '/providers');
      await page.waitForSelector(id('connect-codex'));
      await say({ people: { role: ['grace', 'member'] } });
      await page.click(id('connect-codex'));
      await page.waitForSelector(id('denied'));
    },

    async 'cloud: renewal is offered, and comes back to where one was'() {
      await say({ lifeMs: 50 * 60_000 });
      const page = await signedIn('ada', '/settings');
      await page.waitForSelector(id('renew-now'));
      await say({ lifeMs: 24 * 3_600_000, launchHome: true });
      await page.click(id('renew-now'));
      await live(page);
      await page.waitForSelector(id('settings'));
      assert.equal(await page.locator(id('renew')).count(), 0);
    },

    async 'cloud: about to lapse and not looked at, the page renews by itself; not while one signs a provider in'() {
      await say({ mode: 'cloud', lifeMs: 10 * 60_000 });
      const hide = () =>
        Object.defineProperty(Document.prototype, 'visibilityState', { get: () => 'hidden', configurable: true });
      const page = await open();
      await page.goto(`${base}/providers/codex/connect#token=${await token()}`);
      await live(page);
      await page.click(id('start'));
      await page.waitForSelector(id('device-code'));
      await page.waitForSelector(id('renew'));
      let left = false;
      page.on('framenavigated', () => {
        left = true;
      });
      await page.evaluate(hide);
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await page.waitForTimeout(500);
      assert.equal(left, false);
      await page.click(id('cancel'));
      await page.waitForSelector(id('canceled'));
      await say({ lifeMs: 24 * 3_600_000 });
      await page.waitForTimeout(300);
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await page.waitForFunction(() => document.visibilityState === 'visible', null, { timeout: 5_000 });
      await live(page);
      assert.equal(left, true);
      assert.equal(new URL(page.url()).pathname, '/providers/codex/connect');
    },

    async 'cloud: what others do shows live, an outcome in the place of its intent'() {
      const page = await signedIn('ada', '/activity');
      await page.waitForSelector('[data-action="access.sign_in"]');
      const grace = await signedIn('grace', '/providers');
      await grace.click(id('connect-codex'));
      await page.waitForSelector('[data-action="provider.connect"][data-outcome=ok]');
      assert.equal(await page.locator('[data-action="provider.connect"]').count(), 1);
      assert.match(await page.textContent('[data-action="provider.connect"]'), /Codex sign-in started.*Grace Hopper/u);
      await page.click(`label:has(${id('kind-access')})`);
      await page.waitForSelector('[data-action="access.sign_in"]');
      assert.equal(await page.locator('[data-action^="provider."]').count(), 0);
      await grace.click(id('cancel'));
      await grace.waitForSelector(id('canceled'));
      assert.equal(await page.locator('[data-action^="provider."]').count(), 0);
      await page.click(`label:has(${id('kind-all')})`);
      await page.waitForSelector('[data-action="provider.finished"]');
    },

    async 'cloud: older events come by the page, and all of them as a file'() {
      const history = Array.from({ length: 120 }, (_, index) => ['instance.start', 'ok', null, (200 - index) * 60_000]);
      await say({ mode: 'cloud', people: { history } });
      const page = await signedIn('ada', '/activity');
      await page.waitForSelector(id('day'));
      const count = () => page.locator('.event').count();
      assert.equal(await count(), 50);
      await page.click(id('older'));
      await page.waitForFunction(() => document.querySelectorAll('.event').length === 100);
      await page.click(id('older'));
      await page.waitForFunction(() => document.querySelectorAll('.event').length === 121);
      assert.equal(await page.locator(id('older')).count(), 0);
      const [file] = await Promise.all([page.waitForEvent('download'), page.click(id('export'))]);
      const lines = readFileSync(await file.path(), 'utf8').trim().split('\n');
      assert.equal(lines.length, 121);
      assert.equal(JSON.parse(lines[0]).action, 'instance.start');
    },

    async 'cloud: the page on another origin works by a bearer in memory, and asks for a new one when that is gone'() {
      const { server, site } = await elsewhere(base);
      try {
        await say({ mode: 'cloud', site });
        const page = await open();
        const asked = [];
        page.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
        const jwt = await token();
        await page.goto(`${site}/app/r/inst-4711/access#token=${jwt}`);
        await live(page);
        await page.waitForSelector(id('add-device'));
        assert.equal(page.url(), `${site}/app/r/inst-4711/access`);
        await page.click(id('tab-activity'));
        await page.waitForSelector(id('activity'));
        assert.equal(page.url(), `${site}/app/r/inst-4711/activity`);
        assert.ok(asked.includes(`POST ${base}/api/auth/ws-ticket`));
        assert.ok(!asked.some((one) => one.includes('/api/auth/session')));
        assert.deepEqual(await page.context().cookies(), []);
        const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
        assert.ok(!kept.includes(jwt.slice(0, 20)) && !kept.includes(jwt.split('.')[1].slice(0, 20)));
        await page.reload();
        await reason(page, 'no_code');
        const href = new URL(await page.getAttribute(id('launch'), 'href'));
        assert.equal(href.origin + href.searchParams.get('return'), 'https://plane.example/app/r/inst-4711/activity');
        assert.equal(await page.locator(id('pair-form')).count(), 0);
      } finally {
        server.close();
      }
    },

    async 'cloud: a renewal in one tab does not end the others'() {
      const page = await signedIn('ada', '/settings');
      const other = await page.context().newPage();
      await other.goto(`${base}/#token=${await token('ada')}`);
      await live(other);
      await page.waitForTimeout(500);
      await live(page);
      await page.waitForSelector(id('settings'));
    },

    async 'cloud: nothing of this machine is probed'() {
      await say({ mode: 'cloud' });
      const page = await open();
      const foreign = [];
      page.on('request', (request) => {
        if (!request.url().startsWith(base)) foreign.push(request.url());
      });
      await page.goto(`${base}/#token=${await token()}`);
      await live(page);
      await page.waitForTimeout(500);
      assert.deepEqual(foreign, []);
    },
  };
}
