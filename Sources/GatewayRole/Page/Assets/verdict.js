// What a person who was woken wants to know first: is anything wrong, and what helps.

import { bytes, count, counted, milliseconds, microseconds, number } from "./format.js";
import { at } from "./view.js";

const OLDEST_READY = 60_000;
const SILENCE = 15_000;
const SLOW_COMMIT = 250_000;

/**
 * Problems, worst first: {key, tone, text, action}. An action is {label, call, message, shard}, a
 * call of the Control service, or {label, href}.
 */
export function problems(view, history) {
  const found = [];
  const add = (tone, key, text, action) => found.push({ tone, key, text, action });
  for (const queue of view.queues) judgeQueue(queue, view, add);
  for (const model of view.models) judgeModel(model, add);
  for (const backend of view.backends) judgeBackend(backend, add);
  for (const worker of view.workers) {
    if (number(worker.silentMs) > SILENCE) {
      add("warn", `silent-${worker.shard}-${worker.workerId}`,
        `Worker ${at(worker, worker.workerId)} has been silent for ${milliseconds(worker.silentMs)}.`);
    }
  }
  if (view.isAnswered && view.workers.length === 0) {
    add("bad", "workers", "No worker is attached: nothing is scored.");
  }
  const dead = history.growth("dead");
  if (dead > 0) {
    add("warn", "dead", `${counted(dead, "job")} failed for good in the last minutes.`,
      { label: "See them", href: "#failures" });
  }
  const expired = history.growth("expired");
  if (expired > 0) {
    add("warn", "expired", `${counted(expired, "job")} ran past their deadline in the last minutes.`);
  }
  return found.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === "bad" ? -1 : 1));
}

function judgeQueue({ shard, error, seenAt, status }, view, add) {
  const name = view.queues.length > 1 ? `Queue ${shard ?? "?"}` : "The queue";
  if (error) {
    const since = seenAt ? ` for ${milliseconds(view.at - seenAt)}` : "";
    add("bad", `away-${shard}`, `${name} has not answered${since}: ${error.message}`);
    return;
  }
  if (status.paused) {
    add("warn", `paused-${shard}`, `${name} is paused: jobs come in, and none is given out.`,
      { label: "Resume", call: "SetPaused", message: { paused: false }, shard });
  }
  if (status.draining) {
    add("warn", `draining-${shard}`, `${name} is draining: new jobs are refused.`,
      { label: "Take jobs again", call: "SetDraining", message: { draining: false }, shard });
  }
  const ledger = status.ledger ?? {};
  if (!ledger.acceptsSubmits) {
    add("bad", `full-${shard}`,
      `${name} refuses new jobs: ${bytes(ledger.freeBytes)} are free on the ledger's disk.`);
  }
  if (number(ledger.commitP99Us) > SLOW_COMMIT) {
    add("warn", `slow-${shard}`,
      `${name}'s disk is slow: one commit in a hundred takes ${microseconds(ledger.commitP99Us)}.`);
  }
  if (ledger.backupError) {
    add("warn", `backup-${shard}`, `${name}'s last backup failed: ${ledger.backupError}`);
  }
}

function judgeModel(model, add) {
  const waiting = model.delayed + model.ready;
  if (model.workers === 0 && waiting > 0) {
    add("bad", `unserved-${model.name}`,
      `No worker serves ${model.name}: ${counted(waiting, "job waits", "jobs wait")}.`);
  } else if (model.pausedMs > 0) {
    add("warn", `resting-${model.name}`,
      `${model.name} rests for ${milliseconds(model.pausedMs)}: ${model.pauseReason}`);
  } else if (model.oldestReadyMs > OLDEST_READY) {
    add("warn", `old-${model.name}`,
      `The oldest job of ${model.name} has waited for ${milliseconds(model.oldestReadyMs)} `
      + `behind ${count(model.leased)} in work.`);
  }
}

function judgeBackend(backend, add) {
  const { name, shard, state, reason, restingMs } = backend;
  const key = `backend-${shard}-${name}`;
  const shown = `Backend ${at(backend, name)}`;
  const because = reason ? `: ${reason}` : ".";
  const resume = {
    label: "Resume", call: "SetBackendPaused", message: { backend: name, paused: false }, shard,
  };
  const left = number(restingMs) > 0 ? ` for ${milliseconds(restingMs)}` : "";
  switch (state) {
  case "BACKEND_STATE_RESTING":
    add("warn", key, `${shown} is out of service${left}${because}`,
      { ...resume, label: "Try it now" });
    break;
  case "BACKEND_STATE_PROBING":
    add("warn", key, `${shown} is tried with one request at a time${because}`);
    break;
  case "BACKEND_STATE_CREDENTIALS_REFUSED":
    add("bad", key, `${shown} refuses our credentials${because}`,
      { ...resume, label: "Try it now" });
    break;
  case "BACKEND_STATE_PAUSED":
    add("warn", key, `${shown} is paused: nothing is sent to it.`, resume);
    break;
  }
}
