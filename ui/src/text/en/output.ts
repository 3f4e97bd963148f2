// The words around what a program printed.

export const output = {
  title: 'Live output',
  lines: (count: number) => (count === 1 ? '1 line' : `${count} lines`),
  dropped: (count: number) => `${count} earlier lines are not kept.`,
  none: 'Nothing printed yet.',
  copyAll: 'Copy all',
  newest: 'Jump to newest',
};
