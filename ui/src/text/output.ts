import { output as en } from './en/output';
import { words } from './words';

export const w = words('output', en);
