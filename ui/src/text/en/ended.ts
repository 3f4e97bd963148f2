// The words of how a sign-in or an install can end, and what to do then.
//
// Short sentences, no blame, and the actor has a name: "ChatGPT refused", "your Room could not reach".

export const ended = {
  agreeText: (name: string) => `If this sign-in then fails or is cancelled, ${name} stays signed out.`,
  agree: 'Sign out first, then sign in',
  stillWaiting: 'Your Room keeps waiting. You can wait too, or start again.',
  lookAtOutput: 'Look at what it shows below. You can start again.',
  startAgain: 'Start again',
  pasteAgain: 'Paste another, or get a new link.',

  doneTitle: (name: string) => `${name} is connected`,
  doneAs: (account: string) => `Signed in as ${account}.`,
  doneText: (name: string) => `${name} itself confirmed the sign-in.`,
  tokenTitle: (name: string) => `Your Room has a long-lived token for ${name}`,
  tokenText: (last4: string) => `It ends in ${last4}. Nobody sees it again, and Room gives it only to the programs it starts.`,
  afresh: 'Sign in again',
  toOverview: 'Back to overview',
  toProviders: 'Show providers',

  canceledTitle: 'Cancelled. Nothing was stored.',
  canceledText: 'An earlier sign-in, if there was one, is as it was.',
  showSession: 'Show that sign-in',
  /** What to do next after a request that was refused. */
  refusals: {
    login_running: (name: string) => `A sign-in to ${name} is open. Finish or cancel it first.`,
    sign_in_open: (name: string) => `A sign-in to ${name} is open. Finish or cancel it first.`,
    install_running: (name: string) => `${name} is being installed. Wait until it is there.`,
    session_over: () => 'It has ended meanwhile. Start again.',
    unknown_method: () => 'Your Room does not offer this way any more. Reload the page.',
    unknown_provider: () => 'Your Room does not know it any more. Reload the page.',
    key_not_stored: () => 'Free some space or check who may write there, then try again.',
    key_not_removed: () => 'It is still there. Try again.',
    key_injected: () => 'Take it out of the Room’s settings and restart the Room.',
    not_installable: () => 'Install it yourself, then check again.',
    stopping: () => 'Wait until it is back, then try again.',
  } as Record<string, (name: string) => string>,
  exit: (code: number) => `Exit code ${code}`,
  beginning: 'Starting…',

  actions: {
    newCode: 'Get a new code',
    newLink: 'Get a new link',
    again: 'Start again',
    openSetting: 'Open the setting',
    otherWays: 'Sign in another way',
    copyForAdmin: 'Copy a note for your admin',
    copyDetails: 'Copy details',
  },
  failures: {
    not_installed: (name: string) => ({
      title: `${name} is not installed on this Room.`,
      next: 'Install it on the Room’s machine, then check again.',
    }),
    too_old: (name: string) => ({
      title: `The ${name} program on this Room is too old for this sign-in.`,
      next: 'Update it, then start again.',
    }),
    no_answer: (name: string) => ({
      title: `${name} did not answer.`,
      next: 'Start again. If it stays silent, the Room’s network may block it.',
    }),
    network: (name: string) => ({
      title: `Your Room could not reach the ${name} servers.`,
      next: 'Check the network of the Room’s machine, then start again.',
    }),
    device_codes_off: () => ({
      title: 'ChatGPT refused: device codes are turned off for this account.',
      next: 'Turn them on in the ChatGPT settings, then get a new code. In a workspace only an admin can.',
    }),
    expired: () => ({
      title: 'The time for this sign-in is over.',
      next: 'Get a new one. Nothing was stored.',
    }),
    timeout: () => ({
      title: 'The time for this sign-in is over.',
      next: 'Get a new one. Nothing was stored.',
    }),
    refused: (name: string) => ({
      title: `${name} refused the sign-in.`,
      next: 'It was declined, or the code was incomplete, used or old. Get a new one.',
    }),
    rate_limited: (name: string) => ({
      title: `${name} says: too many tries.`,
      next: 'Wait a few minutes, then start again.',
    }),
    program_died: (name: string) => ({
      title: `${name} stopped before the sign-in was complete.`,
      next: 'Start again. Its last lines are below.',
    }),
    launch_failed: (name: string) => ({
      title: `Your Room could not start ${name}.`,
      next: 'Check that the program works on the Room’s machine, then start again.',
    }),
    not_signed_in: (name: string) => ({
      title: `${name} finished, but says that it is not signed in.`,
      next: 'Start again. If it happens twice, copy the details.',
    }),
    canceled: () => ({ title: 'Cancelled. Nothing was stored.', next: 'Start again when you like.' }),
    server_restarted: () => ({
      title: 'Your Room restarted during the sign-in.',
      next: 'Nothing was stored. Start again.',
    }),
    cannot_store: () => ({
      title: 'Your Room could not store the sign-in.',
      next: 'Free some space or check who may write there, then start again.',
    }),
    policy: (name: string) => ({
      title: `Your workspace does not allow this sign-in to ${name}.`,
      next: 'Only an admin of the workspace can change that. Another way to sign in may be open to you.',
    }),
    unrecognised: (name: string) => ({
      title: `${name} ended in a way this Room does not know.`,
      next: 'Copy the details for a report, start again, or sign in another way.',
    }),
  } as Record<string, (name: string) => { title: string; next: string }>,
  adminNote: (name: string) =>
    `I tried to sign in to ${name} from our Room, and our workspace does not allow it. ` +
    'Could you allow it, or tell me which sign-in I should use instead?',
};
