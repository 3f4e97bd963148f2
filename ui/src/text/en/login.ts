// The words of a sign-in: its screen, how it can end, what to do then.
//
// Short sentences, no blame, and the actor has a name: "ChatGPT refused", "your Room could not reach".

export const login = {
  login: {
    title: (name: string) => `Connect ${name}`,
    back: 'Providers',
    unknown: 'This Room has no such provider.',
    steps: ['Start sign-in on the Room', 'Approve in your browser', 'Store the sign-in', 'Check that it works'],
    stepsLabel: 'Progress',
    stepSaid: (index: number, label: string) => `Step ${index} of 4: ${label}`,
    begin: 'Start sign-in',
    beginCode: 'Get a code',
    beginLink: 'Get a sign-in link',
    beginning: 'Starting…',
    otherWays: 'Other ways to sign in',
    agreeText: (name: string) => `If this sign-in then fails or is cancelled, ${name} stays signed out.`,
    agree: 'Sign out first, then sign in',
    stillConnected: (name: string) => `${name} is connected now. That sign-in stays until the new one is complete.`,
    joined: (time: string, by: string | null) =>
      by === null ? `This sign-in was started at ${time}.` : `This sign-in was started at ${time} by ${by}.`,

    preparing: 'Starting the sign-in on your Room',
    preparingText: (name: string) => `${name} is asking for a sign-in. This takes a few seconds.`,
    stillWaiting: 'Your Room keeps waiting. You can wait too, or start again.',
    lookAtOutput: 'Look at the live output below. You can start again.',
    startAgain: 'Start again',

    yourCode: 'Your code',
    copyCode: 'Copy code',
    tapToCopy: 'Tap the code to copy it.',
    codeCopied: 'Code copied.',
    expires: (time: string) => `It expires in ${time}.`,
    timeLeft: (time: string) => `This sign-in expires in ${time}.`,
    timeSaid: { 5: 'Five minutes left.', 1: 'One minute left.', 0: 'The time is up.' } as Record<5 | 1 | 0, string>,
    copyAndOpen: (host: string) => `Copy code and open ${host}`,
    open: (host: string) => `Open ${host}`,
    copyLink: 'Copy link',
    linkCopied: 'Link copied',
    showQr: 'Show QR code',
    hideQr: 'Hide QR code',
    onPhone: 'On your phone instead',
    scanCode: 'Scan, then type the code:',
    scanLink: 'Scan, sign in there, then paste the code here.',
    qrAlt: (address: string) => `QR code of ${address}`,
    phishing: (host: string) => `Only enter this code if you started this sign-in yourself, and only on ${host}.`,
    noLink: 'The Room saw no sign-in address it can vouch for. Look at the live output below.',
    strangeLink: 'This address is not on the provider’s list. Do not type a password there unless you know it:',
    codesOff: 'The page says device codes are turned off?',

    signIn: '1. Sign in',
    signInText: 'Approve the sign-in there. You get a code at the end.',
    pasteTitle: '2. Paste the code you get',
    pasteLabel: 'Code from the sign-in page',
    pasteAddressTitle: '2. Paste the address you land on',
    pasteAddressLabel: 'Address of the last page',
    pasteButton: 'Paste',
    pasteHelp: 'Spaces and line breaks are removed for you.',
    pasteBlocked: 'Your browser did not allow it. Hold the field and choose Paste.',
    asksAgain: (words: string) => `The program says: ${words}`,
    finish: 'Finish sign-in',
    finishing: 'Checking the code…',
    notAsked: (name: string) => `${name} is not asking for a code right now.`,
    storing: 'Your Room is storing the sign-in.',
    verifying: (name: string) => `Your Room is asking ${name} whether it works.`,
    doubts: {
      address: 'This is a web address without a code in it. You can send it all the same.',
      short_digits:
        'This looks like a verification code from an e-mail or phone. The code here is longer and has a # in the middle.',
      no_hash: 'The code usually has a # in the middle. Check that you copied all of it.',
    },
    pasteAgain: 'Paste another code, or get a new link.',

    output: 'Live output',
    lines: (count: number) => (count === 1 ? '1 line' : `${count} lines`),
    dropped: (count: number) => `${count} earlier lines are not kept.`,
    noOutput: 'Nothing printed yet.',
    copyAll: 'Copy all',
    newest: 'Jump to newest',

    cancel: 'Cancel sign-in',
    cancelling: 'Cancelling…',

    doneTitle: (name: string) => `${name} is connected`,
    doneAs: (account: string) => `Signed in as ${account}.`,
    doneText: (name: string) => `${name} itself confirmed the sign-in.`,
    afresh: 'Sign in again',
    toOverview: 'Back to overview',
    toProviders: 'Show providers',

    canceledTitle: 'Cancelled. Nothing was stored.',
    canceledText: 'An earlier sign-in, if there was one, is as it was.',
    exit: (code: number) => `Exit code ${code}`,
  },
  actions: {
    newCode: 'Get a new code',
    newLink: 'Get a new link',
    again: 'Start again',
    checkInstall: 'Check again',
    openSetting: 'Open the setting',
    copyForAdmin: 'Copy a note for your admin',
    copyDetails: 'Copy details',
  },
  failures: {
    not_installed: (name: string) => ({
      title: `${name} is not installed on this Room.`,
      next: 'Install it on the Room’s machine, then check again.',
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
      next: 'Only an admin of the workspace can change that.',
    }),
    unrecognised: (name: string) => ({
      title: `${name} ended in a way this Room does not know.`,
      next: 'Copy the details for a report, or start again.',
    }),
  } as Record<string, (name: string) => { title: string; next: string }>,
  adminNote: (name: string) =>
    `I tried to sign in to ${name} from our Room with a device code, and our workspace does not allow it. ` +
    'Could you allow it, or tell me which sign-in I should use instead?',
};
