// Images for the playground: chosen, dropped or pasted. They stay in this tab as data: URLs until
// they are sent.

import { find, make } from "./dom.js";
import { bytes, counted } from "./format.js";

const BYTES_MAX = 20 << 20;
const COUNT_MAX = 100;

export function makeImages() {
  const held = { query: [], documents: [] };
  let picking = "documents";

  const zone = (name) => document.querySelector(`[data-drop="${name}"]`);

  async function add(name, files) {
    const images = [...files].filter((file) => file.type.startsWith("image/"));
    const refused = images.filter((file) => file.size > BYTES_MAX);
    if (refused.length > 0) {
      say(`${refused[0].name} has ${bytes(refused[0].size)}; the page takes ${bytes(BYTES_MAX)}.`);
    }
    for (const file of images.filter((each) => each.size <= BYTES_MAX)) {
      const url = await read(file);
      // A query has one.
      if (name === "query") held.query.length = 0;
      if (held[name].length >= COUNT_MAX) break;
      held[name].push({ name: file.name || "pasted image", url });
    }
    show(name);
    if (images.length > 0) say(`${counted(held[name].length, "image")} ${name === "query" ? "in the query" : "among the documents"}.`);
    return images.length > 0;
  }

  const read = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });

  const say = (text) => document.dispatchEvent(new CustomEvent("say", { detail: text }));

  function show(name) {
    document.querySelector(`[data-images="${name}"]`).replaceChildren(
      ...held[name].map((image, index) => make("li", {},
        make("img", { src: image.url, alt: image.name }),
        make("button", {
          type: "button", "aria-label": `Remove ${image.name}`, text: "✕", onclick: () => {
            held[name].splice(index, 1);
            show(name);
            document.querySelector(`[data-pick="${name}"]`).focus();
          },
        }))));
  }

  for (const name of Object.keys(held)) {
    const area = zone(name);
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      area.dataset.over = "";
    });
    area.addEventListener("dragleave", () => delete area.dataset.over);
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      delete area.dataset.over;
      add(name, event.dataTransfer.files);
    });
    area.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      add(name, event.clipboardData.files);
    });
    document.querySelector(`[data-pick="${name}"]`).addEventListener("click", () => {
      picking = name;
      find("image-file").click();
    });
  }
  find("image-file").addEventListener("change", (event) => {
    add(picking, event.target.files);
    event.target.value = "";
  });

  return { of: (name) => held[name] };
}
