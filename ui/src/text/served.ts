import { served as en } from './en/served';
import { words } from './words';

export const w = words('served', en);
