// The words on a Room that does not answer.

export const offline = {
  title: 'Your Room does not answer.',
  local: 'Start it with this command on its machine. This page comes back by itself.',
  hosted: 'It may be starting or cut off. This page comes back by itself.',
  again: 'This page goes on asking.',
  heard: (ago: string) => `Last heard of it: ${ago}.`,
  tryNow: 'Try now',
};
