import type { offline as en } from '../en/offline';

export const offline: typeof en = {
  title: 'Ihr Room antwortet nicht.',
  local: 'Starten Sie ihn mit diesem Befehl auf seinem Rechner. Diese Seite kommt von selbst zurück.',
  hosted: 'Vielleicht startet er gerade oder ist abgeschnitten. Diese Seite kommt von selbst zurück.',
  again: 'Diese Seite fragt weiter nach.',
  heard: (ago) => `Zuletzt von ihm gehört: ${ago}.`,
  tryNow: 'Jetzt versuchen',
};
