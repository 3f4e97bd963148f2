import { wipe as en } from './en/wipe';
import { words } from './words';

export const w = words('wipe', en);
