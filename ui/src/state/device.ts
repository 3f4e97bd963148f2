// How a device is called in the list of devices: what a person would say of it, from what its browser
// says of itself.

const SYSTEMS: [RegExp, string][] = [
  [/iPhone/u, 'iPhone'],
  [/iPad/u, 'iPad'],
  [/Android/u, 'Android'],
  [/CrOS/u, 'ChromeOS'],
  [/Windows/u, 'Windows'],
  [/Macintosh|Mac OS X/u, 'Mac'],
  [/Linux/u, 'Linux'],
];
// Each names those after it too.
const BROWSERS: [RegExp, string][] = [
  [/Edg/u, 'Edge'],
  [/OPR|Opera/u, 'Opera'],
  [/SamsungBrowser/u, 'Samsung Internet'],
  [/Firefox|FxiOS/u, 'Firefox'],
  [/CriOS|Chrome|Chromium/u, 'Chrome'],
  [/Safari/u, 'Safari'],
];

/** `touch`: how many fingers it feels; an iPad calls itself a Mac, and no Mac feels any. */
export function deviceName(agent: string, touch: number): string {
  const name = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(agent))?.[1];
  const found = name(SYSTEMS);
  const system = found === 'Mac' && touch > 1 ? 'iPad' : found;
  const browser = name(BROWSERS);
  return [browser, system].filter((part) => part !== undefined).join(' on ') || 'Browser';
}
