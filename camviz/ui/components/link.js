export default function({ data, parentElement }) {
  const field = parentElement.querySelector('input'), button = parentElement.querySelector('button');
  field.value = data.link;
  field.setAttribute('aria-label', data.label);
  button.textContent = data.copy;
  field.onfocus = () => field.select();
  button.onclick = async () => {
    field.select();
    // The clipboard is given to https and localhost only; elsewhere the older command copies what is selected.
    if (navigator.clipboard) await navigator.clipboard.writeText(data.link);
    else document.execCommand('copy');
    button.textContent = data.copied;
  };
}
