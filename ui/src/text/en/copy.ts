// The words of what copies.

export const copy = {
  copy: 'Copy',
  copied: 'Copied',
  failed: 'Your browser did not allow copying. Select the text and copy it.',
  command: 'Command',
};
