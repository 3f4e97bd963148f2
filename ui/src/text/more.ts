import { more as en } from './en/more';
import { words } from './words';

export const w = words('more', en);
