// A provider whole: what its row and its status say beyond what every page needs. Apart from the rest,
// because only the pages about providers load it.

import { fields, flag, list, text, texts, time, type ProviderHead, type StatusHead } from './wire';

export interface Method {
  id: string;
  label: string;
  kind: string;
  steps: string[];
  primary: boolean;
  note: string | null;
  /** An e-mail address may go with it. */
  takesEmail: boolean;
  /** It ends in a long-lived token that the Room keeps, not in a sign-in of the program. */
  yieldsToken: boolean;
}

/** A kind of key that a person may give instead of a sign-in. */
export interface KeyKind {
  id: string;
  label: string;
  /** How one looks, for people: `sk-…`. */
  format: string | null;
}

/** One row of `GET /api/providers`: what a provider is, which does not change while a page is open. */
export interface Provider extends ProviderHead {
  plans: string | null;
  prerequisite: { text: string; url: string | null } | null;
  methods: Method[];
  keys: KeyKind[];
  hosts: string[];
  removes: string[];
  /** How a person installs the program, and whether this Room can. */
  install: { command: string | null; version: string | null; byRoom: boolean };
}

/** A key that the Room has: never the key itself. */
export interface StoredKey {
  kind: string | null;
  last4: string;
  storedAt: number | null;
  storage: string | null;
  /** Given by the Room's settings, not by a person here. */
  injected: boolean;
  checkedAt: number | null;
  valid: boolean | null;
}

/** One entry of `GET /api/providers/status`. */
export interface ProviderStatus extends StatusHead {
  version: string | null;
  versionNote: string | null;
  updateAvailable: boolean;
  method: string | null;
  account: string | null;
  plan: string | null;
  expiresAt: number | null;
  checkedAt: number | null;
  disconnectedAt: number | null;
  key: StoredKey | null;
}

export interface Disconnected {
  ok: boolean;
  status: string;
  removed: string[];
  reason: string | null;
}

/** What a check of a key said; `valid` is null if the provider could not be asked. */
export interface KeyCheck {
  valid: boolean | null;
  detail: string | null;
}

export function readProvider(head: ProviderHead): Provider {
  const { row } = head;
  const prerequisite = fields(row['prerequisite']);
  const prerequisiteText = text(row['prerequisite']) ?? text(prerequisite['text']);
  const install = fields(row['install']);
  return {
    ...head,
    plans: text(row['plans']) ?? (texts(row['plans']).join(', ') || null),
    prerequisite: prerequisiteText === null ? null : { text: prerequisiteText, url: text(prerequisite['url']) },
    methods: list(row['methods']).flatMap(readMethod),
    keys: list(row['keys']).flatMap(readKeyKind),
    hosts: texts(row['hosts']).map((host) => host.toLowerCase()),
    removes: texts(row['removes']),
    install: {
      command: text(install['command']) ?? text(row['install']),
      version: text(install['version']),
      byRoom: install['byRoom'] === true,
    },
  };
}

function readMethod(value: unknown): Method[] {
  const method = fields(value);
  const id = text(method['id']);
  if (id === null) return [];
  return [
    {
      id,
      label: text(method['label']) ?? id,
      kind: text(method['kind']) ?? 'unknown',
      steps: texts(method['steps']),
      primary: method['primary'] === true,
      note: text(method['note']),
      takesEmail: method['takesEmail'] === true,
      yieldsToken: method['yields'] === 'token',
    },
  ];
}

function readKeyKind(value: unknown): KeyKind[] {
  const kind = fields(value);
  const id = text(kind['id']);
  return id === null ? [] : [{ id, label: text(kind['label']) ?? id, format: text(kind['format']) }];
}

export function readStatus(head: StatusHead): ProviderStatus {
  const { row } = head;
  return {
    ...head,
    version: text(row['version']),
    versionNote: text(row['versionNote']),
    updateAvailable: row['updateAvailable'] === true,
    method: text(row['method']),
    account: text(row['account']),
    plan: text(row['plan']),
    expiresAt: time(row['expiresAt']),
    checkedAt: time(row['checkedAt']),
    disconnectedAt: time(row['disconnectedAt']),
    key: readStoredKey(row['apiKey']),
  };
}

function readStoredKey(value: unknown): StoredKey | null {
  const key = fields(value);
  const last4 = text(key['last4']);
  if (last4 === null) return null;
  return {
    kind: text(key['kind']),
    last4,
    storedAt: time(key['storedAt']),
    storage: text(key['storage']),
    injected: key['source'] === 'environment',
    checkedAt: time(key['checkedAt']),
    valid: flag(key['valid']),
  };
}

export function readDisconnected(value: unknown): Disconnected {
  const body = fields(value);
  const status = text(body['status']) ?? (body['ok'] === true ? 'disconnected' : 'failed');
  return {
    ok: body['ok'] === true && status === 'disconnected',
    status,
    removed: texts(body['removed']),
    reason: text(body['detail']) ?? text(body['error']),
  };
}

/** The part about a key of the answer of `verify`; null if there is no key. */
export function readKeyCheck(value: unknown): KeyCheck | null {
  const outer = fields(value)['key'];
  if (typeof outer !== 'object' || outer === null) return null;
  const key = fields(outer);
  return { valid: flag(key['valid']), detail: text(key['detail']) };
}
