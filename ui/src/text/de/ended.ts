import type { ended as en } from '../en/ended';

export const ended: typeof en = {
  agreeText: (name) => `Scheitert diese Anmeldung oder wird sie abgebrochen, bleibt ${name} abgemeldet.`,
  agree: 'Erst abmelden, dann anmelden',
  stillWaiting: 'Ihr Room wartet weiter. Sie können auch warten oder neu beginnen.',
  lookAtOutput: 'Sehen Sie unten, was es zeigt. Sie können neu beginnen.',
  startAgain: 'Neu beginnen',
  pasteAgain: 'Fügen Sie etwas anderes ein oder holen Sie einen neuen Link.',

  doneTitle: (name) => `${name} ist verbunden`,
  doneAs: (account) => `Angemeldet als ${account}.`,
  doneText: (name) => `${name} selbst hat die Anmeldung bestätigt.`,
  tokenTitle: (name) => `Ihr Room hat ein langlebiges Token für ${name}`,
  tokenText: (last4) => `Es endet auf ${last4}. Niemand sieht es wieder, und Room gibt es nur den Programmen, die er startet.`,
  afresh: 'Neu anmelden',
  toOverview: 'Zurück zur Übersicht',
  toProviders: 'Anbieter zeigen',

  canceledTitle: 'Abgebrochen. Nichts wurde gespeichert.',
  canceledText: 'Eine frühere Anmeldung ist, wie sie war.',
  showSession: 'Diese Anmeldung zeigen',
  refusals: {
    login_running: (name) => `Eine Anmeldung bei ${name} ist offen. Schließen Sie sie erst ab oder brechen Sie sie ab.`,
    sign_in_open: (name) => `Eine Anmeldung bei ${name} ist offen. Schließen Sie sie erst ab oder brechen Sie sie ab.`,
    install_running: (name) => `${name} wird gerade installiert. Warten Sie, bis es da ist.`,
    session_over: () => 'Sie ist inzwischen zu Ende. Beginnen Sie neu.',
    unknown_method: () => 'Ihr Room bietet diesen Weg nicht mehr an. Laden Sie die Seite neu.',
    unknown_provider: () => 'Ihr Room kennt ihn nicht mehr. Laden Sie die Seite neu.',
    key_not_stored: () => 'Schaffen Sie Platz oder prüfen Sie, wer dort schreiben darf, und versuchen Sie es dann erneut.',
    key_not_removed: () => 'Er ist noch da. Versuchen Sie es erneut.',
    key_injected: () => 'Nehmen Sie ihn aus den Einstellungen des Rooms und starten Sie den Room neu.',
    not_installable: () => 'Installieren Sie es selbst und prüfen Sie dann erneut.',
    stopping: () => 'Warten Sie, bis er wieder da ist, und versuchen Sie es dann erneut.',
  },
  exit: (code) => `Exit-Code ${code}`,
  beginning: 'Startet…',

  actions: {
    newCode: 'Neuen Code holen',
    newLink: 'Neuen Link holen',
    again: 'Neu beginnen',
    openSetting: 'Einstellung öffnen',
    otherWays: 'Anders anmelden',
    copyForAdmin: 'Notiz für den Admin kopieren',
    copyDetails: 'Details kopieren',
  },
  failures: {
    not_installed: (name) => ({
      title: `${name} ist auf diesem Room nicht installiert.`,
      next: 'Installieren Sie es auf dem Rechner des Rooms und prüfen Sie dann erneut.',
    }),
    too_old: (name) => ({
      title: `Das Programm ${name} auf diesem Room ist für diese Anmeldung zu alt.`,
      next: 'Aktualisieren Sie es und beginnen Sie dann neu.',
    }),
    no_answer: (name) => ({
      title: `${name} hat nicht geantwortet.`,
      next: 'Beginnen Sie neu. Bleibt es still, blockiert es vielleicht das Netz des Rooms.',
    }),
    network: (name) => ({
      title: `Ihr Room konnte die Server von ${name} nicht erreichen.`,
      next: 'Prüfen Sie das Netz des Rooms und beginnen Sie dann neu.',
    }),
    device_codes_off: () => ({
      title: 'ChatGPT hat abgelehnt: Gerätecodes sind für dieses Konto ausgeschaltet.',
      next: 'Schalten Sie sie in den Einstellungen von ChatGPT ein und holen Sie einen neuen Code. In einem Workspace kann das nur ein Admin.',
    }),
    expired: () => ({ title: 'Die Zeit für diese Anmeldung ist um.', next: 'Holen Sie eine neue. Nichts wurde gespeichert.' }),
    timeout: () => ({ title: 'Die Zeit für diese Anmeldung ist um.', next: 'Holen Sie eine neue. Nichts wurde gespeichert.' }),
    refused: (name) => ({
      title: `${name} hat die Anmeldung abgelehnt.`,
      next: 'Sie wurde nicht bestätigt, oder der Code war unvollständig, gebraucht oder alt. Holen Sie einen neuen.',
    }),
    rate_limited: (name) => ({ title: `${name} sagt: zu viele Versuche.`, next: 'Warten Sie ein paar Minuten und beginnen Sie dann neu.' }),
    program_died: (name) => ({
      title: `${name} hat vor dem Ende der Anmeldung aufgehört.`,
      next: 'Beginnen Sie neu. Die letzten Zeilen stehen unten.',
    }),
    launch_failed: (name) => ({
      title: `Ihr Room konnte ${name} nicht starten.`,
      next: 'Prüfen Sie, ob das Programm auf dem Rechner des Rooms läuft, und beginnen Sie dann neu.',
    }),
    not_signed_in: (name) => ({
      title: `${name} ist fertig, sagt aber, es sei nicht angemeldet.`,
      next: 'Beginnen Sie neu. Geschieht es zweimal, kopieren Sie die Details.',
    }),
    canceled: () => ({ title: 'Abgebrochen. Nichts wurde gespeichert.', next: 'Beginnen Sie neu, wann Sie möchten.' }),
    server_restarted: () => ({ title: 'Ihr Room ist während der Anmeldung neu gestartet.', next: 'Nichts wurde gespeichert. Beginnen Sie neu.' }),
    cannot_store: () => ({
      title: 'Ihr Room konnte die Anmeldung nicht speichern.',
      next: 'Schaffen Sie Platz oder prüfen Sie, wer dort schreiben darf, und beginnen Sie dann neu.',
    }),
    policy: (name) => ({
      title: `Ihr Workspace erlaubt diese Anmeldung bei ${name} nicht.`,
      next: 'Das kann nur ein Admin des Workspace ändern. Vielleicht steht Ihnen ein anderer Weg offen.',
    }),
    unrecognised: (name) => ({
      title: `${name} hat auf eine Art geendet, die dieser Room nicht kennt.`,
      next: 'Kopieren Sie die Details für eine Meldung, beginnen Sie neu oder melden Sie sich anders an.',
    }),
  },
  adminNote: (name) =>
    `Ich wollte mich von unserem Room aus bei ${name} anmelden, und unser Workspace erlaubt es nicht. ` +
    'Können Sie es erlauben oder mir sagen, welche Anmeldung ich stattdessen nehmen soll?',
};
