// Every page of the dashboard, for everyone: in light, dark and forced colours, from 320 px to a wide desk, on
// its side, with large text, without motion, in both languages; under the policy of the real server. The
// keyboard and what is read aloud are in `keyboard.mjs`. MODE is `local` or `cloud`.

import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { ask, controlled, DESK, id, LINK, live, open, problems, suite, until, watch } from './stage.mjs';

const base = new URL(LINK).origin;
const CLOUD = process.env.MODE === 'cloud';
const THEMES = [
  ['light', { colorScheme: 'light', forcedColors: 'none' }],
  ['dark', { colorScheme: 'dark', forcedColors: 'none' }],
  ['forced colours', { colorScheme: 'dark', forcedColors: 'active' }],
];
const SIZES = [[320, 640], [390, 844], [768, 1024], [1024, 768], [1440, 900], [844, 390]];
const ALL = ['/', '/providers', '/providers/codex/connect', '/providers/claude/connect', '/access', '/activity', '/settings', '/nowhere'];
/** A local Room's pages that are not those of a hosted one, and one that is. */
const ROUTES = CLOUD ? ALL : ['/', '/providers/codex/connect', '/access', '/settings'];

/** Each page as it is when nothing more is on its way. */
async function visit(page, route) {
  await page.evaluate((path) => {
    history.pushState(null, '', path);
    dispatchEvent(new PopStateEvent('popstate'));
  }, route);
  await settled(page);
}

async function settled(page) {
  await page.waitForSelector('h1');
  await page.waitForFunction(() => document.querySelector('.skeleton') === null);
  await page.waitForLoadState('networkidle');
}

