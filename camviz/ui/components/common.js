// Update the children of an element in place, by the ids of their rows, so that the keyboard focus stays where it is.
function updateChildren(box, rows, create, fill) {
  const focused = box.getRootNode().activeElement;
  const present = new Map([...box.children].map(node => [node.dataset.id, node]));
  const wanted = rows.map(row => {
    const node = present.get(String(row.id)) || create(row);
    node.dataset.id = row.id;
    fill(node, row);
    return node;
  });
  for (const node of [...box.children]) if (!wanted.includes(node)) node.remove();
  wanted.forEach((node, place) => { if (box.children[place] !== node) box.insertBefore(node, box.children[place] || null); });
  if (focused && box.contains(focused) && box.getRootNode().activeElement !== focused) focused.focus({ preventScroll: true });
}
function newElement(kind, className) {
  const node = document.createElement(kind);
  if (className) node.className = className;
  return node;
}
function setAttribute(node, attribute, value) {
  if (node.getAttribute(attribute) !== String(value)) node.setAttribute(attribute, value);
}
