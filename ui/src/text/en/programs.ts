// The words of the providers' part of the settings.

export const programs = {
  title: 'Programs and keys',
  text: 'What your Room signs in with, and where it keeps keys.',
  none: 'not installed',
  current: 'up to date',
  newer: (version: string | null) => (version === null ? 'a newer version is ready' : `${version} is ready`),
  tooOld: 'too old to sign in with',
  key: (name: string, last4: string) => `Key of ${name}, ends in ${last4}`,
  noKeys: 'No keys are kept.',
  manage: 'Manage providers',
};
