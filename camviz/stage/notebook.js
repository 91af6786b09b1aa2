// The stage in a notebook, as anywidget mounts it. In a shadow root, as in the dashboard: its style is not the notebook's.
function render({ model, el }) {
  const host = document.createElement('div'), shadow = host.attachShadow({ mode: 'open' });
  host.dataset.lmSuppressShortcuts = 'true'; // the arrow keys move the pointer, not JupyterLab's selection of cells
  shadow.innerHTML = `<style>${STYLE}</style>${MARKUP}<p class="facts"></p>`;
  shadow.querySelector('.facts').textContent = model.get('facts');
  el.append(host);
  // The look is kept in the widget's state and not sent to the kernel, so a saved notebook opens as it was left.
  const keep = (name, value) => model.set(name, value);
  return showStage({ data: { ...model.get('data'), look: model.get('look') }, parentElement: shadow, setStateValue: keep });
}

export default { render };
