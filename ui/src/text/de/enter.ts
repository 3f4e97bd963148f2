import type { enter as en } from '../en/enter';

export const enter: typeof en = {
  title: 'Ihren Room öffnen',
  reasons: {
    no_code: 'Dieser Browser ist noch nicht angemeldet.',
    code_refused: 'Dieser Anmeldelink wurde schon benutzt oder ist älter als 5 Minuten.',
    page_refused: 'Der Room hat die Adresse dieser Seite abgelehnt.',
    limited: 'Zu viele Versuche. Der Room nimmt für einen Moment keine Codes mehr an.',
    unreachable: 'Unter dieser Adresse antwortet kein Room.',
    unexpected: 'Unter dieser Adresse antwortet etwas, aber nicht wie ein Room.',
    ended: 'Ihre Anmeldung ist beendet. Das geschieht bei jedem Neustart des Rooms.',
    signed_out: 'Sie sind von diesem Room abgemeldet.',
  },
  codes: {
    code_used: 'Dieser Anmeldelink wurde schon benutzt.',
    code_expired: 'Dieser Anmeldelink ist älter als 5 Minuten.',
    code_unknown: 'Dieser Anmeldelink ist nicht von dem Room, der jetzt läuft.',
  },
  openHere: (address) => `Öffnen Sie ihn unter ${address} auf dem Rechner, auf dem er läuft.`,
  wait: (wait) => `Versuchen Sie es in ${wait} erneut.`,
  getLink: 'Neuen Link holen',
  getLinkText: 'Führen Sie das in einem Terminal auf dem Rechner aus, auf dem Ihr Room läuft. Es öffnet den Link in Ihrem Browser.',
  start: 'Ihren Room starten',
  startText: 'Führen Sie das in einem Terminal auf dem Rechner Ihres Rooms aus. Es öffnet von selbst einen Anmeldelink.',
  orCode: 'Link oder Code',
  orCodeHelp: 'Fügen Sie den ganzen Link ein oder den Teil nach „code=“. Er gilt einmal, 5 Minuten lang.',
  enter: 'Anmelden',
  entering: 'Meldet an…',
  noCode: 'In diesem Text ist kein Code.',
};
