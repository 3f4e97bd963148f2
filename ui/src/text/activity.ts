import { activity as en } from './en/activity';
import { words } from './words';

export const w = words('activity', en);
