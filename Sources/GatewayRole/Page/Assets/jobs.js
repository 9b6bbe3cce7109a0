// Lists of jobs, one job with its attempts, and what can be done to them.

import * as api from "./api.js";
import { chip, find, keyed, make, makeTable, setAttribute, setChip, setText } from "./dom.js";
import { ago, bytes, canRetry, clock, codeName, count, counted, isLive, jobName, jobShard, jobState,
  milliseconds, moment, number } from "./format.js";
import { showFacts } from "./overview.js";

const PAGE = 50;
const FAILURES = 10;

export function makeJobs(act, shards) {
  const dialog = makeJobDialog(act);
  const failures = makeJobTable("Recent failures", dialog, act, "No job has failed for good.", false);
  const list = makeJobTable("Jobs", dialog, act, "There are no such jobs.", true);
  find("failures").append(failures.node);
  find("job-list").append(list.node);

  // Every shard has pages of its own; they are merged by time.
  let jobs = [], cursors = new Map();
  const filter = () => {
    const form = new FormData(find("job-filter"));
    return {
      states: form.get("state") ? [form.get("state")] : [], model: form.get("model").trim(),
      tenant: form.get("tenant").trim(), errorContains: form.get("error").trim(),
    };
  };
  const newest = (a, b) => number(b.submittedUnixMs) - number(a.submittedUnixMs);

  // What an older filter found is not mixed with what a newer one finds.
  let loads = 0;

  async function load(isMore) {
    const own = ++loads;
    const found = isMore ? [...jobs] : [];
    const next = isMore ? new Map(cursors) : new Map(shards().map((shard) => [shard, "0"]));
    let note;
    try {
      for (const [shard, before] of [...next]) {
        const page = await api.control(
          "ListJobs", { ...filter(), beforeJobId: before, limit: PAGE }, shard);
        found.push(...(page.jobs ?? []));
        if (number(page.nextBeforeJobId) > 0) next.set(shard, page.nextBeforeJobId);
        else next.delete(shard);
      }
      note = `${counted(found.length, "job")}${next.size > 0 ? ", and older ones" : ""}`;
    } catch (error) {
      note = error.message;
    }
    if (own !== loads) return;
    [jobs, cursors] = [found.sort(newest), next];
    setText(find("job-note"), note);
    list.show(jobs);
    find("jobs-more").hidden = cursors.size === 0;
    find("jobs-retry").hidden = !jobs.some((job) => canRetry(job.state));
  }

  find("job-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    load(false);
  });
  find("job-filter").elements.state.addEventListener("change", () => load(false));
  find("jobs-more").addEventListener("click", () => load(true));
  find("jobs-retry").addEventListener("click", () => {
    const jobIds = jobs.filter((job) => canRetry(job.state)).map((job) => job.jobId).slice(0, 1000);
    act("RetryJobs", { jobIds }, {
      outcome: retried(jobIds.length), then: () => load(false),
      confirm: {
        title: `Retry ${counted(jobIds.length, "job")}?`, yes: "Retry",
        text: "They are made ready again, with a fresh budget of attempts.",
      },
    });
  });

  return {
    load: () => load(false),
    /** The overview's short list. */
    async loadFailures() {
      const found = [];
      for (const shard of shards()) {
        const page = await api.control(
          "ListJobs", { states: ["JOB_STATE_DEAD"], limit: FAILURES }, shard);
        found.push(...(page.jobs ?? []));
      }
      failures.show(found.sort(newest).slice(0, FAILURES));
    },
  };
}

/** What is said after a retry: each job has an outcome of its own. */
const retried = (asked) => (answer) => {
  const refused = (answer.outcomes ?? []).filter((outcome) => outcome.error);
  if (refused.length === 0) return `${counted(asked, "job is", "jobs are")} ready again.`;
  return `${asked - refused.length} of ${asked} are ready again: ${refused[0].error.message}`;
};

const cancelled = (answer) => {
  const refused = (answer.outcomes ?? []).find((outcome) => outcome.error);
  return refused ? refused.error.message : "The job is cancelled.";
};

const errorText = (job) => {
  const error = job.outcome?.error;
  return error ? `${codeName(error.code)}: ${error.message ?? ""}` : "";
};

function retryJob(job, act) {
  act("RetryJobs", { jobIds: [job.jobId] }, {
    outcome: retried(1),
    done: `${jobName(job.jobId)} is ready again.`, then: () => refreshLists(),
  });
}

function cancelJob(job, act) {
  act("CancelJobs", { jobIds: [job.jobId] }, {
    outcome: cancelled, then: () => refreshLists(),
    confirm: {
      title: `Cancel ${jobName(job.jobId)}?`, yes: "Cancel the job",
      text: "It ends at once, and whatever a worker is doing for it is in vain.",
    },
  });
}

const refreshLists = () => document.dispatchEvent(new Event("jobs-changed"));

