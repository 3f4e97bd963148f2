import { hosted as en } from './en/hosted';

export const w: typeof en = en;
