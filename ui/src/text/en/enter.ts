// The words of a local Room's connect page.

export const enter = {
  title: 'Open your Room',
  reasons: {
    no_code: 'This browser is not signed in yet.',
    code_refused: 'That sign-in link was already used, or it is older than 5 minutes.',
    page_refused: 'The Room refused this page’s address.',
    limited: 'Too many tries. The Room takes no more codes for a moment.',
    unreachable: 'No Room answers at this address.',
    unexpected: 'Something answers at this address, but not as a Room does.',
    ended: 'Your sign-in has ended. That happens whenever the Room restarts.',
    signed_out: 'You are signed out of this Room.',
  },
  // More exact than the reason, where the Room says more.
  codes: {
    code_used: 'That sign-in link was already used.',
    code_expired: 'That sign-in link is older than 5 minutes.',
    code_unknown: 'That sign-in link is not from the Room that runs now.',
  } as Record<string, string>,
  openHere: (address: string) => `Open it at ${address} on the machine where it runs.`,
  wait: (wait: string) => `Try again in ${wait}.`,
  getLink: 'Get a new link',
  getLinkText: 'Run this in a terminal on the machine where your Room runs. It opens the link in your browser.',
  start: 'Start your Room',
  startText: 'Run this in a terminal on the machine where your Room lives. It opens a sign-in link by itself.',
  orCode: 'Link or code',
  orCodeHelp: 'Paste the whole link, or the part after “code=”. It works once, for 5 minutes.',
  enter: 'Sign in',
  entering: 'Signing in…',
  noCode: 'There is no code in this text.',
};
