// The words of what a hosted Room says above every page.

export const notes = {
  ends: (time: string) => `Your sign-in ends at ${time}.`,
  renew: 'Renew it now',
  renewText: 'A short visit to your control plane, and back to this page.',
  again: 'Pair this browser again before then: on another device, open Access and choose “Add a device”.',
  keysOld: (host: string) => `Your Room has not reached the keys of ${host} for a while.`,
  keysOldText: 'Everyone who is signed in stays signed in. It keeps trying.',
  keysGone: (host: string) => `Your Room cannot check new sign-ins from ${host} right now.`,
};
