import { output as en } from './en/output';

export const w: typeof en = en;
