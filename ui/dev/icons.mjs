// Draws public/icons/*.png from icon.svg. Run after the drawing changes; the pictures are committed.

import { readFileSync } from 'node:fs';
import { launch } from './browser.mjs';

const folder = new URL('../public/icons/', import.meta.url).pathname;
const svg = readFileSync(`${folder}icon.svg`, 'utf8');
// A system that cuts its own shape wants the colour to the edge and the drawing in the inner 80 %.
const full = svg
  .replace(' rx="112"', '')
  .replace('<path', '<g transform="translate(256 256) scale(.8) translate(-256 -256)"><path')
  .replace('</svg>', '</g></svg>');

const browser = await launch();
for (const [name, size, picture] of [
  ['icon-192', 192, svg],
  ['icon-512', 512, svg],
  ['maskable-512', 512, full],
  ['apple-touch-icon', 180, full],
]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${picture}`);
  await page.screenshot({ path: `${folder}${name}.png`, omitBackground: true });
  await page.close();
}
await browser.close();
console.log('icons: 4 drawn');
