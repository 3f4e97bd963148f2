import { setup as en } from './en/setup';

export const w: typeof en = en;
