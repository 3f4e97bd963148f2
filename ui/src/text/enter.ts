import { enter as en } from './en/enter';
import { words } from './words';

export const w = words('enter', en);
