import type { output as en } from '../en/output';

export const output: typeof en = {
  title: 'Laufende Ausgabe',
  lines: (count) => (count === 1 ? '1 Zeile' : `${count} Zeilen`),
  dropped: (count) => `${count} frühere Zeilen sind nicht aufbewahrt.`,
  none: 'Noch keine Ausgabe.',
  copyAll: 'Alles kopieren',
  newest: 'Zum Neuesten',
};
