// Puts the page together: who is here, which view is shown, and the poll that feeds it.

import * as api from "./api.js";
import { find, setAttribute, setText } from "./dom.js";
import { clock } from "./format.js";
import { History } from "./history.js";
import { makeJobs } from "./jobs.js";
import { makeOverview } from "./overview.js";
import { makePlayground } from "./playground.js";
import { makeView } from "./view.js";

const PERIOD = 1_500;

const state = {
  session: null, view: null, gateway: null, history: new History(), failuresSeen: null, timer: null,
};

const overview = makeOverview(act);
const jobs = makeJobs(act, () => (state.view?.queues ?? [])
  .filter((queue) => queue.status && !queue.error).map((queue) => queue.shard));
const playground = makePlayground();

// Who is here.

async function enter() {
  let session;
  try {
    session = await api.session();
  } catch (error) {
    say(error.message, true);
    setTimeout(enter, 3_000);
    return;
  }
  if (!session.known) return askForToken(api.token.get() ? "This token is not known here." : "");
  state.session = session;
  find("token-dialog").close();
  find("sign-out").hidden = !api.token.get();
  for (const link of document.querySelectorAll("[data-operator]")) {
    link.hidden = !state.session.operator;
  }
  await route(false);
}

function askForToken(problem) {
  api.token.forget();
  state.session = null;
  clearTimeout(state.timer);
  for (const view of ["overview", "jobs", "playground"]) find(view).hidden = true;
  setText(find("token-error"), problem);
  if (!find("token-dialog").open) find("token-dialog").showModal();
}

find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const secret = find("token").value.trim();
  find("token").value = "";
  // What a header cannot carry is no token.
  if (!/^[\x21-\x7e]+$/.test(secret)) return setText(find("token-error"), "This is no token.");
  api.token.set(secret);
  enter();
});
// Without a token there is nothing behind the dialog.
find("token-dialog").addEventListener("cancel", (event) => event.preventDefault());
find("sign-out").addEventListener("click", () => {
  api.token.forget();
  location.reload();
});
document.addEventListener("token-wanted", () => askForToken("Your token is not known here any more."));

// Which view is shown.

async function route(isNavigation) {
  if (!state.session) return;
  const wanted = location.hash.slice(1);
  const shown = !state.session.operator ? "playground"
    : wanted === "jobs" || wanted === "playground" ? wanted : "overview";
  for (const view of ["overview", "jobs", "playground"]) find(view).hidden = view !== shown;
  for (const link of document.querySelectorAll("nav a")) {
    setAttribute(link, "aria-current", link.hash === `#${shown}` ? "page" : null);
  }
  if (isNavigation) {
    const target = wanted === "failures" ? "failures-title" : shown === "overview" ? "verdict" : `${shown}-title`;
    find(target).focus({ preventScroll: true });
    if (wanted === "failures") find("failures-title").scrollIntoView();
    else window.scrollTo(0, 0);
  }
  if (shown === "playground") playground.load();
  if (state.session.operator) await poll();
  if (shown === "jobs") jobs.load();
}

window.addEventListener("hashchange", () => route(true));
// The fragment says which view is shown, so the link to the content must leave it alone.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("main").focus();
});

// The poll.

async function poll() {
  clearTimeout(state.timer);
  try {
    const answer = await api.status(state.gateway, state.history.last);
    if (answer.gateway !== state.gateway) {
      state.gateway = answer.gateway;
      state.history.clear();
    }
    state.history.add(answer.history);
    state.view = makeView(answer);
    overview.show(state.view, state.history);
    setText(find("freshness"), clock(answer.at));
    setAttribute(find("freshness"), "data-stale", null);
    await loadFailures();
  } catch (error) {
    if (error.status === 401) return askForToken("Your token is not known here any more.");
    if (error.status === 403) return enter();
    setText(find("freshness"), "gateway away");
    setAttribute(find("freshness"), "data-stale", true);
    setText(find("verdict"), "The gateway does not answer");
    setAttribute(find("verdict"), "data-tone", "bad");
    setText(find("verdict-more"), `${error.message}. What is below is how things were.`);
    setAttribute(find("overview"), "data-stale", true);
  }
  if (!document.hidden) state.timer = setTimeout(poll, PERIOD);
}

/** The list of failures is asked for when a counter says that it changed. */
async function loadFailures() {
  if (!state.view.isAnswered) return;
  const counters = state.view.queues.map(({ status }) =>
    [status?.epoch, status?.counters?.dead, status?.counters?.retried].join());
  const seen = counters.join();
  if (seen === state.failuresSeen) return;
  await jobs.loadFailures();
  state.failuresSeen = seen;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.session?.operator) poll();
});
document.addEventListener("jobs-changed", () => {
  state.failuresSeen = null;
  if (!find("jobs").hidden) jobs.load();
});

// What is done here.

/**
 * Makes a call of the Control service and says what came of it.
 * `done` is what is said; `outcome(answer)` says it from the answer; `confirm` asks first.
 */
async function act(call, message, { shard, done, outcome, confirm, then } = {}) {
  if (confirm && !(await isConfirmed(confirm))) return;
  try {
    const answer = await api.control(call, message, shard);
    say(outcome ? outcome(answer) : done);
    then?.();
  } catch (error) {
    if (error.status === 401) return askForToken("Your token is not known here any more.");
    say(error.message, true);
  }
  poll();
}

function isConfirmed({ title, text, yes }) {
  const dialog = find("confirm-dialog");
  setText(find("confirm-title"), title);
  setText(find("confirm-text"), text);
  setText(find("confirm-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  find("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

find("confirm-yes").addEventListener("click", () => find("confirm-dialog").close("yes"));
find("confirm-no").addEventListener("click", () => find("confirm-dialog").close(""));

let sayTimer;
function say(text, isBad = false) {
  const toast = find("toast");
  setText(toast, text);
  setAttribute(toast, "data-tone", isBad ? "bad" : null);
  toast.dataset.shown = "";
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => delete toast.dataset.shown, 6_000);
}
document.addEventListener("say", (event) => say(event.detail));

// Light and dark: the system's, until somebody chooses.

const isDark = () => document.documentElement.dataset.theme
  ? document.documentElement.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;
const showTheme = () => setText(find("theme"), isDark() ? "Light" : "Dark");
find("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("rerankd-theme", theme);
  showTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
showTheme();

enter();
