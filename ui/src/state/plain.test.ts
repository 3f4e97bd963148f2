import { expect, test } from 'vitest';
import { doubt, pasted } from './paste';
import { httpsUrl, linkCode, trustedUrl } from './address';
import { plain } from './plain';
import { redact } from './redact';

test('what deceives the eye is not shown and not copied', () => {
  expect(plain('ab\u202Ecd\u200B\uFEFF\u2066e\u{E0041}\u0007\u009B')).toBe('abcde');
  expect(plain('line\n\ttab é 漢 🙂')).toBe('line\n\ttab é 漢 🙂');
});

const HOSTS = ['auth.openai.com', 'claude.com'];

test.each([
  ['https://auth.openai.com/codex/device', true],
  ['https://AUTH.openai.com/codex/device', true],
  ['http://auth.openai.com/codex/device', false],
  ['https://auth.openai.com.evil.example/codex/device', false],
  ['https://auth.openai.com@evil.example/', false],
  ['https://user:pw@auth.openai.com/', false],
  ['https://auth.openai.com:8443/', false],
  ['https://sub.auth.openai.com/', false],
  ['https://auth.openai.com\u202E/moc', false],
  ['javascript:alert(1)', false],
  ['//auth.openai.com/', false],
  ['', false],
])('%s may be opened: %s', (address, trusted) => {
  expect(trustedUrl(address, HOSTS) !== null).toBe(trusted);
});

test('without a list of hosts nothing may be opened', () => {
  expect(trustedUrl('https://claude.com/', [])).toBeNull();
  expect(trustedUrl(null, HOSTS)).toBeNull();
});

test('a link of the server’s own has to be https', () => {
  expect(httpsUrl('https://chatgpt.com/#settings')?.host).toBe('chatgpt.com');
  expect(httpsUrl('javascript:alert(1)')).toBeNull();
  expect(httpsUrl('data:text/html,x')).toBeNull();
});

test('white space and invisible characters leave a paste', () => {
  expect(pasted('  ab c\n#de\u200Bf\t', 'pasted_code')).toBe('abc#def');
});

test('a whole callback address becomes its code and state', () => {
  const address = 'https://platform.claude.com/oauth/code/callback?code=AAA-1&state=BBB_2';
  expect(pasted(address, 'pasted_code')).toBe('AAA-1#BBB_2');
  expect(pasted('https://platform.claude.com/oauth/code/callback?code=AAA#BBB', 'pasted_code')).toBe('AAA#BBB');
  expect(pasted('https://example.com/other', 'pasted_code')).toBe('https://example.com/other');
  expect(pasted(address, 'pasted_url')).toBe(address);
});

test.each([
  ['abc#def', null],
  ['', null],
  ['https://example.com/', 'address'],
  ['123456', 'short_digits'],
  ['abcdef', 'no_hash'],
  ['#def', 'no_hash'],
  ['abc#', 'no_hash'],
])('a paste of %s is doubted as %s', (text, expected) => {
  expect(doubt(text, 'pasted_code')).toBe(expected);
});

test.each([
  ['http://localhost:3700/#code=a%2Bb', 'a+b'],
  ['  code=abc  ', 'abc'],
  ['#code=abc', 'abc'],
  ['abc-DEF_1', 'abc-DEF_1'],
  ['http://localhost:3700/', null],
  ['', null],
  ['#code=%zz', '%zz'],
])('the link %s holds the code %s', (text, code) => {
  expect(linkCode(text)).toBe(code);
});

test('a report holds no secret', () => {
  const text = [
    'key sk-ant-oat01-AbCdEf123456',
    'jwt eyJhbGciOi.eyJzdWIi.c2ln',
    'Authorization: Bearer abcdef',
    'visit https://claude.com/oauth/authorize?state=SECRETSTATE&x=1 now',
    'pasted CODECODECODE#STATESTATE',
    'code CZ6N-DCWVI',
    'as anna@example.com',
  ].join('\n');
  const clean = redact(text, ['CZ6N-DCWVI', null]);
  for (const secret of ['AbCdEf123456', 'eyJ', 'abcdef', 'SECRETSTATE', 'CODECODE', 'CZ6N', 'anna'])
    expect(clean).not.toContain(secret);
  expect(clean).toContain('https://claude.com/oauth/authorize?[removed] now');
});
