// Styles that come with a part of the page. Our policy allows no style element; a sheet that a script of
// ours makes is ours.

export function adopt(styles: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  document.adoptedStyleSheets.push(sheet);
}
