// The words of typing into a program that the Room does not understand.

export const answer = {
  title: 'Answer the program',
  text: (name: string) => `${name} asks something your Room does not know. This is what it shows:`,
  nothing: 'It shows nothing.',
  ownerOnly: 'Only the owner of this Room can answer it.',
  warning: (name: string) =>
    `What you type goes to ${name} as it is, and Enter after it. Type no password here unless ${name} is what asks for it.`,
  understood: 'I understand',
  label: 'Your answer',
  send: 'Send, with Enter',
  enter: 'Only Enter',
  sending: 'Sending…',
  sent: 'Sent.',
  stuck: 'The program has moved on. Look at the screen above.',
  help: 'Up to 512 characters. A letter or number is often all it wants.',
};
