// The figures of the machine: `GET /api/status` with the parts that change from second to second.

import type { Client } from './client';
import { fields, number, time } from './wire';

/** What is unknown is null, never zero. */
export interface Figures {
  /** When the Room looked, by its own clock. */
  at: number | null;
  cores: number | null;
  /** Programs that want to run, averaged over a minute. */
  load: number | null;
  /** Time of all processors since the machine started, in ticks of some length, and how much of it was work. */
  ticks: number | null;
  busyTicks: number | null;
  memoryBytes: number | null;
  availableBytes: number | null;
  /** What the Room itself holds. */
  residentBytes: number | null;
  diskBytes: number | null;
  diskFreeBytes: number | null;
  /** What the Room's own data takes. */
  roomBytes: number | null;
}

export function readFigures(value: unknown): Figures {
  const body = fields(value);
  const resources = fields(body['resources']);
  const storage = fields(body['storage']);
  return {
    at: time(body['generatedAt']),
    cores: number(resources['cores']),
    load: number(resources['load']),
    ticks: number(resources['cpuTicks']),
    busyTicks: number(resources['cpuBusyTicks']),
    memoryBytes: number(resources['memoryBytes']),
    availableBytes: number(resources['availableBytes']),
    residentBytes: number(resources['residentBytes']),
    diskBytes: number(storage['totalBytes']),
    diskFreeBytes: number(storage['freeBytes']),
    roomBytes: number(storage['usedBytes']),
  };
}

export async function figures({ get }: Pick<Client, 'get'>): Promise<Figures> {
  return readFigures(await get('/api/status?parts=resources,storage'));
}
