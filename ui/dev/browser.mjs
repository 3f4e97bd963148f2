// Chromium as the scripts here drive it: Debian's, headless, with nothing of its own to say to anyone.

import { chromium } from 'playwright-core';

const OPTIONS = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-quic',
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-extensions',
    '--disable-domain-reliability',
    '--no-pings',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
  ],
};

export function launch() {
  return chromium.launch(OPTIONS);
}

/** With a profile of its own in a folder, as a person's browser has; one without cannot install anything. */
export function launchProfile(folder, options = {}) {
  return chromium.launchPersistentContext(folder, { ...OPTIONS, ...options, args: [...OPTIONS.args, ...(options.args ?? [])] });
}
