import { setup as en } from './en/setup';
import { words } from './words';

export const w = words('setup', en);
