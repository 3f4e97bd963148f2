// Where a keyboard on the screen takes half of it, a field and the button that sends it stay in sight.

/** Between what is kept in sight and the edges, in pixels. */
const MARGIN = 12;

function keep(): void {
  const [field, seen] = [document.activeElement, window.visualViewport];
  if (!(field instanceof HTMLInputElement) || !field.classList.contains('field') || seen === null) return;
  const button = field.form?.querySelector('[type=submit]') ?? field;
  const bar = document.querySelector('.top')?.getBoundingClientRect().bottom ?? 0;
  const below = button.getBoundingClientRect().bottom + MARGIN - (seen.offsetTop + seen.height);
  // Where both do not fit, the field is what one looks at.
  const room = field.getBoundingClientRect().top - MARGIN - Math.max(bar, seen.offsetTop);
  const down = Math.min(below, room);
  if (down > 0) scrollBy(0, down);
}

// Also where only what is seen shrinks, and the page does not.
window.visualViewport?.addEventListener('resize', keep);
