// The providers of the fake Room: the rows as the real Room sends them, and how each stands at first.

export function iso(ms) {
  return new Date(ms).toISOString();
}

export const TABLE = [
  {
    id: 'codex',
    name: 'Codex',
    plans: 'ChatGPT plan or API key',
    shown: 'always',
    prerequisite: {
      text: 'Device codes must be turned on: in ChatGPT, Settings, Security, “Enable device code authorization for Codex”. In a workspace only an admin can.',
      url: 'https://chatgpt.com/#settings/Security',
    },
    methods: [
      {
        id: 'device',
        label: 'Sign in with ChatGPT',
        kind: 'device_code',
        steps: ['Open the link and sign in', 'Enter the code shown here', 'Approve, and come back'],
        primary: true,
        takesEmail: false,
      },
      {
        id: 'browser',
        label: 'Sign in with ChatGPT, without a device code',
        kind: 'pasted_callback',
        steps: ['Open the link and sign in', 'Copy the address of the page that does not load', 'Paste it here'],
        primary: false,
        takesEmail: false,
      },
    ],
    keys: [{ id: 'api_key', label: 'OpenAI API key', format: 'sk-…' }],
    hosts: ['auth.openai.com'],
    removes: ['~/.codex/auth.json'],
    install: { command: 'npm install -g @openai/codex@0.169.0', version: '0.169.0', byRoom: true },
  },
  {
    id: 'claude',
    name: 'Claude',
    plans: 'Claude plan or API key',
    shown: 'always',
    prerequisite: null,
    methods: [
      {
        id: 'subscription',
        label: 'Sign in with your Claude plan',
        kind: 'pasted_code',
        steps: ['Open the link and sign in', 'Copy the code the page shows', 'Paste it here'],
        primary: true,
        takesEmail: false,
      },
      { id: 'console', label: 'Sign in with Anthropic Console billing', kind: 'pasted_code', steps: [], primary: false, note: 'Billed by use.' },
      { id: 'sso', label: 'Sign in with your company’s single sign-on', kind: 'pasted_code', steps: [], primary: false, takesEmail: true },
      { id: 'setup_token', label: 'Get a token that lasts a year', kind: 'pasted_code', steps: [], primary: false, yields: 'token' },
    ],
    keys: [
      { id: 'api_key', label: 'Anthropic API key', format: 'sk-ant-api03-…' },
      { id: 'token', label: 'Token from claude setup-token', format: 'sk-ant-oat01-…' },
    ],
    hosts: ['claude.com', 'platform.claude.com', 'claude.ai'],
    removes: ['~/.claude/.credentials.json', 'oauthAccount in ~/.claude.json'],
    install: { command: 'npm install -g @anthropic-ai/claude-code@2.1.329', version: '2.1.329', byRoom: true },
  },
];

/** A row of a program that is only shown where it is installed; `POST /fake {"more": true}` installs it. */
export const GH = {
  id: 'gh',
  name: 'GitHub',
  plans: 'GitHub account',
  shown: 'installed',
  prerequisite: null,
  methods: [
    {
      id: 'web',
      label: 'Sign in with GitHub',
      kind: 'device_code',
      steps: ['Open the link', 'Enter the code shown here'],
      primary: true,
      takesEmail: false,
    },
  ],
  keys: [],
  hosts: ['github.com'],
  removes: ['~/.config/gh/hosts.yml'],
  install: { command: 'sudo apt install gh', version: null, byRoom: false },
};

export function status(more = {}) {
  return {
    installed: true,
    version: null,
    versionNote: null,
    updateAvailable: false,
    tooOld: false,
    connected: false,
    method: null,
    account: null,
    plan: null,
    expiresAt: null,
    checkedAt: iso(Date.now() - 90_000),
    error: null,
    requestedAt: null,
    disconnectedAt: null,
    authSession: null,
    installSession: null,
    apiKey: null,
    ...more,
  };
}

export function storedKey(kind, key, storage, more = {}) {
  return {
    kind,
    last4: key.slice(-4),
    storedAt: iso(Date.now()),
    storage,
    source: 'person',
    checkedAt: null,
    valid: null,
    ...more,
  };
}
