import { copy as en } from './en/copy';

export const w: typeof en = en;
