import { overview as en } from './en/overview';

export const w: typeof en = en;
