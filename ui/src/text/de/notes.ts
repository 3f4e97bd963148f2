import type { notes as en } from '../en/notes';

export const notes: typeof en = {
  ends: (time) => `Ihre Anmeldung endet um ${time}.`,
  renew: 'Jetzt erneuern',
  renewText: 'Ein kurzer Besuch bei Ihrer Control Plane und zurück auf diese Seite.',
  again: 'Koppeln Sie diesen Browser vorher neu: Öffnen Sie auf einem anderen Gerät „Zugang“ und wählen Sie „Gerät hinzufügen“.',
  keysOld: (host) => `Ihr Room hat die Schlüssel von ${host} eine Weile nicht erreicht.`,
  keysOldText: 'Wer angemeldet ist, bleibt angemeldet. Er versucht es weiter.',
  keysGone: (host) => `Ihr Room kann neue Anmeldungen von ${host} gerade nicht prüfen.`,
};
