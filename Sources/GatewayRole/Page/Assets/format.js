// How figures are written. 64-bit numbers come as texts, as protobuf's JSON has them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const number = (value) => Number(value ?? 0);

/** 1,204; 1.2 M */
export function count(value) {
  const n = number(value);
  if (n >= 10_000_000) return `${(n / 1e6).toFixed(0)} M`;
  if (n >= 1_000_000) return `${(n / 1e6).toFixed(1)} M`;
  return whole.format(n);
}

/** "3 jobs", "1 job" */
export const counted = (value, one, many = `${one}s`) =>
  `${count(value)} ${number(value) === 1 ? one : many}`;

export function rate(perSecond) {
  if (perSecond === 0) return "0";
  if (perSecond < 0.1) return perSecond.toFixed(2);
  return perSecond < 100 ? perSecond.toFixed(1) : count(perSecond);
}

export function bytes(value) {
  let n = number(value);
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024) return `${n >= 100 || unit === "B" ? n.toFixed(0) : n.toFixed(1)} ${unit}`;
    n /= 1024;
  }
  return `${n.toFixed(1)} TiB`;
}

export const microseconds = (value) => milliseconds(number(value) / 1000);

export function milliseconds(value) {
  const ms = number(value);
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(0)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const clock = (unixMilliseconds) =>
  new Date(number(unixMilliseconds)).toLocaleTimeString("en-GB");

export function ago(unixMilliseconds, now) {
  const ms = now - number(unixMilliseconds);
  return ms < 1000 ? "now" : `${milliseconds(ms)} ago`;
}

/** Day and time where it was not today. */
export function moment(unixMilliseconds) {
  const date = new Date(number(unixMilliseconds));
  const day = date.toDateString() === new Date().toDateString()
    ? "" : `${date.toLocaleDateString("en-CA")} `;
  return day + date.toLocaleTimeString("en-GB");
}

/** A job id is shard × 2⁴⁸ + sequence: beyond what a number holds. */
export function jobName(id) {
  const value = BigInt(id);
  return `${value >> 48n}-${value & 0xffff_ffff_ffffn}`;
}

export const jobShard = (id) => Number(BigInt(id) >> 48n);

const codes = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
  "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
  "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

export const codeName = (code) => codes[number(code)] ?? `code ${code}`;

const states = {
  JOB_STATE_DELAYED: ["idle", "delayed"],
  JOB_STATE_READY: ["idle", "ready"],
  JOB_STATE_LEASED: ["busy", "in work"],
  JOB_STATE_SUCCEEDED: ["good", "done"],
  JOB_STATE_DEAD: ["bad", "failed"],
  JOB_STATE_CANCELLED: ["off", "cancelled"],
  JOB_STATE_EXPIRED: ["warn", "expired"],
};

/** [tone, word] */
export const jobState = (state) => states[state] ?? ["off", "gone"];

export const isLive = (state) =>
  ["JOB_STATE_DELAYED", "JOB_STATE_READY", "JOB_STATE_LEASED"].includes(state);

export const canRetry = (state) =>
  ["JOB_STATE_DEAD", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"].includes(state);