function makeJobTable(caption, dialog, act, empty, hasStates) {
  return makeTable(caption, [
    { label: "Job", create: () => {
      const button = make("button", {
        type: "button", class: "link mono", onclick: () => dialog.open(button.job.jobId),
      });
      return button;
    }, update: (button, job) => {
      button.job = job;
      setText(button, jobName(job.jobId));
    } },
    ...(hasStates ? [{ label: "State", create: () => chip("off", ""),
      update: (node, job) => setChip(node, ...jobState(job.state)) }] : []),
    { label: "Model", kind: "list", text: (job) => job.spec?.model ?? "" },
    { label: "Tenant", kind: "minor", text: (job) => job.spec?.tenant || "default" },
    { label: "Submitted", numeric: true, text: (job) => ago(job.submittedUnixMs, Date.now()),
      title: (job) => moment(job.submittedUnixMs) },
    { label: "Last attempt", numeric: true, kind: "minor", text: (job) => count(job.attempts) },
    { label: "Error", kind: "error", create: () => make("div", { class: "clamp" }),
      update: (node, job) => {
        setText(node, errorText(job));
        setAttribute(node, "title", errorText(job) || null);
      } },
    { label: "Actions", kind: "buttons", create: () => {
      const node = make("div", { class: "actions" });
      node.append(
        make("button", { type: "button", text: "Retry", onclick: () => retryJob(node.job, act) }),
        make("button", { type: "button", text: "Cancel", onclick: () => cancelJob(node.job, act) }));
      return node;
    }, update: (node, job) => {
      node.job = job;
      const [retry, cancel] = node.children;
      retry.hidden = !canRetry(job.state);
      cancel.hidden = !isLive(job.state);
      setAttribute(retry, "aria-label", `Retry ${jobName(job.jobId)}`);
      setAttribute(cancel, "aria-label", `Cancel ${jobName(job.jobId)}`);
    } },
  ], (job) => job.jobId, empty);
}

// One job.

const ends = {
  ATTEMPT_END_SUCCEEDED: ["good", "done"],
  ATTEMPT_END_FAILED: ["bad", "failed"],
  ATTEMPT_END_LOST: ["warn", "worker lost"],
  ATTEMPT_END_RELEASED: ["idle", "given back"],
  ATTEMPT_END_CANCELLED: ["off", "cancelled"],
};

function makeJobDialog(act) {
  const dialog = find("job-dialog");
  const facts = make("dl", { class: "facts" });
  const error = make("p", { class: "bad quote" });
  const attempts = make("ol", { class: "attempts" });
  const attemptsTitle = make("h3");
  const request = make("div", { class: "request" });
  find("job-dialog-body").append(error, facts, attemptsTitle, attempts, request);
  const retry = make("button", { type: "button", class: "primary", text: "Retry" });
  const cancel = make("button", { type: "button", text: "Cancel the job" });
  find("job-dialog-actions").append(retry, cancel);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  // A click on what is behind the dialog.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  let shown = null;
  retry.addEventListener("click", () => { dialog.close(); retryJob(shown, act); });
  cancel.addEventListener("click", () => { dialog.close(); cancelJob(shown, act); });

  function show({ job, request: body }) {
    shown = job;
    const [, word] = jobState(job.state);
    setText(find("job-dialog-title"), `Job ${jobName(job.jobId)}: ${word}`);
    setText(error, errorText(job));
    error.hidden = !errorText(job);
    const spec = job.spec ?? {};
    showFacts(facts, [
      ["Model", spec.model ?? ""], ["Tenant", spec.tenant || "default"],
      ["Priority", String(spec.priority ?? 0)],
      ["Submitted", moment(job.submittedUnixMs)], ["Last change", moment(job.updatedUnixMs)],
      ...(number(job.readyInMs) > 0 ? [["Ready in", milliseconds(job.readyInMs)]] : []),
      ...(number(spec.deadlineMs) > 0 ? [["Deadline", `${milliseconds(spec.deadlineMs)} after its submit`]] : []),
      ["Attempts at most", spec.maxAttempts ? count(spec.maxAttempts) : "the default"],
      ...(job.workersLost ? [["Workers lost", count(job.workersLost)]] : []),
      ["Request", bytes(job.requestBytes)],
      ["Queue", String(jobShard(job.jobId))],
      ...(spec.idempotencyKey ? [["Key", spec.idempotencyKey]] : []),
      ...(spec.replyChannel ? [["Reply channel", spec.replyChannel]] : []),
      ...(spec.traceparent ? [["Trace", spec.traceparent]] : []),
    ]);
    const records = job.attemptRecords ?? [];
    setText(attemptsTitle, counted(records.length, "attempt"));
    attemptsTitle.hidden = records.length === 0;
    keyed(attempts, records, (record) => record.attempt, () => make(
      "li", {}, make("div", {}, chip("off", ""), make("span"), make("small")), make("p")),
    (node, record) => {
      const [mark, what, when] = node.firstElementChild.children;
      setChip(mark, ...(ends[record.end] ?? ["off", "under way"]));
      setText(what, `${record.workerId ?? ""}`);
      const took = number(record.endedUnixMs) - number(record.startedUnixMs);
      setText(when, `${clock(record.startedUnixMs)}${took >= 0 ? `, ${milliseconds(took)}` : ""}`);
      setText(node.lastElementChild,
        number(record.code) > 0 ? `${codeName(record.code)}: ${record.message ?? ""}` : "");
    });
    request.replaceChildren(...(body ? requestNodes(body) : []));
    retry.hidden = !canRetry(job.state);
    cancel.hidden = !isLive(job.state);
  }

  return {
    async open(id) {
      try {
        show(await api.job(jobName(id)));
        if (!dialog.open) dialog.showModal();
        find("job-dialog-title").focus();
      } catch (error) {
        document.dispatchEvent(new CustomEvent("say", { detail: error.message }));
      }
    },
  };
}

function requestNodes({ query, documents, documentCount, isShortened }) {
  const more = documentCount - documents.length;
  return [
    make("h3", { text: "Query" }), make("p", { class: "quote", text: query || "(an image)" }),
    make("h3", { text: counted(documentCount, "document") }),
    make("ol", { class: "documents" }, ...documents.map(
      (text) => make("li", { class: "quote", text: text || "(an image)" }))),
    more > 0 || isShortened
      ? make("p", { class: "muted small", text: [
        more > 0 ? `${counted(more, "more document")}.` : "",
        isShortened ? "Long texts are shortened here." : "",
      ].join(" ") }) : null,
  ].filter(Boolean);
}
