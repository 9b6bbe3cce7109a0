// Models, workers and backends: a table each.

import { makeSparkline } from "./charts.js";
import { chip, find, keyed, make, makeTable, setAttribute, setChip, setText } from "./dom.js";
import { bytes, count, microseconds, milliseconds, number } from "./format.js";
import { at } from "./view.js";

export function makeFleet(act) {
  const state = { history: null };
  const models = makeTable("Models", modelColumns(state), (model) => model.name,
    "The queue's catalogue is empty.");
  const backends = makeTable("Backends", backendColumns(act),
    (backend) => `${backend.shard} ${backend.name}`, "No model has a backend.");
  const workers = makeTable("Workers", workerColumns(act),
    (worker) => `${worker.shard} ${worker.workerId}`,
    "No worker is attached. rerankd worker starts one.");
  find("models").append(models.node);
  find("backends").append(backends.node);
  find("workers").append(workers.node);
  return {
    show(view, history) {
      state.history = history;
      models.show(view.models);
      find("backends-card").hidden = view.backends.length === 0;
      backends.show(view.backends);
      workers.show(view.workers);
      keyed(find("supervisors"), view.supervisors,
        (supervisor) => `${supervisor.shard} ${supervisor.supervisorId}`,
        () => makeSupervisor(act), showSupervisor);
    },
  };
}

function modelColumns(state) {
  const quantiles = (part) => (model) => {
    const found = model.latency?.[part];
    return number(found?.count) > 0
      ? `${microseconds(found.p50Us)} / ${microseconds(found.p99Us)}` : "–";
  };
  return [
    { label: "Model", kind: "name", create: () => make("div", {}, make("b"), make("small")),
      update: (node, model) => {
        setText(node.firstElementChild, model.name);
        const fallbacks = model.fallbacks.length > 0 ? `, then ${model.fallbacks.join(", ")}` : "";
        setText(node.lastElementChild, `${model.engine || "no engine"}${fallbacks}`);
      } },
    { label: "Waiting", kind: "line", create: () => {
      const spark = makeSparkline("busy");
      spark.node.spark = spark;
      return spark.node;
    }, update: (node, model) => {
      const { history } = state;
      node.spark.show(history.depth(model.name), history.from, history.to);
    } },
    { label: "Delayed", numeric: true, text: (model) => count(model.delayed) },
    { label: "Ready", numeric: true, text: (model) => count(model.ready) },
    { label: "In work", numeric: true, text: (model) => count(model.leased) },
    { label: "Oldest", numeric: true,
      text: (model) => (model.oldestReadyMs > 0 ? milliseconds(model.oldestReadyMs) : "–") },
    { label: "Wait p50 / p99", numeric: true, text: quantiles("waiting") },
    { label: "Score p50 / p99", numeric: true, text: quantiles("scoring") },
    { label: "Total p50 / p99", numeric: true, text: quantiles("total") },
    { label: "Workers", numeric: true, text: (model) => count(model.workers) },
  ];
}

function workerColumns(act) {
  return [
    { label: "Worker", kind: "name", create: () => make("div", {}, make("b"), make("small")),
      update: (node, worker) => {
        setText(node.firstElementChild, worker.workerId);
        const key = worker.keyName ? `, key ${worker.keyName}` : "";
        setText(node.lastElementChild,
          `${worker.host || "?"}, process ${worker.processId ?? "?"}, ${worker.version ?? ""}${key}`
          + (worker.place && `, ${worker.place}`));
      } },
    { label: "State", create: () => chip("good", ""), update: (node, worker) => {
      const [tone, text] = worker.draining ? ["warn", "draining"]
        : worker.paused ? ["warn", "paused"]
        : number(worker.heldJobs) > 0 ? ["good", "working"] : ["idle", "idle"];
      setChip(node, tone, text);
    } },
    { label: "Models", kind: "list", text: (worker) => (worker.models ?? []).join(", ") },
    { label: "Holds", numeric: true,
      text: (worker) => `${count(worker.heldJobs)} of ${count(worker.creditJobs)}` },
    { label: "Bytes", numeric: true, text: (worker) => bytes(worker.heldBytes) },
    { label: "Done", numeric: true, text: (worker) => count(worker.succeeded) },
    { label: "Failed", numeric: true, text: (worker) => count(worker.failed) },
    { label: "Heard", numeric: true, text: (worker) => `${milliseconds(worker.silentMs)} ago` },
    { label: "Actions", kind: "buttons", create: () => {
      const node = make("div", { class: "actions" });
      const pause = make("button", { type: "button", onclick: () => {
        const { workerId, paused, shard } = node.worker;
        act("SetWorkerPaused", { workerId, paused: !paused }, {
          shard, done: `${workerId} ${paused ? "takes jobs again" : "takes nothing new"}.`,
        });
      } });
      const drain = make("button", { type: "button", onclick: () => {
        const { workerId, shard } = node.worker;
        act("DrainWorker", { workerId }, {
          shard, done: `${workerId} finishes what it holds and leaves.`,
          confirm: {
            title: `Drain ${workerId}?`, yes: "Drain",
            text: "It finishes what it holds, takes nothing new and ends. Whoever supervises it may start another.",
          },
        });
      } });
      node.append(pause, drain);
      return node;
    }, update: (node, worker) => {
      node.worker = worker;
      const [pause, drain] = node.children;
      setText(pause, worker.paused ? "Resume" : "Pause");
      setAttribute(pause, "aria-label", `${worker.paused ? "Resume" : "Pause"} ${at(worker, worker.workerId)}`);
      setText(drain, "Drain");
      setAttribute(drain, "aria-label", `Drain ${at(worker, worker.workerId)}`);
      drain.disabled = Boolean(worker.draining);
    } },
  ];
}

