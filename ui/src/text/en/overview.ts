// The words of the lower half of the first page: the machine, and what happened last.

export const overview = {
  machine: 'Machine',
  cpu: 'CPU',
  memory: 'Memory',
  disk: 'Disk',
  load: (load: string, cores: number) => (cores === 1 ? `Load ${load}, 1 core` : `Load ${load}, ${cores} cores`),
  ofTotal: (used: string, total: string) => `${used} of ${total}`,
  free: (free: string) => `${free} free`,
  ownMemory: (memory: string) => `The Room itself holds ${memory} of memory.`,
  ownData: (data: string) => `Its data takes ${data}.`,
  full: 'Nearly full',
  busy: 'Very busy',
  chart: (name: string, now: string, low: string, high: string) =>
    `${name}: ${now} now, between ${low} and ${high} in the last minutes`,
  unknown: 'This machine does not tell.',
  recent: 'Last activity',
  all: 'Show all',
  none: 'Nothing has happened yet.',
};
