import { install as en } from './en/install';

export const w: typeof en = en;
