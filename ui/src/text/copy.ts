import { copy as en } from './en/copy';
import { words } from './words';

export const w = words('copy', en);
