import type { denied as en } from '../en/denied';

export const denied: typeof en = {
  title: { activity: 'Verlauf', login: 'Anbieter verbinden' },
  text: {
    activity: 'Wer auf diesem Room was getan hat, sehen seine Eigentümer und Admins.',
    login: 'Anbieter verbinden die Eigentümer und Admins dieses Rooms.',
  },
  role: (role) => `Sie sind als ${role} angemeldet.`,
  roles: { owner: 'Eigentümer', admin: 'Admin', member: 'Mitglied', viewer: 'Betrachter' },
};
