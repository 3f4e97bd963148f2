// Whether this is the installed app and no tab, and which way a browser installs one.

/** An iPhone or iPad; the latter says that it is a Mac, and feels fingers. */
export function isApple(): boolean {
  return /iPhone|iPad/u.test(navigator.userAgent) || (/Macintosh/u.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
}

export function isStandalone(): boolean {
  return matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true;
}
