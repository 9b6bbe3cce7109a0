// The first view: what is wrong, the figures of now with their last minutes, and every part.

import { makeChart, makeSparkline } from "./charts.js";
import { find, keyed, make, setAttribute, setText } from "./dom.js";
import { bytes, count, counted, microseconds, milliseconds, moment, number, rate }
  from "./format.js";
import { makeFleet } from "./fleet.js";
import { problems } from "./verdict.js";
import { countWorkers } from "./view.js";

export function makeOverview(act) {
  const fleet = makeFleet(act);
  const figures = makeFigures();
  const depth = makeChart(find("chart-depth"), "Jobs in the queue", [
    { label: "waiting", tone: "busy", filled: true },
    { label: "in work", tone: "good" },
  ], count);
  const rates = makeChart(find("chart-rates"), "Jobs a second", [
    { label: "done", tone: "good", filled: true },
    { label: "submitted", tone: "busy" },
    { label: "failed", tone: "bad" },
  ], rate);

  return {
    show(view, history) {
      const found = problems(view, history);
      showVerdict(view, history, found);
      showProblems(found, act);
      showQueueActions(view, act);
      figures.show(view, history);
      const [from, to] = [history.from, history.to];
      depth.show(join(waiting(history), history.levels("leased")), from, to);
      rates.show(
        join(history.rates("succeeded"), history.rates("submitted"), history.rates("dead")), from,
        to);
      fleet.show(view, history);
      keyed(find("queues"), view.queues, (queue) => queue.shard ?? "away", makeQueue, showQueue);
      setAttribute(find("overview"), "data-stale", view.isAnswered ? null : true);
    },
  };
}

const waiting = (history) => {
  const delayed = history.levels("delayed");
  return history.levels("ready").map(
    ([time, ready], index) => [time, ready === null ? null : ready + delayed[index][1]]);
};

const join = (...series) => series[0].map(
  ([time], index) => [time, ...series.map((points) => points[index][1])]);

// What is wrong.

function showVerdict(view, history, found) {
  const worst = found[0]?.tone ?? "good";
  const verdict = find("verdict");
  setAttribute(verdict, "data-tone", worst);
  const things = found.length === 1 ? "One thing needs" : `${found.length} things need`;
  setText(verdict, found.length === 0 ? "All is well" : `${things} attention`);
  const live = view.models.reduce((sum, model) => sum + model.delayed + model.ready + model.leased, 0);
  setText(find("verdict-more"), [
    counted(countWorkers(view.workers), "worker"), `${counted(live, "job")} in the queue`,
    `${count(history.growth("succeeded"))} done in the last ${milliseconds(history.to - history.from)}`,
  ].join(" · "));
  document.title = found.length === 0 ? "Rerankd" : `(${found.length}) Rerankd`;
}

function showProblems(found, act) {
  keyed(find("problems"), found, (problem) => problem.key, () => {
    const item = make("li", {}, make("span"));
    const button = make("button", {
      type: "button", onclick: () => {
        const { action } = item;
        if (action.href) location.hash = action.href;
        else act(action.call, action.message, { shard: action.shard, done: "Done." });
      },
    });
    item.append(button);
    return item;
  }, (item, { tone, text, action }) => {
    item.action = action;
    setAttribute(item, "data-tone", tone);
    setText(item.firstElementChild, text);
    item.lastElementChild.hidden = !action;
    setText(item.lastElementChild, action?.label ?? "");
  });
}

function showQueueActions(view, act) {
  const answering = view.queues.filter((queue) => queue.status && !queue.error);
  const isPaused = answering.length > 0 && answering.every((queue) => queue.status.paused);
  const isDraining = answering.length > 0 && answering.every((queue) => queue.status.draining);
  const actions = answering.length === 0 ? [] : [
    isPaused
      ? { key: "resume", label: "Resume", call: "SetPaused", message: { paused: false }, done: "The queue gives out jobs again." }
      : {
        key: "pause", label: "Pause", call: "SetPaused", message: { paused: true },
        done: "The queue is paused.", confirm: {
          title: "Pause the queue?",
          text: "No job is given out until somebody resumes it. Jobs still come in, and what workers hold goes on.",
          yes: "Pause",
        },
      },
    isDraining
      ? { key: "undrain", label: "Take jobs again", call: "SetDraining", message: { draining: false }, done: "The queue takes jobs again." }
      : {
        key: "drain", label: "Drain", call: "SetDraining", message: { draining: true },
        done: "The queue is draining.", confirm: {
          title: "Drain the queue?",
          text: "New jobs are refused until somebody ends it. Those that are here are worked off.",
          yes: "Drain",
        },
      },
  ];
  keyed(find("queue-actions"), actions, (action) => action.key, (action) => make("button", {
    type: "button", text: action.label,
    onclick: () => act(action.call, action.message, action),
  }), () => {});
}

