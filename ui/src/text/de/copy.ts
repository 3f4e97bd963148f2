import type { copy as en } from '../en/copy';

export const copy: typeof en = {
  copy: 'Kopieren',
  copied: 'Kopiert',
  failed: 'Ihr Browser hat das Kopieren nicht erlaubt. Markieren Sie den Text und kopieren Sie ihn.',
  command: 'Befehl',
};