/** What is wrong, by every rule that axe has. */
async function axe(page, where, into) {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] }).analyze();
  for (const { id: rule, nodes } of violations) into.push(`${where}: ${rule}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

/** The same of the page as it stands, in each of the three. */
async function inEachTheme(page, where, into) {
  for (const [name, look] of THEMES) {
    await page.emulateMedia(look);
    const seen = await page.evaluate(() => [matchMedia('(prefers-color-scheme: dark)').matches, matchMedia('(forced-colors: active)').matches]);
    assert.deepEqual(seen, [look.colorScheme === 'dark', look.forcedColors === 'active'], name);
    await axe(page, `${name} ${where}`, into);
  }
  await page.emulateMedia(THEMES[0][1]);
}

/** Everything on the page that does not fit, or that a finger would miss. */
function measure() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`scrolls sideways (${root.scrollWidth} of ${root.clientWidth})`);
  for (const node of document.querySelectorAll('a, button, input, select, summary, textarea')) {
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    const inline = node.tagName === 'A' && style.display === 'inline';
    if (box.width === 0 || inline || node.classList.contains('skip')) continue;
    const name = `${node.tagName} "${node.textContent.slice(0, 30)}" ${Math.round(box.width)}x${Math.round(box.height)}`;
    // Of a small box that ticks, its label is the target.
    const label = node.labels?.[0]?.getBoundingClientRect();
    const [width, height] = [Math.max(box.width, label?.width ?? 0), Math.max(box.height, label?.height ?? 0)];
    if (width < 43.5 || height < 43.5) found.push(`small target ${name}`);
    if (box.left < -0.5 || box.right > root.clientWidth + 0.5) found.push(`cut target ${name}`);
    if (/^(?:INPUT|TEXTAREA|SELECT)$/u.test(node.tagName) && parseFloat(style.fontSize) < 16) found.push(`small text in ${name}`);
  }
  return found;
}

let page;

await suite({
  async 'a person is signed in, and two sign-ins to providers are under way'(browser) {
    page = await open(browser, { reducedMotion: 'reduce' });
    await page.goto(LINK);
    await live(page);
    for (const provider of ['codex', 'claude']) {
      const { sessionId } = await ask('connect', { provider });
      const ready = (view) => view.deviceCode !== null || view.verificationUrl !== null;
      await until(`${provider} shows its way`, async () => ready(await ask('session', { session: sessionId })), 20_000);
    }
  },

  async 'axe finds nothing on any page, in light, dark and forced colours'() {
    const found = [];
    for (const route of ALL) {
      await visit(page, route);
      await page.evaluate(() => {
        for (const fold of document.querySelectorAll('details')) fold.open = true;
      });
      await settled(page);
      await inEachTheme(page, route, found);
    }
    assert.deepEqual(found, []);
  },

  async 'control: in each of the three, axe finds what is hard to see and what has no name'() {
    await visit(page, '/settings');
    await page.evaluate(() => {
      const { style } = document.querySelector('h1');
      // Where people force their colours upon a page, it must insist to be hard to see.
      style.cssText = 'forced-color-adjust: none; color: #777; background: #888';
      document.querySelector('main').append(document.createElement('button'));
    });
    const found = [];
    await inEachTheme(page, 'broken', found);
    for (const [name] of THEMES) {
      for (const rule of ['color-contrast', 'button-name']) assert.ok(found.some((one) => one.startsWith(`${name} broken: ${rule}:`)), `${name} ${rule}: ${found}`);
    }
  },

  async 'a hosted Room can be given back from its settings, one on a person’s own computer cannot'() {
    await visit(page, '/settings');
    await page.waitForSelector(id('sign-out'));
    assert.equal(await page.locator(id('wipe')).count(), CLOUD ? 1 : 0);
  },

  async 'nothing scrolls sideways and every target is as large as a finger, on every size, on its side, in German'() {
    const found = [];
    for (const language of ['en', 'de']) {
      await visit(page, '/settings');
      await page.click(`${id(`language-${language}`)}`);
      await page.waitForFunction((lang) => document.documentElement.lang === lang, language);
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });
        for (const route of ROUTES) {
          await visit(page, route);
          for (const fault of await page.evaluate(measure)) found.push(`${language} ${width}x${height} ${route}: ${fault}`);
        }
      }
    }
    await visit(page, '/settings');
    await page.click(id('language-en'));
    assert.deepEqual(found, []);
  },

  async 'control: what is too wide or too small is found'() {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(page, '/settings');
    await page.evaluate(() => {
      const wide = document.createElement('p');
      wide.style.width = '700px';
      wide.textContent = 'wide';
      const small = document.createElement('button');
      small.style.cssText = 'width: 20px; height: 20px; padding: 0';
      document.querySelector('main').append(wide, small);
    });
    const found = await page.evaluate(measure);
    assert.ok(found.some((one) => one.startsWith('scrolls')) && found.some((one) => one.startsWith('small target')), String(found));
  },

  async 'text twice as large stays on the page'() {
    const found = [];
    for (const width of [320, 390, 1024]) {
      await page.setViewportSize({ width, height: 800 });
      for (const route of ROUTES) {
        await visit(page, route);
        const small = await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector('h1')).fontSize));
        await page.evaluate(() => {
          document.documentElement.style.fontSize = '200%';
        });
        const large = await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector('h1')).fontSize));
        assert.equal(large, 2 * small, `${route}: the text follows`);
        for (const fault of await page.evaluate(measure)) found.push(`${width} ${route}: ${fault}`);
        await page.evaluate(() => {
          document.documentElement.style.fontSize = '';
        });
      }
    }
    await page.setViewportSize({ width: 390, height: 844 });
    assert.deepEqual(found, []);
  },

  async 'the bars leave a phone’s edges free'() {
    const session = await page.context().newCDPSession(page);
    const pads = () =>
      page.evaluate(() => {
        const pad = (name, side) => parseFloat(getComputedStyle(document.querySelector(name))[side]);
        return [pad('.top', 'paddingTop'), pad('.tabs', 'paddingBottom'), pad('.content', 'paddingLeft')];
      });
    assert.deepEqual(await pads(), [0, 0, 16]);
    await session.send('Emulation.setSafeAreaInsetsOverride', { insets: { top: 59, bottom: 34, left: 44, right: 44 } });
    assert.deepEqual(await pads(), [59, 34, 60]);
    // Control: a bar that does not know of edges is found.
    await page.evaluate(() => void (document.querySelector('.tabs').style.padding = '0'));
    assert.deepEqual(await pads(), [59, 0, 60]);
    await page.evaluate(() => void document.querySelector('.tabs').removeAttribute('style'));
    await session.send('Emulation.setSafeAreaInsetsOverride', { insets: {} });
  },

  async 'with a keyboard over half of the screen, the field and its button stay in sight'() {
    const hidden = () =>
      page.evaluate(() =>
        ['paste-input', 'paste-submit'].filter((name) => {
          const node = document.querySelector(`[data-testid=${name}]`);
          const box = node.getBoundingClientRect();
          const top = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
          return box.top < 0 || box.bottom > innerHeight || !node.contains(top);
        }),
      );
    await visit(page, '/providers/claude/connect');
    await page.tap(id('paste-input'));
    await page.setViewportSize({ width: 390, height: 844 - 340 });
    await until('both are in sight', async () => (await hidden()).length === 0, 20_000);
    await page.evaluate(() => scrollTo(0, 0));
    assert.notDeepEqual(await hidden(), [], 'control: what is out of sight is found');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.focus('h1');
  },

  async 'nothing moves for those who want no motion'() {
    await visit(page, '/providers/codex/connect');
    assert.equal(await page.evaluate(() => document.getAnimations().filter((one) => one.playState === 'running').length), 0);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await until('control: else the current step pulses', () => page.evaluate(() => document.getAnimations().length > 0), 20_000);
    await page.emulateMedia({ reducedMotion: 'reduce' });
  },

  async 'German is spoken everywhere, with its dates, and kept'() {
    await visit(page, '/settings');
    await page.click(id('language-de'));
    await page.waitForFunction(() => document.querySelector('h1').textContent === 'Optionen');
    await page.reload();
    await live(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    assert.match(await page.textContent(id('link-chip')), /Verbunden/u);
    // What English would leave on these pages.
    const english = /\b(?:the|your|sign|with|and|is|not|this|Settings|Overview|Providers|Access|Activity)\b/u;
    for (const route of ['/', '/settings', '/activity', '/nowhere']) {
      await visit(page, route);
      const text = await page.evaluate(() => {
        const copy = document.querySelector('#app').cloneNode(true);
        for (const node of copy.querySelectorAll('.mono, code, [lang=en], dd')) node.remove();
        return copy.textContent;
      });
      assert.doesNotMatch(text, english, route);
    }
    await page.click(id('tab-settings'));
    await page.click(id('language-en'));
    await page.waitForFunction(() => document.querySelector('h1').textContent === 'Settings');
  },

  async 'a browser in German is spoken to in German from its first word'(browser) {
    const german = await open(browser, { locale: 'de-AT' });
    await german.goto(base);
    await german.waitForSelector(id('connect-page'));
    assert.equal(await german.evaluate(() => document.documentElement.lang), 'de');
    await settled(german);
    const found = [];
    await inEachTheme(german, 'signed out', found);
    for (const [width, height] of SIZES) {
      await german.setViewportSize({ width, height });
      for (const fault of await german.evaluate(measure)) found.push(`signed out, ${width}x${height}: ${fault}`);
    }
    assert.deepEqual(found, []);
    await german.context().close();
  },

  async 'the installed app of someone not signed in asks to be paired'(browser) {
    if (!CLOUD) return;
    const app = await open(browser);
    // As iOS says it.
    await app.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: true }));
    await app.goto(base);
    await app.waitForSelector(id('pair-form'));
    assert.equal(await app.textContent('h1'), 'Pair this device');
    const tops = await app.evaluate(() => {
      const top = (name) => document.querySelector(`[data-testid=${name}]`)?.getBoundingClientRect().top ?? 1e6;
      return [top('pair-form'), top('launch')];
    });
    assert.ok(tops[0] < tops[1], 'the field comes first');
    assert.equal(await app.locator('.mark.bad').count(), 0, 'and no error');
    await app.context().close();
  },

  async 'the policy holds on every page, and the worker keeps to it too'() {
    await controlled(page);
    await page.setViewportSize(DESK.viewport);
    for (const route of ROUTES) {
      await page.goto(base + route);
      await live(page);
      await settled(page);
    }
    assert.deepEqual(problems, []);
  },

  async 'control: a script in the page, and one made of text, are refused and heard'(browser) {
    const heard = [];
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const other = await context.newPage();
    watch(other, heard);
    await other.route(`${base}/`, async (route) => {
      const response = await route.fetch();
      const inline = '<script>globalThis.inline = true</script><script type="module" src="/assets/probe.js"></script></body>';
      await route.fulfill({ response, body: (await response.text()).replace('</body>', inline) });
    });
    const probe = "try { eval('1'); globalThis.evil = true } catch {}\ntry { document.body.innerHTML = '<b>x</b>'; globalThis.markup = true } catch {}";
    await other.route('**/assets/probe.js', (route) => route.fulfill({ contentType: 'text/javascript', body: probe }));
    await other.goto(`${base}/`);
    await other.waitForSelector(id('connect-page'));
    assert.deepEqual(await other.evaluate(() => [globalThis.inline, globalThis.evil, globalThis.markup]), [null, null, null].map(() => undefined));
    assert.ok(heard.some((text) => text.includes('inline')) && heard.some((text) => /TrustedHTML|Trusted Type/u.test(text)), String(heard));
    await context.close();
  },
});
