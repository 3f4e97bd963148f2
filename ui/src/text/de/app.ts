import type { app as en } from '../en/app';

export const app: typeof en = {
  title: 'Ihren Room griffbereit haben',
  card: 'App',
  why: 'Als App öffnet er sich vom Startbildschirm oder Dock in einem eigenen Fenster und sagt Ihnen, wenn Ihr Room fort ist.',
  install: 'App installieren',
  steps: [
    'Tippen Sie auf „Teilen“, das Quadrat mit dem Pfeil.',
    'Wählen Sie „Zum Home-Bildschirm“ und lassen Sie „Als Web-App öffnen“ eingeschaltet.',
    'Öffnen Sie die App dort und koppeln Sie sie einmal: Wählen Sie hier unter „Zugang“ „Gerät hinzufügen“ und tippen Sie den Code in der App ein.',
  ],
  dismiss: 'Nicht mehr zeigen',
  installed: (name) => `${name} ist installiert: Das ist die App.`,
  cannot: 'Dieser Browser bietet gerade keine Installation an. In seinem Menü steht vielleicht „Installieren“ oder „Zum Dock hinzufügen“.',
};
