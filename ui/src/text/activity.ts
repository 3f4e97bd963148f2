import { activity as en } from './en/activity';

export const w: typeof en = en;
