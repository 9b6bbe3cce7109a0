// One status answer, with several queues' figures put together.

import { number } from "./format.js";

export function makeView(answer) {
  const queues = answer.queues.map((queue) => ({
    shard: queue.status?.shard ?? (queue.status ? 0 : undefined),
    error: queue.error ?? null,
    seenAt: queue.seenAt ?? null,
    status: queue.status ?? null,
    workers: queue.workers ?? [],
  }));
  const known = queues.filter((queue) => queue.status);
  // Of several queues each has its own part of a worker or a backend, and says so.
  const place = (queue) => (queues.length > 1 ? `queue ${queue.shard}` : "");
  const own = (queue, items) => (items ?? []).map(
    (item) => ({ ...item, shard: queue.shard, place: place(queue) }));
  const each = (field) => known.flatMap((queue) => own(queue, queue.status[field]));
  return {
    at: answer.at,
    queues,
    isAnswered: queues.some((queue) => queue.status && !queue.error),
    models: mergeModels(known),
    backends: each("backends"),
    supervisors: each("supervisors"),
    workers: known.flatMap((queue) => own(queue, queue.workers)),
  };
}

/** A name, and the queue that speaks of it where there are several. */
export const at = ({ place }, name) => (place ? `${name} (${place})` : name);

/** How many workers there are: one that is attached to several queues is one. */
export const countWorkers = (workers) => new Set(workers.map((worker) => worker.workerId)).size;

function mergeModels(queues) {
  const models = new Map();
  for (const { status } of queues) {
    const latencies = new Map((status.latencies ?? []).map((item) => [item.model, item]));
    for (const entry of status.models ?? []) {
      const name = entry.model.name;
      const model = models.get(name) ?? {
        name, engine: entry.model.engine ?? "", fallbacks: entry.model.fallbacks ?? [],
        workers: 0, delayed: 0, ready: 0, leased: 0, oldestReadyMs: 0, pausedMs: 0,
        pauseReason: "", latency: null,
      };
      // A worker is attached to every queue.
      model.workers = Math.max(model.workers, number(entry.model.workers));
      for (const state of ["delayed", "ready", "leased"]) model[state] += number(entry[state]);
      for (const field of ["oldestReadyMs", "pausedMs"]) {
        model[field] = Math.max(model[field], number(entry[field]));
      }
      model.pauseReason ||= entry.pauseReason ?? "";
      const latency = latencies.get(name);
      if (number(latency?.total?.count) > number(model.latency?.total?.count)) {
        model.latency = latency;
      }
      models.set(name, model);
    }
  }
  return [...models.values()];
}
