// Undo and redo are the browser's history: every setting that is chosen is a new address.
let stop = () => {};

// Streamlit opens a page under its bare address, before the page writes its settings there: both are one step. And when
// Back is pressed twice, the run of the first press must not take the browser to its page again.
function joinSteps() {
  if (window.camvizJoinsSteps) return;
  window.camvizJoinsSteps = true;
  const push = history.pushState;
  let opened = false; // whether this is a bare address whose settings are on their way
  let returned = false; // whether Back or Forward came last, and no click or key since
  history.pushState = function(state, title, address) {
    const next = new URL(address, location.href), other = next.pathname !== location.pathname;
    if (other && returned) return;
    const step = opened && !other ? history.replaceState : push;
    opened = other && !next.search;
    step.call(history, state, title, address);
  };
  for (const kind of ['pointerdown', 'keydown', 'click', 'popstate'])
    window.addEventListener(kind, () => { opened = false; returned = kind === 'popstate'; }, true);
}

export default function({ data, parentElement }) {
  joinSteps();
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
