import { key as en } from './en/key';
import { words } from './words';

export const w = words('key', en);
