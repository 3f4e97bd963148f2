import type { setup as en } from '../en/setup';

export const setup: typeof en = {
  before: 'Vorab',
  openSetting: (host) => `${host} öffnen`,
};
