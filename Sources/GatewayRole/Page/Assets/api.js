// What the page asks of the gateway. The token goes into a header and nowhere else; it is kept in
// the tab's own storage until the tab is closed.

const KEY = "rerankd-token";

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

export class APIError extends Error {
  constructor(status, body) {
    const error = body?.error ?? body ?? {};
    super(error.message || `the gateway answered ${status}`);
    this.status = status;
    this.code = error.code ?? null;
    this.param = error.param ?? null;
  }
}

async function ask(path, { method = "GET", json, headers = {}, signal } = {}) {
  const secret = token.get();
  let response;
  try {
    response = await fetch(path, {
      method, signal, cache: "no-store", credentials: "omit", redirect: "error",
      headers: {
        ...(secret ? { Authorization: `Bearer ${secret}` } : {}),
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "X-Rerankd-Page": "1" }),
        ...headers,
      },
      body: json === undefined ? undefined : JSON.stringify(json),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new APIError(0, { message: "the gateway does not answer" });
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    // An answer without JSON is judged by its status.
  }
  if (!response.ok) throw new APIError(response.status, body);
  return body;
}

export const session = () => ask("api/session");
export const status = (gateway, since) =>
  ask(since === null ? "api/status" : `api/status?gateway=${gateway}&since=${since}`);
export const job = (id) => ask(`api/jobs/${id}`);

/** A call of the Control service, its message in protobuf's JSON; of one shard, or of all. */
export const control = (call, message, shard) =>
  ask(`api/control/${call}${shard === undefined ? "" : `?shard=${shard}`}`, {
    method: "POST", json: message,
  });

export const models = () => ask("../v1/models");
export const budget = (request) => ask("../v1/tokenize/budget", { method: "POST", json: request });
export const rerank = (request, signal) =>
  ask("../v1/rerank", { method: "POST", json: request, signal });
