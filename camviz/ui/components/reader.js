// What scrolls sideways must be reachable without a mouse; and Streamlit's own words are said in the page's language.
const SCROLLING = 'pre, .katex-display';
const SPEAKING = [
  '[data-testid=stFileUploaderDropzone] p', '[data-testid=stFileUploaderDropzoneInstructions] span',
  '[data-testid=stSkipToContent]', '[data-testid=stCameraInput] button', '[role=listbox] [role=option] span',
].join(', ');
const changed = new Map(); // each text of Streamlit's that was changed, as it was
let stop = () => {}; // what the run before has begun

export default function({ data }) {
  stop();
  document.documentElement.lang = data.language;
  for (const [text, before] of changed) text.nodeValue = before;
  changed.clear();
  const words = Object.entries(data.words).filter(([own, said]) => own !== said);
  const say = (box) => {
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode, before = text.nodeValue;
      for (const [own, said] of words) if (text.nodeValue.includes(own)) text.nodeValue = text.nodeValue.replace(own, said);
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
    if (words.length) document.querySelectorAll(SPEAKING).forEach(say);
  };
  const reach = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(look); };
  const seen = new MutationObserver(reach);
  seen.observe(document.body, { childList: true, subtree: true });
  window.addEventListener('resize', reach);
  reach();
  stop = () => { seen.disconnect(); window.removeEventListener('resize', reach); cancelAnimationFrame(asked); };
  return () => stop();
}
