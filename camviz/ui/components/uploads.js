// Keeps a popover open until a file in it has arrived, because closing it would cancel the upload.
{
  const ARRIVING = '[data-testid=stFileChip] button[aria-label^="Cancel upload"]';
  const keepOpen = (event) => {
    const box = document.querySelector(ARRIVING)?.closest('[data-testid=stPopoverBody]');
    if (box && (event.type === 'keydown' ? event.key === 'Escape' : !box.contains(event.target)))
      event.stopImmediatePropagation();
  };
  for (const kind of ['pointerdown', 'click', 'keydown']) window.addEventListener(kind, keepOpen, true);
}
