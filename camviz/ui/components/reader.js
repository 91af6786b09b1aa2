// Mends Streamlit's own elements: horizontal scroll areas are reachable by keyboard, and texts are translated.
const SCROLLING = 'pre, .katex-display';
const TRANSLATED = [
  '[data-testid=stFileUploaderDropzone] p', '[data-testid=stFileUploaderDropzoneInstructions] span',
  '[data-testid=stSkipToContent]', '[data-testid=stCameraInput] button', '[role=listbox] [role=option] span',
].join(', ');
const changed = new Map(); // Streamlit's texts that were translated, with the original
let stop = () => {}; // ends the observer of the previous run

export default function({ data }) {
  stop();
  document.documentElement.lang = data.language;
  for (const [text, before] of changed) text.nodeValue = before;
  changed.clear();
  const words = Object.entries(data.words).filter(([original, translation]) => original !== translation);
  const translate = (box) => {
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode, before = text.nodeValue;
      for (const [original, translation] of words) {
        if (text.nodeValue.includes(original)) text.nodeValue = text.nodeValue.replace(original, translation);
      }
      if (text.nodeValue !== before) changed.set(text, before);
    }
  };
  let asked = 0;
  const look = () => {
    for (const box of document.querySelectorAll(SCROLLING)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute('tabindex');
    }
    for (const text of changed.keys()) if (!text.isConnected) changed.delete(text);
    if (words.length) document.querySelectorAll(TRANSLATED).forEach(translate);
  };
  const reach = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(look); };
  const seen = new MutationObserver(reach);
  seen.observe(document.body, { childList: true, subtree: true });
  window.addEventListener('resize', reach);
  reach();
  stop = () => { seen.disconnect(); window.removeEventListener('resize', reach); cancelAnimationFrame(asked); };
  return () => stop();
}
