// The stage in a notebook, mounted by anywidget. A shadow root separates its style from that of the notebook.
function render({ model, el }) {
  const host = document.createElement('div'), shadow = host.attachShadow({ mode: 'open' });
  host.dataset.lmSuppressShortcuts = 'true'; // the arrow keys move the pointer, not JupyterLab's selection of cells
  shadow.innerHTML = `<style>${STYLE}</style>${MARKUP}<p class="facts"></p>`;
  shadow.querySelector('.facts').textContent = model.get('facts');
  el.append(host);
  // The look is kept in the state of the widget, without the kernel, so that a saved notebook opens in the same view.
  const keep = (name, value) => model.set(name, value);
  return showStage({ data: { ...model.get('data'), look: model.get('look') }, parentElement: shadow, setStateValue: keep });
}

export default { render };
