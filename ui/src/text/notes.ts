import { notes as en } from './en/notes';

export const w: typeof en = en;
