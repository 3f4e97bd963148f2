// The words of getting a provider's program onto the Room, and of keeping it up to date.

export const install = {
  missing: (name: string) => `The ${name} program is not installed on this Room.`,
  tooOld: (name: string, version: string | null) =>
    version === null
      ? `The ${name} program on this Room is too old to sign in with.`
      : `The ${name} program on this Room (${version}) is too old to sign in with.`,
  byRoom: 'Your Room downloads it into a folder of its own and checks it. Nothing else on the machine changes.',
  install: (name: string, version: string | null) => (version === null ? `Install ${name}` : `Install ${name} ${version}`),
  update: (name: string, version: string | null) => (version === null ? `Update ${name}` : `Update ${name} to ${version}`),
  starting: 'Starting…',
  yourself: 'Install it yourself',
  updateYourself: 'Update it yourself',
  command: 'Run this on the Room’s machine, then check again:',
  checkAgain: 'Check again',
  checking: 'Checking…',

  stepsLabel: 'Progress of the install',
  steps: ['Download', 'Unpack', 'Check that it runs'],
  stepSaid: (index: number, label: string) => `Step ${index} of 3: ${label}`,
  running: (name: string, version: string | null) => (version === null ? `Installing ${name}` : `Installing ${name} ${version}`),
  downloaded: (done: string, all: string) => `Downloaded ${done} of ${all} MB`,
  joined: (time: string, by: string | null) => (by === null ? `Started at ${time}.` : `Started at ${time} by ${by}.`),
  cancel: 'Cancel',
  cancelling: 'Cancelling…',
  done: (name: string) => `${name} is installed.`,
  doneVersion: (name: string, version: string) => `${name} ${version} is installed.`,
  canceled: 'Cancelled. Nothing was installed.',
  copyDetails: 'Copy details',
  notInstallable: (name: string) => `Your Room has no ${name} for this kind of machine.`,

  failures: {
    network: (name: string) => ({
      title: `Your Room could not download ${name}.`,
      next: 'Check the network of the Room’s machine, then try again.',
    }),
    integrity: () => ({
      title: 'What was downloaded is not what the Room expects. It was thrown away.',
      next: 'Try again. If it happens twice, something between your Room and the download changes it: copy the details.',
    }),
    unsupported: (name: string) => ({
      title: `Your Room has no ${name} for this kind of machine.`,
      next: 'Install it yourself with the command below, then check again.',
    }),
    cannot_store: () => ({
      title: 'Your Room could not store the program.',
      next: 'Free some space or check who may write to the Room’s data directory, then try again.',
    }),
    launch_failed: (name: string) => ({
      title: `${name} was downloaded but does not start on this machine.`,
      next: 'What was there before is as it was. Copy the details, or install it yourself.',
    }),
    program_died: (name: string) => ({
      title: `${name} was downloaded but does not run on this machine.`,
      next: 'What was there before is as it was. Copy the details, or install it yourself.',
    }),
    timeout: () => ({ title: 'The download took too long.', next: 'What was there before is as it was. Try again.' }),
    server_restarted: () => ({
      title: 'Your Room restarted during the install.',
      next: 'What was there before is as it was. Try again.',
    }),
    unrecognised: () => ({
      title: 'The install did not work.',
      next: 'What was there before is as it was. Copy the details, or try again.',
    }),
  } as Record<string, (name: string) => { title: string; next: string }>,
};
