export default function({ data, parentElement, setStateValue }) {
  const find = name => parentElement.querySelector(name);
  const [base, heat, slider, number] = ['.base', '.heat', 'input', 'output'].map(find);
  base.src = data.base; base.alt = data.alt; heat.src = data.heat;
  find('label span').textContent = data.opacity_label;
  const show = () => { heat.style.opacity = slider.value / 100; number.textContent = slider.value + '%'; };
  slider.value = Math.round(100 * data.opacity);
  slider.oninput = show;
  slider.onchange = () => setStateValue('opacity', slider.value / 100);
  show();
}
