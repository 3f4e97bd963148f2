// Styles that come with a part of the page. Our policy allows no style element; a sheet that a script of
// ours makes is ours.

export function sheet(styles: string): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(styles);
  return made;
}

export function adopt(styles: string): void {
  document.adoptedStyleSheets.push(sheet(styles));
}
