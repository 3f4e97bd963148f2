import { answer as en } from './en/answer';

export const w: typeof en = en;
