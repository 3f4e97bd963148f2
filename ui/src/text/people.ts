import { people as en } from './en/people';

export const w: typeof en = en;
