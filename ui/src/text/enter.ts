import { enter as en } from './en/enter';

export const w: typeof en = en;
