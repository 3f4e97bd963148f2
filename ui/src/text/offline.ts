import { offline as en } from './en/offline';

export const w: typeof en = en;
