import { notes as en } from './en/notes';
import { words } from './words';

export const w = words('notes', en);