// The figures of now.

function makeFigures() {
  const parent = find("figures");
  const add = (label, tone) => {
    const value = make("span", { class: "value number" });
    const more = make("span", { class: "more muted" });
    const spark = makeSparkline(tone);
    parent.append(make(
      "div", {}, make("dt", { text: label }), make("dd", {}, value, more), spark.node));
    return (text, moreText, points, history) => {
      setText(value, text);
      setText(more, moreText);
      spark.show(points, history.from, history.to);
    };
  };
  const showWaiting = add("Waiting", "busy");
  const showLeased = add("In work", "good");
  const showDone = add("Done a second", "good");
  const showFailed = add("Failed attempts a second", "bad");
  const showWorkers = add("Workers", "off");
  return {
    show(view, history) {
      const sum = (field) => view.models.reduce((total, model) => total + model[field], 0);
      const last = (points) => points.at(-1)?.[1] ?? 0;
      const oldest = Math.max(0, ...view.models.map((model) => model.oldestReadyMs));
      showWaiting(
        count(sum("delayed") + sum("ready")),
        oldest > 0 ? `oldest ${milliseconds(oldest)}` : sum("delayed") > 0 ? "delayed" : "",
        waiting(history), history);
      const held = view.workers.reduce((total, worker) => total + number(worker.creditJobs), 0);
      showLeased(
        count(sum("leased")), held > 0 ? `of ${count(held)}` : "", history.levels("leased"), history);
      const done = history.rates("succeeded");
      const slowest = slowestModel(view);
      showDone(rate(last(done)), slowest ? `p50 ${microseconds(slowest.total.p50Us)}` : "", done, history);
      const failed = history.rates("attemptsFailed");
      const dead = history.growth("dead");
      showFailed(rate(last(failed)), dead > 0 ? `${count(dead)} for good` : "", failed, history);
      const away = countWorkers(view.workers.filter((worker) => worker.paused || worker.draining));
      showWorkers(
        count(countWorkers(view.workers)), away > 0 ? `${away} ${away === 1 ? "takes" : "take"} nothing new` : "",
        history.levels("workers"), history);
    },
  };
}

const slowestModel = (view) => view.models.map((model) => model.latency).filter(Boolean)
  .sort((a, b) => number(b.total?.p50Us) - number(a.total?.p50Us))[0];

// Queues and their ledgers.

function makeQueue() {
  return make("div", { class: "queue" }, make("h3"), make("dl", { class: "facts" }));
}

function showQueue(node, { shard, status, error, seenAt }) {
  setText(node.firstElementChild, shard === undefined ? "Queue" : `Queue ${shard}`);
  if (!status) {
    showFacts(node.lastElementChild, [["State", error ? "does not answer" : "unknown"]]);
    return;
  }
  const ledger = status.ledger ?? {};
  const counters = status.counters ?? {};
  const state = error ? `away, last seen ${moment(seenAt)}`
    : [status.paused && "paused", status.draining && "draining"].filter(Boolean).join(", ")
      || "running";
  showFacts(node.lastElementChild, [
    ["State", state],
    ["Version", `${status.version ?? "?"}, started ${count(status.epoch)} ${number(status.epoch) === 1 ? "time" : "times"}`],
    ["Up for", milliseconds(status.uptimeMs)],
    ["New jobs", ledger.acceptsSubmits ? (status.draining ? "refused, draining" : "accepted") : "refused: disk is full"],
    ["Ledger", `${bytes(ledger.fileBytes)} and ${bytes(ledger.walBytes)} of log`],
    ["Disk free", bytes(ledger.freeBytes)],
    ["Commits", `${count(ledger.commits)}, p50 ${microseconds(ledger.commitP50Us)}, p99 ${microseconds(ledger.commitP99Us)}`],
    ["Backup", ledger.backupError ? `failed: ${ledger.backupError}`
      : number(ledger.backupUnixMs) > 0
        ? `${moment(ledger.backupUnixMs)}, ${bytes(ledger.backupBytes)}` : "none since the start"],
    ["Live bodies", bytes(status.liveBytes)],
    ["Since the start", `${count(counters.submitted)} submitted, ${count(counters.succeeded)} done, `
      + `${count(counters.dead)} failed, ${count(counters.expired)} expired, ${count(counters.cancelled)} cancelled`],
    ["Refused", count(counters.refused)],
    ["Leases lost", count(counters.leasesLost)],
  ]);
}

export function showFacts(list, facts) {
  keyed(list, facts, ([label]) => label, ([label]) => make(
    "div", {}, make("dt", { text: label }), make("dd")),
  (node, [, value]) => setText(node.lastElementChild, value));
}
