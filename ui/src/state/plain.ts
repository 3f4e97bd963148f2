// Text that came from elsewhere: what may be shown and copied.

/**
 * Control characters (line break and tab apart), bidirectional controls, zero-width characters, and
 * the invisible "tags": with them, what one sees is not what one copies.
 */
const DECEIVING =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- these are what it removes
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB]|[\u{E0000}-\u{E0FFF}]/gu;

export function plain(text: string): string {
  return text.replace(DECEIVING, '');
}
