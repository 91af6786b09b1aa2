// Commits a text area after a pause in typing, as Ctrl+Enter does: a reload then finds what was written.
const PAUSE = 1000; // milliseconds
let timer = 0;

function typed(event) {
  const area = event.target;
  if (!(area instanceof HTMLTextAreaElement) || event.isComposing) return;
  clearTimeout(timer);
  const enter = { key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true };
  timer = setTimeout(() => area.dispatchEvent(new KeyboardEvent('keydown', enter)), PAUSE);
}

export default function() {
  for (const kind of ['input', 'compositionend']) document.addEventListener(kind, typed);
  return () => { for (const kind of ['input', 'compositionend']) document.removeEventListener(kind, typed); };
}
