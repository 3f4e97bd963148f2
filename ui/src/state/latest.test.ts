import { expect, test } from 'vitest';
import { latest } from './latest';

test('answers count in the order of their questions', () => {
  const { ask } = latest();
  const [first, second, third] = [ask(), ask(), ask()];
  expect(second()).toBe(true);
  expect(first(), 'overtaken').toBe(false);
  expect(third()).toBe(true);
});

test('what is told overtakes all that was asked before it, and nothing after', () => {
  const { ask, told } = latest();
  const before = ask();
  told();
  const after = ask();
  expect(before()).toBe(false);
  expect(after()).toBe(true);
});