const breaker = {
  BACKEND_STATE_OPEN: ["good", "in service"],
  BACKEND_STATE_RESTING: ["warn", "resting"],
  BACKEND_STATE_PROBING: ["warn", "probing"],
  BACKEND_STATE_CREDENTIALS_REFUSED: ["bad", "credentials refused"],
  BACKEND_STATE_PAUSED: ["warn", "paused"],
};

function backendColumns(act) {
  const limit = (used, max) => (number(max) > 0 ? `${count(used)} of ${count(max)}` : count(used));
  return [
    { label: "Backend", kind: "name", create: () => make("div", {}, make("b"), make("small")),
      update: (node, backend) => {
        setText(node.firstElementChild, backend.name);
        setText(node.lastElementChild,
          [backend.place, ...(backend.models ?? [])].filter(Boolean).join(", "));
      } },
    { label: "State", create: () => make("div", {}, chip("good", ""), make("small")),
      update: (node, backend) => {
        setChip(node.firstElementChild, ...(breaker[backend.state] ?? ["off", "unknown"]));
        const left = number(backend.restingMs) > 0 ? `${milliseconds(backend.restingMs)} left. ` : "";
        setText(node.lastElementChild, left + (backend.reason ?? ""));
      } },
    { label: "Under way", numeric: true,
      text: (backend) => limit(backend.requestsUnderWay, backend.concurrentRequestsMax) },
    { label: "Waiting", numeric: true, text: (backend) => count(backend.requestsWaiting) },
    { label: "Requests/min", numeric: true,
      text: (backend) => (backend.requestsPerMinuteMax ? `≤ ${count(backend.requestsPerMinuteMax)}` : "no limit") },
    { label: "Tokens/min", numeric: true,
      text: (backend) => (number(backend.tokensPerMinuteMax) > 0 ? `≤ ${count(backend.tokensPerMinuteMax)}` : "no limit") },
    { label: "Requests", numeric: true, text: (backend) => count(backend.requests) },
    { label: "Tokens", numeric: true, text: (backend) => count(backend.tokens) },
    { label: "401 / 429 / down", numeric: true,
      text: (backend) => [backend.credentialsRefused, backend.rateLimited, backend.unavailable]
        .map(count).join(" / ") },
    { label: "Actions", kind: "buttons", create: () => {
      const node = make("div", { class: "actions" });
      node.append(make("button", { type: "button", onclick: () => {
        const { name, shard, state } = node.backend;
        const paused = state !== "BACKEND_STATE_OPEN" && state !== "BACKEND_STATE_PROBING";
        act("SetBackendPaused", { backend: name, paused: !paused }, {
          shard, done: paused ? `${name} is in service again.` : `Nothing is sent to ${name}.`,
        });
      } }));
      return node;
    }, update: (node, backend) => {
      node.backend = backend;
      const isOpen = ["BACKEND_STATE_OPEN", "BACKEND_STATE_PROBING"].includes(backend.state);
      setText(node.firstElementChild, isOpen ? "Pause" : "Resume");
      setAttribute(
        node.firstElementChild, "aria-label", `${isOpen ? "Pause" : "Resume"} ${at(backend, backend.name)}`);
    } },
  ];
}

function makeSupervisor(act) {
  const node = make("div", { class: "actions" }, make("span", { class: "muted small" }));
  const scale = (step) => () => {
    const { supervisorId, workersWanted, shard } = node.supervisor;
    const workers = number(workersWanted) + step;
    act("ScaleWorkers", { supervisorId, workers }, { shard, done: `${workers} workers are wanted.` });
  };
  node.append(
    make("button", { type: "button", text: "−", onclick: scale(-1) }),
    make("button", { type: "button", text: "+", onclick: scale(1) }));
  return node;
}

function showSupervisor(node, supervisor) {
  node.supervisor = supervisor;
  const [text, fewer, more] = node.children;
  const { host, workersRunning, workersWanted, workersMax } = supervisor;
  setText(text, `${host}: ${count(workersRunning)} of ${count(workersWanted)} run`);
  setAttribute(fewer, "aria-label", `One worker less on ${host}`);
  setAttribute(more, "aria-label", `One worker more on ${host}`);
  fewer.disabled = number(workersWanted) === 0;
  more.disabled = number(workersWanted) >= number(workersMax);
}
