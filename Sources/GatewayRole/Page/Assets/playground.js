// Query and documents in, a ranking and its costs out: two calls of the public API.

import * as api from "./api.js";
import { makeImages } from "./images.js";
import { find, make, setAttribute, setText } from "./dom.js";
import { count, counted, milliseconds } from "./format.js";
import { showFacts } from "./overview.js";

const EXAMPLE = {
  query: "How do glaciers move?",
  documents: [
    "Ice deforms under its own weight, and slides over its bed where meltwater lubricates it.",
    "A glacier's surface is crossed by crevasses where the ice is stretched.",
    "Glass is made of sand, soda and lime.",
    "Glaciers advance and retreat with snowfall and temperature over decades.",
    "The largest glacier in the Alps is the Aletsch Glacier in Switzerland.",
  ],
};

export function makePlayground() {
  const images = makeImages();
  let catalogue = [];
  let loading = null;
  let running = null;

  // The form.

  const isInBoxes = () => find("rank-form").elements.form.value === "boxes";
  const boxes = () => [...find("rank-boxes").querySelectorAll("textarea")];

  function addBox(text = "") {
    const number = boxes().length + 1;
    const area = make("textarea", { rows: 3, spellcheck: "false" });
    area.value = text;
    const box = make("div", { class: "box" },
      make("label", {}, make("span", { text: `Document ${number}` }), area),
      make("button", {
        type: "button", class: "quiet", text: "Remove", onclick: () => {
          box.remove();
          boxes().forEach((each, index) =>
            setText(each.previousElementSibling, `Document ${index + 1}`));
          find("add-box").focus();
        },
      }));
    find("rank-boxes").append(box);
    return area;
  }

  function switchForm() {
    const inBoxes = isInBoxes();
    if (inBoxes) {
      find("rank-boxes").replaceChildren();
      const lines = texts(find("rank-lines").value.split("\n"));
      for (const line of lines.length > 0 ? lines : ["", ""]) addBox(line);
    } else {
      find("rank-lines").value =
        texts(boxes().map((box) => box.value.replaceAll(/\s*\n\s*/g, " "))).join("\n");
    }
    find("rank-lines").hidden = inBoxes;
    find("rank-boxes").hidden = !inBoxes;
    find("add-box").hidden = !inBoxes;
  }

  const texts = (all) => all.map((text) => text.trim()).filter((text) => text !== "");

  /** The request, and what each of its documents is shown as. */
  function request() {
    const shown = [
      ...texts(isInBoxes() ? boxes().map((box) => box.value) : find("rank-lines").value.split("\n"))
        .map((text) => ({ text, body: text })),
      ...images.of("documents").map(({ name, url }) => ({ text: name, image: url, body: { image: url } })),
    ];
    const text = find("rank-query").value.trim();
    const [picture] = images.of("query");
    const query = !picture ? text : text === "" ? { image: picture.url } : { text, image: picture.url };
    return {
      shown,
      body: {
        model: find("rank-model").value, query, documents: shown.map((document) => document.body),
        over_budget: find("rank-budget").value,
      },
    };
  }

  // What comes of it.

  async function run(isRanking) {
    // Whoever is faster than the list of models means the first of them.
    await loading;
    const { shown, body } = request();
    if (body.query === "" || shown.length === 0) {
      say(body.query === "" ? "A query is missing." : "Documents are missing.", true);
      find(body.query === "" ? "rank-query" : "rank-lines").focus();
      return;
    }
    running?.abort();
    const controller = new AbortController();
    running = controller;
    setAttribute(find("result"), "aria-busy", "true");
    say(isRanking ? "Ranking…" : "Counting…");
    const start = performance.now();
    try {
      const [costs, answer] = await Promise.all([
        api.budget({ ...body, over_budget: body.over_budget === "windows" ? "truncate" : body.over_budget }),
        isRanking ? api.rerank({ ...body, return_documents: false }, controller.signal) : null,
      ]);
      if (running !== controller) return;
      if (isRanking) showRanking(shown, costs, answer, performance.now() - start);
      else showCosts(shown, costs);
    } catch (error) {
      if (error.name === "AbortError") return;
      find("ranking").replaceChildren();
      showFacts(find("result-facts"), []);
      if (error.status === 401) document.dispatchEvent(new Event("token-wanted"));
      say(error.message, true);
    } finally {
      if (running === controller) {
        running = null;
        setAttribute(find("result"), "aria-busy", "false");
      }
    }
  }

  function say(text, isBad = false) {
    setText(find("result-note"), text);
    setAttribute(find("result-note"), "class", isBad ? "bad" : "muted");
  }

  function showRanking(shown, costs, answer, took) {
    const cost = new Map(costs.documents.map((document) => [document.index, document]));
    const scores = answer.results.map((result) => result.relevance_score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    // Raw scores have no bounds of their own: their bars go from the worst to the best.
    const share = (score) =>
      answer.score_kind === "sigmoid" ? score : high > low ? (score - low) / (high - low) : 1;
    const truncated = new Set(answer.truncated_documents ?? []);
    const windowed = new Map((answer.windowed_documents ?? []).map((entry) => [entry.index, entry]));
    find("ranking").replaceChildren(...answer.results.map((result) => {
      const notes = [tokens(cost.get(result.index))];
      if (truncated.has(result.index)) notes.push("shortened");
      const windows = windowed.get(result.index);
      if (windows) notes.push(`best of ${windows.windows} windows is the ${windows.best_window + 1}.`);
      return entry(shown[result.index], result.index, notes, {
        score: result.relevance_score.toFixed(4), share: share(result.relevance_score),
      });
    }), ...(answer.failed_documents ?? []).map((failure) =>
      entry(shown[failure.index], failure.index, [failure.message], null)));
    say(`${counted(answer.results.length, "document")} ranked in ${milliseconds(took)}.`);
    showFacts(find("result-facts"), [
      ["Tokens", `${count(answer.usage.total_tokens)}${answer.usage.estimated ? ", at most" : ""}`],
      ["Model", answer.served_model],
      ["Engine", [answer.engine, answer.precision].filter(Boolean).join(", ")],
      ["Scores", answer.score_kind], ["Job", answer.id],
    ]);
    find("result-title").focus({ preventScroll: window.innerWidth > 900 });
  }

  function showCosts(shown, costs) {
    find("ranking").replaceChildren(...costs.documents.map((document) => entry(
      shown[document.index], document.index,
      document.fits ? [tokens(document), document.truncated ? "would be shortened" : null]
        : [document.message ?? "does not fit"],
      {
        score: document.tokens === undefined ? "–" : count(document.tokens),
        share: Math.min(1, (document.tokens ?? 0) / costs.context_tokens), isCost: true,
        isBad: !document.fits,
      })));
    const refused = costs.documents.filter((document) => !document.fits).length;
    say(refused === 0 ? "Everything fits." : `${counted(refused, "document does", "documents do")} not fit.`,
      refused > 0);
    showFacts(find("result-facts"), [
      ["Tokens", `${count(costs.usage.total_tokens)}${costs.usage.estimated ? ", at most" : ""}`],
      ["Context", `${count(costs.context_tokens)}, ${count(costs.reserved_tokens)} of them for the prompt`],
      ["Counted by", costs.usage.estimated ? "an estimate from above" : "the model's tokenizer"],
    ]);
  }

  const tokens = (cost) => (cost?.tokens === undefined ? null : counted(cost.tokens, "token"));

  function entry(document, index, notes, bar) {
    const node = make("li", {},
      make("div", { class: "rank-line" },
        make("span", { class: "score number", text: bar?.score ?? "–" }),
        make("span", { class: "bar", "data-tone": bar?.isBad ? "bad" : bar?.isCost ? "busy" : "good" }, make("i"))),
      document.image ? make("img", { src: document.image, alt: document.text, class: "thumb" }) : null,
      make("p", { class: "passage", text: document.text }),
      make("small", { class: "muted", text: [`Document ${index + 1}`, ...notes].filter(Boolean).join(" · ") }));
    node.querySelector(".bar i").style.inlineSize = `${Math.max(0.5, (bar?.share ?? 0) * 100)}%`;
    return node;
  }

  // Wiring.

  find("rank-form").addEventListener("submit", (event) => {
    event.preventDefault();
    run(true);
  });
  find("rank-form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run(true);
    }
  });
  for (const radio of find("rank-form").elements.form) radio.addEventListener("change", switchForm);
  find("cost").addEventListener("click", () => run(false));
  find("add-box").addEventListener("click", () => addBox().focus());
  find("example").addEventListener("click", () => {
    find("rank-query").value = EXAMPLE.query;
    find("rank-lines").value = EXAMPLE.documents.join("\n");
    if (isInBoxes()) switchForm();
    find("rank").focus();
  });
  find("rank-model").addEventListener("change", describeModel);

  function describeModel() {
    const model = catalogue.find(({ id }) => id === find("rank-model").value);
    setText(find("model-note"), !model ? "" : [
      `${count(model.context_tokens)} tokens of context`,
      model.images ? "text and images" : "text only",
      model.workers === 0 ? "no worker serves it now" : counted(model.workers, "worker"),
    ].join(" · "));
  }

  async function load() {
    try {
      catalogue = (await api.models()).data;
    } catch (error) {
      say(error.message, true);
      return;
    }
    const select = find("rank-model");
    const chosen = select.value;
    select.replaceChildren(...catalogue.map(({ id }) => make("option", { value: id, text: id })));
    if (catalogue.some(({ id }) => id === chosen)) select.value = chosen;
    describeModel();
  }

  return { load: () => { loading = load(); } };
}
