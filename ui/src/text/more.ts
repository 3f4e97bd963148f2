import { more as en } from './en/more';

export const w: typeof en = en;
