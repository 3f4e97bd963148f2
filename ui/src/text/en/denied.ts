// The words on a page that is not for everyone.

export const denied = {
  title: { activity: 'Activity', login: 'Connect a provider' },
  text: {
    activity: 'Who did what on this Room is shown to its owners and admins.',
    login: 'Providers are connected by the owners and admins of this Room.',
  },
  role: (role: string) => `You are signed in as ${role}.`,
  roles: { owner: 'an owner', admin: 'an admin', member: 'a member', viewer: 'a viewer' } as Record<string, string>,
};
