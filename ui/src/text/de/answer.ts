import type { answer as en } from '../en/answer';

export const answer: typeof en = {
  title: 'Dem Programm antworten',
  text: (name) => `${name} fragt etwas, das Ihr Room nicht kennt. Das zeigt es:`,
  nothing: 'Es zeigt nichts.',
  ownerOnly: 'Nur der Eigentümer dieses Rooms kann antworten.',
  warning: (name) =>
    `Was Sie eingeben, geht unverändert an ${name}, mit der Eingabetaste danach. Geben Sie hier kein Passwort ein, außer ${name} fragt danach.`,
  understood: 'Verstanden',
  label: 'Ihre Antwort',
  send: 'Senden, mit Eingabetaste',
  enter: 'Nur Eingabetaste',
  sending: 'Sendet…',
  sent: 'Gesendet.',
  stuck: 'Das Programm ist schon weiter. Sehen Sie oben nach.',
  help: 'Bis zu 512 Zeichen. Oft genügt ein Buchstabe oder eine Zahl.',
};
