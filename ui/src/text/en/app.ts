// The words on installing the page as an app.

export const app = {
  title: 'Keep your Room at hand',
  card: 'App',
  why: 'As an app it opens from your home screen or dock, in a window of its own, and tells you when your Room is away.',
  install: 'Install the app',
  steps: [
    'Tap Share, the square with the arrow.',
    'Choose “Add to Home Screen”, and keep “Open as Web App” on.',
    'Open it from there and pair it once: here, under Access, choose “Add a device”, and type that code in the app.',
  ],
  dismiss: 'Do not show this again',
  installed: (name: string) => `${name} is installed: this is the app.`,
  cannot: 'This browser offers no installation now. In its menu there may be “Install” or “Add to Dock”.',
};
