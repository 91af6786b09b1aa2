// Undo and redo are the browser's history: every setting that is chosen is a new address.
let stop = () => {};
export default function({ data, parentElement }) {
  const undo = parentElement.querySelector('.undo'), redo = parentElement.querySelector('.redo');
  for (const [button, text, step] of [[undo, data.undo, -1], [redo, data.redo, 1]]) {
    button.title = text;
    button.setAttribute('aria-label', text);
    button.onclick = () => history.go(step);
  }
  const known = window.navigation; // older browsers do not tell what lies before and after
  const show = () => {
    undo.disabled = known ? !known.canGoBack : history.length < 2;
    redo.disabled = known ? !known.canGoForward : false;
  };
  stop();
  show();
  known?.addEventListener('currententrychange', show);
  stop = () => known?.removeEventListener('currententrychange', show);
  return () => stop();
}
