// Two small pages that are loaded as one.

export { Access } from './access';
export { Settings } from './settings';
