// Copying, in the order that works: at once where the click also opens a new tab (a page that has
// lost the focus may not write), by the modern interface else.

import { plain } from '../state/plain';

export async function copyText(text: string): Promise<boolean> {
  const clean = plain(text);
  try {
    await navigator.clipboard.writeText(clean);
    return true;
  } catch {
    return copyNow(clean);
  }
}

/** Copies before it returns. */
export function copyNow(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = plain(text);
  area.readOnly = true;
  area.className = 'sr';
  document.body.append(area);
  area.select();
  let copied = false;
  try {
    copied = document.execCommand('copy');
  } catch {
    copied = false;
  }
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return copied;
}

/** What is in the clipboard, or null where the browser or its policy does not allow to read it. */
export async function pasteText(): Promise<string | null> {
  try {
    return await navigator.clipboard.readText();
  } catch {
    return null;
  }
}
