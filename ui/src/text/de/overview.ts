import type { overview as en } from '../en/overview';

export const overview: typeof en = {
  machine: 'Rechner',
  cpu: 'CPU',
  memory: 'Speicher',
  disk: 'Platte',
  load: (load, cores) => (cores === 1 ? `Last ${load}, 1 Kern` : `Last ${load}, ${cores} Kerne`),
  ofTotal: (used, total) => `${used} von ${total}`,
  free: (free) => `${free} frei`,
  ownMemory: (memory) => `Der Room selbst belegt ${memory} Arbeitsspeicher.`,
  ownData: (data) => `Seine Daten belegen ${data}.`,
  full: 'Fast voll',
  busy: 'Stark ausgelastet',
  chart: (name, now, low, high) => `${name}: jetzt ${now}, in den letzten Minuten zwischen ${low} und ${high}`,
  unknown: 'Dieser Rechner verrät nichts.',
  recent: 'Zuletzt geschehen',
  all: 'Alles zeigen',
  none: 'Noch ist nichts geschehen.',
};
