import type { programs as en } from '../en/programs';

export const programs: typeof en = {
  title: 'Programme und Schlüssel',
  text: 'Womit Ihr Room sich anmeldet und wo er Schlüssel aufbewahrt.',
  none: 'nicht installiert',
  current: 'aktuell',
  newer: (version) => (version === null ? 'eine neuere Version ist bereit' : `${version} ist bereit`),
  tooOld: 'zu alt, um sich damit anzumelden',
  key: (name, last4) => `Schlüssel von ${name}, endet auf ${last4}`,
  noKeys: 'Keine Schlüssel aufbewahrt.',
  manage: 'Anbieter verwalten',
};
