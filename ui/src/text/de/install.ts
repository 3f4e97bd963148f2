import type { install as en } from '../en/install';

export const install: typeof en = {
  missing: (name) => `Das Programm ${name} ist auf diesem Room nicht installiert.`,
  tooOld: (name, version) =>
    version === null
      ? `Das Programm ${name} auf diesem Room ist zu alt, um sich damit anzumelden.`
      : `Das Programm ${name} auf diesem Room (${version}) ist zu alt, um sich damit anzumelden.`,
  byRoom: 'Ihr Room lädt es in einen eigenen Ordner und prüft es. Sonst ändert sich auf dem Rechner nichts.',
  install: (name, version) => (version === null ? `${name} installieren` : `${name} ${version} installieren`),
  update: (name, version) => (version === null ? `${name} aktualisieren` : `${name} auf ${version} aktualisieren`),
  starting: 'Startet…',
  yourself: 'Selbst installieren',
  updateYourself: 'Selbst aktualisieren',
  command: 'Führen Sie das auf dem Rechner des Rooms aus und prüfen Sie dann erneut:',
  checkAgain: 'Erneut prüfen',
  checking: 'Prüft…',

  stepsLabel: 'Fortschritt der Installation',
  steps: ['Laden', 'Auspacken', 'Prüfen, ob es läuft'],
  stepSaid: (index, label) => `Schritt ${index} von 3: ${label}`,
  running: (name, version) => (version === null ? `${name} wird installiert` : `${name} ${version} wird installiert`),
  downloaded: (done, all) => `${done} von ${all} MB geladen`,
  joined: (time, by) => (by === null ? `Gestartet um ${time}.` : `Gestartet um ${time} von ${by}.`),
  cancel: 'Abbrechen',
  cancelling: 'Bricht ab…',
  done: (name) => `${name} ist installiert.`,
  doneVersion: (name, version) => `${name} ${version} ist installiert.`,
  canceled: 'Abgebrochen. Nichts wurde installiert.',
  copyDetails: 'Details kopieren',
  notInstallable: (name) => `Ihr Room hat kein ${name} für diese Art von Rechner.`,

  failures: {
    network: (name) => ({
      title: `Ihr Room konnte ${name} nicht herunterladen.`,
      next: 'Prüfen Sie das Netz des Rooms und versuchen Sie es dann erneut.',
    }),
    integrity: () => ({
      title: 'Das Heruntergeladene ist nicht, was der Room erwartet. Es wurde verworfen.',
      next: 'Versuchen Sie es erneut. Geschieht es zweimal, ändert es jemand unterwegs: Kopieren Sie die Details.',
    }),
    unsupported: (name) => ({
      title: `Ihr Room hat kein ${name} für diese Art von Rechner.`,
      next: 'Installieren Sie es selbst mit dem Befehl unten und prüfen Sie dann erneut.',
    }),
    cannot_store: () => ({
      title: 'Ihr Room konnte das Programm nicht speichern.',
      next: 'Schaffen Sie Platz oder prüfen Sie, wer in den Datenordner des Rooms schreiben darf.',
    }),
    launch_failed: (name) => ({
      title: `${name} wurde heruntergeladen, startet auf diesem Rechner aber nicht.`,
      next: 'Was vorher da war, ist, wie es war. Kopieren Sie die Details oder installieren Sie es selbst.',
    }),
    program_died: (name) => ({
      title: `${name} wurde heruntergeladen, läuft auf diesem Rechner aber nicht.`,
      next: 'Was vorher da war, ist, wie es war. Kopieren Sie die Details oder installieren Sie es selbst.',
    }),
    timeout: () => ({ title: 'Das Herunterladen hat zu lange gedauert.', next: 'Was vorher da war, ist, wie es war. Versuchen Sie es erneut.' }),
    server_restarted: () => ({
      title: 'Ihr Room ist während der Installation neu gestartet.',
      next: 'Was vorher da war, ist, wie es war. Versuchen Sie es erneut.',
    }),
    unrecognised: () => ({
      title: 'Die Installation ist nicht gelungen.',
      next: 'Was vorher da war, ist, wie es war. Kopieren Sie die Details oder versuchen Sie es erneut.',
    }),
  },
};
