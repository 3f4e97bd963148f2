import { denied as en } from './en/denied';

export const w: typeof en = en;
