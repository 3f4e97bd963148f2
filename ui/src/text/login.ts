import { login as en } from './en/login';

export const w: typeof en = en;
