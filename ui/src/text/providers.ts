import { providers as en } from './en/providers';

export const w: typeof en = en;
