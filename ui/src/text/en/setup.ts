// The words on what a provider needs before a sign-in.

export const setup = {
  before: 'Before you start',
  openSetting: (host: string) => `Open ${host}`,
};
