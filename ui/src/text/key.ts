import { key as en } from './en/key';

export const w: typeof en = en;
