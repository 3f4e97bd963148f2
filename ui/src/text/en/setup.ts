// The words on what a provider needs before a sign-in.

export const setup = {
  install: 'To install it, run this on the Room’s machine:',
  checkInstall: 'Check again',
  checking: 'Checking…',
  before: 'Before you start',
  openSetting: (host: string) => `Open ${host}`,
};
