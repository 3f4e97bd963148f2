import { answer as en } from './en/answer';
import { words } from './words';

export const w = words('answer', en);
