import { ended as en } from './en/ended';

export const w: typeof en = en;
