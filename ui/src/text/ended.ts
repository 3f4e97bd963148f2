import { ended as en } from './en/ended';
import { words } from './words';

export const w = words('ended', en);
