import { offline as en } from './en/offline';
import { words } from './words';

export const w = words('offline', en);
