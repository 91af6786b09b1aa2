// What scrolls sideways must be reachable without a mouse.
const SCROLLING = 'pre, .katex-display';
export default function({ data }) {
  document.documentElement.lang = data.language;
  let asked = 0;
  const look = () => {
    for (const box of document.querySelectorAll(SCROLLING)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute('tabindex');
    }
  };
  const reach = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(look); };
  const seen = new MutationObserver(reach);
  const main = document.querySelector('[data-testid=stMain]') || document.body;
  seen.observe(main, { childList: true, subtree: true });
  window.addEventListener('resize', reach);
  reach();
  return () => { seen.disconnect(); window.removeEventListener('resize', reach); };
}
