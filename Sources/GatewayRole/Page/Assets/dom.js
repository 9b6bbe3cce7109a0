// Everything that is shown goes through here. Texts of jobs are strangers' texts: they become text
// nodes and never markup. What did not change is not touched, so that focus, selection and screen
// readers stay where they are while figures move.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `properties` are attributes, but for `on…` listeners and `text`. */
export function make(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function makeSVG(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Makes a parent's children those of `items`, and keeps the nodes of keys that stay. */
export function keyed(parent, items, key, create, update) {
  const known = new Map();
  for (const child of parent.children) known.set(child.dataset.key, child);
  let before = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = known.get(name);
    if (node) known.delete(name);
    else {
      node = create(item);
      node.dataset.key = name;
    }
    update(node, item);
    if (node === before) before = before.nextElementSibling;
    else parent.insertBefore(node, before);
  }
  for (const node of known.values()) node.remove();
}

/**
 * A table whose rows are kept by key. A column is {label, numeric, wide, text(item)} or, for
 * more than a text, {label, create(), update(node, item)}.
 */
export function makeTable(caption, columns, key, empty) {
  const body = make("tbody", { role: "rowgroup" });
  const head = make("tr", { role: "row" });
  for (const column of columns) {
    head.append(
      make("th", {
        scope: "col", role: "columnheader", class: column.numeric ? "number" : null,
        text: column.label,
      }));
  }
  const table = make(
    "table", { role: "table" }, make("caption", { class: "hidden", text: caption }),
    make("thead", { role: "rowgroup" }, head), body);
  const note = make("p", { class: "muted empty", text: empty });
  const create = () => {
    const row = make("tr", { role: "row" });
    for (const column of columns) {
      const cell = make("td", {
        role: "cell", "data-label": column.label,
        class: [column.numeric && "number", column.wide && "wide", column.kind]
          .filter(Boolean).join(" ") || null,
      });
      if (column.create) cell.append(column.create());
      row.append(cell);
    }
    return row;
  };
  const update = (row, item) => {
    columns.forEach((column, index) => {
      const cell = row.children[index];
      if (column.update) column.update(cell.firstElementChild, item);
      else {
        setText(cell, column.text(item));
        if (column.title) setAttribute(cell, "title", column.title(item));
      }
    });
  };
  return {
    node: make("div", {}, table, note),
    show(items) {
      table.hidden = items.length === 0;
      note.hidden = items.length > 0;
      keyed(body, items, key, create, update);
    },
    emptyText(text) { setText(note, text); },
  };
}

/** A mark with a word: never colour alone. */
export function chip(tone, text) {
  return make("span", { class: "chip", "data-tone": tone, text });
}

export function setChip(node, tone, text) {
  setAttribute(node, "data-tone", tone);
  setText(node, text);
}
