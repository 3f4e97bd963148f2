import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { parseAst } from 'vite';
import { words, wanted } from './words';

const en = import.meta.glob<Record<string, object>>('./en/*.ts', { eager: true });
const de = import.meta.glob<Record<string, object>>('./de/*.ts', { eager: true });
const spoken = { ...de['./de/index.ts']?.['de'], ...de['./de/pages.ts']?.['de'], ...de['./de/signins.ts']?.['de'] } as Record<string, object>;

/** Every path to a word, with what it takes: text, or a function of so many arguments. */
function shape(value: unknown, path = ''): string[] {
  if (typeof value === 'function') return [`${path}(${value.length})`];
  if (typeof value !== 'object' || value === null) return [`${path} ${typeof value}`];
  return Object.entries(value).flatMap(([key, inner]) => shape(inner, `${path}.${key}`));
}

const screens = Object.keys(en).map((path) => path.slice('./en/'.length, -'.ts'.length));

test.each(screens)('German says all that English says: %s', (name) => {
  const english = en[`./en/${name}.ts`]?.[name];
  expect(english).toBeTypeOf('object');
  expect(shape(spoken[name]).sort()).toEqual(shape(english).sort());
});

test('the pages take their words from the catalogue of their name, and only from there', () => {
  for (const name of screens) {
    const door = readFileSync(new URL(name === 'core' ? './index.ts' : `./${name}.ts`, import.meta.url), 'utf8');
    expect(door, name).toContain(`words('${name}'`);
  }
  expect(screens.length).toBeGreaterThan(10);
});

/** The codes of a file of Rust that stand where an answer is made. */
const codesIn = (source: string): string[] =>
  [...source.matchAll(/(?:ApiError|Self)::(?:bad_request|conflict|unprocessable|unavailable|refused_code|new)\(\s*(?:StatusCode::\w+,\s*)?"(\w+)"/gu)].map((match) => match[1] as string);

test('German has words for every answer of the Room that a person can come to see', () => {
  const root = new URL('../../../', import.meta.url);
  const http = new URL('room-runtime/src/http/', root);
  const files = readdirSync(http, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs') && !name.includes('tests'));
  const paste = readFileSync(new URL('provider-sessions/src/paste.rs', root), 'utf8');
  const codes = new Set([
    ...files.flatMap((name) => codesIn(readFileSync(new URL(name, http), 'utf8'))),
    ...[...paste.matchAll(/Self::\w+ => "(\w+)"/gu)].map((match) => match[1] as string),
  ]);
  expect(codes.size).toBeGreaterThan(40);
  // What this page never asks for, and what is said on the page of coming in.
  const programs = /^(?:bad_(?:body|json|revocation|position|limit)|unknown_(?:part|kind)|invalid_request|method_not_allowed|not_(?:json|a_form|a_websocket)|revocations_full|uri_too_long|code_missing|handshake_\w+)$/u;
  const arriving = new Set([...Object.keys((spoken['hosted'] as { codes: object }).codes), ...Object.keys((spoken['enter'] as { codes: object }).codes)]);
  const known = spoken['problems'] as Record<string, string>;
  const silent = [...codes].filter((code) => !programs.test(code) && !arriving.has(code) && code !== 'too_many_requests' && known[code] === undefined);
  expect(silent).toEqual([]);
});

test('no German word is an English sentence left over', () => {
  const sentences = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? Object.values(value).flatMap(sentences) : [];
  for (const [name, catalogue] of Object.entries(spoken)) {
    const english = new Set(sentences(en[`./en/${name}.ts`]?.[name]));
    // One word may be the same in both.
    const same = sentences(catalogue).filter((text) => english.has(text) && text.trim().split(/\s+/u).length > 2);
    expect(same, name).toEqual([]);
  }
});

interface Node {
  type: string;
  [key: string]: unknown;
}

const SHOWN = /^(?:aria-(?:label|description|roledescription|valuetext)|title|alt|placeholder|label)$/u;
const hasWord = (text: unknown) => typeof text === 'string' && /\p{L}{2,}/u.test(text);

/** Text that a person would see or hear and that stands in the code. */
function literals(source: string): string[] {
  const found: string[] = [];
  const said = (node: Node | null) => {
    if (node === null) return;
    if (node.type === 'Literal' && hasWord(node['value'])) found.push(String(node['value']));
    if (node.type === 'TemplateLiteral') for (const part of node['quasis'] as { value: { raw: string } }[]) if (hasWord(part.value.raw)) found.push(part.value.raw);
    if (node.type === 'ConditionalExpression') for (const side of ['consequent', 'alternate']) said(node[side] as Node);
    if (node.type === 'LogicalExpression') for (const side of ['left', 'right']) said(node[side] as Node);
    if (node.type === 'JSXExpressionContainer') said(node['expression'] as Node);
  };
  const walk = (node: unknown, parent: Node | null) => {
    if (Array.isArray(node)) return node.forEach((each) => walk(each, parent));
    if (typeof node !== 'object' || node === null || !('type' in node)) return undefined;
    const here = node as Node;
    if (here.type === 'JSXText' && hasWord(here['value'])) found.push(String(here['value']).trim());
    if (here.type === 'JSXExpressionContainer' && parent?.type !== 'JSXAttribute') said(here['expression'] as Node);
    if (here.type === 'JSXAttribute' && SHOWN.test(String((here['name'] as { name: unknown }).name))) said(here['value'] as Node | null);
    for (const value of Object.values(here)) walk(value, here);
    return undefined;
  };
  walk(parseAst(source, { lang: 'tsx' }), null);
  return found;
}

const folder = new URL('../views/', import.meta.url);
const views = readdirSync(folder).filter((name) => name.endsWith('.tsx') && !name.includes('.test.'));

test.each(views)('no view holds text of its own: %s', (name) => {
  expect(literals(readFileSync(new URL(name, folder), 'utf8'))).toEqual([]);
});

test('text in a view is found wherever it stands', () => {
  expect(literals('const a = <p>Hello there</p>;')).toEqual(['Hello there']);
  expect(literals('const a = <p aria-label="Say this">{x}</p>;')).toEqual(['Say this']);
  expect(literals("const a = <p>{x ? 'Yes please' : y}</p>;")).toEqual(['Yes please']);
  expect(literals('const a = <input placeholder={`For ${name}`} />;')).toEqual(['For ']);
  expect(literals('const a = <p class="note bad" data-testid="x">{w.title} · {n}</p>;')).toEqual([]);
});

test('what is chosen counts, then the browser, then English', () => {
  expect(wanted('de', ['en-IE'])).toBe('de');
  expect(wanted('en', ['de-DE'])).toBe('en');
  expect(wanted(null, ['fr-FR', 'de-AT', 'en'])).toBe('de');
  expect(wanted('xx', ['de'])).toBe('de');
  expect(wanted(null, ['fr'])).toBe('en');
});

test('words stay one object while the language changes', async () => {
  vi.stubGlobal('document', { documentElement: { lang: '' } });
  const { speak } = await import('./words');
  const w = words('copy', { copy: 'Copy', copied: 'Copied', failed: 'x', command: 'Command' });
  await speak('de');
  expect([w.copy, document.documentElement.lang]).toEqual(['Kopieren', 'de']);
  const { problems } = await import('./index');
  expect(problems['stopping']).toMatch(/herunter/u);
  await speak('en');
  expect([w.copy, document.documentElement.lang, problems['stopping']]).toEqual(['Copy', 'en', undefined]);
  await speak('de');
  expect(words('copy', { copy: 'Copy' }).copy).toBe('Kopieren');
  vi.unstubAllGlobals();
});
