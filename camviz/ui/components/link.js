export default function({ data, parentElement }) {
  const field = parentElement.querySelector('input'), button = parentElement.querySelector('button');
  field.value = data.link;
  field.setAttribute('aria-label', data.label);
  button.textContent = data.copy;
  field.onfocus = () => field.select();
  button.onclick = async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(data.link);
    } catch { // no clipboard but over https and on localhost, or it was denied: the older command copies the selection
      document.execCommand('copy');
    }
    button.textContent = data.copied;
  };
}
