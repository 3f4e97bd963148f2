// What the Room's own rows say of providers, so that another language can say it: the text is its own name.
// A row that is not here is shown as it came.

export const served: Record<string, string> = {
  'Claude plan or API key': 'Claude plan or API key',
  'ChatGPT plan or API key': 'ChatGPT plan or API key',
  'Copilot plan': 'Copilot plan',
  'Google account': 'Google account',
  'GitHub account': 'GitHub account',
  'Sign in with your Claude plan': 'Sign in with your Claude plan',
  'Sign in with Anthropic Console billing': 'Sign in with Anthropic Console billing',
  "Sign in with your company's single sign-on": "Sign in with your company's single sign-on",
  'Get a token that lasts a year': 'Get a token that lasts a year',
  'Sign in with ChatGPT': 'Sign in with ChatGPT',
  'Sign in with ChatGPT, without a device code': 'Sign in with ChatGPT, without a device code',
  'Sign in with GitHub': 'Sign in with GitHub',
  'Sign in with Google': 'Sign in with Google',
  'Anthropic API key': 'Anthropic API key',
  'OpenAI API key': 'OpenAI API key',
  'Token from claude setup-token': 'Token from claude setup-token',
  'Open the link and sign in': 'Open the link and sign in',
  'Enter the code shown here': 'Enter the code shown here',
  'Approve, and come back': 'Approve, and come back',
  'Copy the code the page shows': 'Copy the code the page shows',
  'Paste it here': 'Paste it here',
  'Copy the address of the page that does not load': 'Copy the address of the page that does not load',
  'Device codes must be turned on: in ChatGPT, Settings, Security, “Enable device code authorization for Codex”. In a workspace only an admin can.': 'Device codes must be turned on: in ChatGPT, Settings, Security, “Enable device code authorization for Codex”. In a workspace only an admin can.',
};
