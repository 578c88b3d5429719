// The server: its description of the models, requests to them, and its metrics. The key is in the tab's session alone.

import { words } from "./words.js";

const KEY = "seqline-key";

/** The key, as the person typed it; "" if there is none. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  /** Keeps a key, or a line of the server's file; false if it has characters that no header can have. */
  set: (text) => {
    const typed = text.trim().replace(/^(Authorization:\s*)?(Bearer\s+)?/i, "");
    if (!/^[\x21-\x7e]*$/.test(typed)) return false;
    sessionStorage.setItem(KEY, typed);
    return true;
  },
  forget: () => sessionStorage.removeItem(KEY),
};

/** An error as the API gives it. The status is 0 where no answer came. */
export class ServerError extends Error {
  constructor(status, { code, message, input }, retryAfter) {
    super(message);
    Object.assign(this, { status, code, input, retryAfter });
  }
}

/** The OpenAPI document of the models. */
export async function describe() {
  return json(await send("/openapi.json"));
}

/** The metrics, in Prometheus' text format. */
export async function metrics(signal) {
  return (await send("/metrics", { headers: authorization(), signal })).text();
}

/**
 * Asks a model. With `onLine`, a streamed answer's lines go there as they arrive, except the last, which is the answer.
 * Returns { answer, ms, id, version, run }.
 */
export async function ask(model, body, { signal, onLine }) {
  const start = performance.now();
  const response = await post(`/predictions/${encodeURIComponent(model)}`, body, signal);
  const streamed = response.headers.get("Content-Type")?.startsWith("application/x-ndjson");
  const answer = streamed ? await lastLine(response, onLine) : await json(response);
  if (streamed && answer.error) throw new ServerError(500, answer.error); // it failed after it had begun
  return {
    answer,
    ms: performance.now() - start,
    id: response.headers.get("X-Request-Id"),
    version: response.headers.get("X-Model-Version"),
    run: response.headers.get("X-MLflow-Run-Id"),
  };
}

/** Says what the right answer would have been: { id, input, label } or { id, input, text }. Returns { right } and its origin. */
export async function judge(feedback) {
  return json(await post("/feedback", feedback));
}

const authorization = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

function post(path, body, signal) {
  const headers = { "Content-Type": "application/json", ...authorization() };
  return send(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

async function send(path, options) {
  const response = await fetch(path, options).catch(unreachable);
  if (response.ok) return response;
  const fault = (await json(response))?.error ?? { code: "error", message: response.statusText };
  throw new ServerError(response.status, fault, response.headers.get("Retry-After"));
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(response.status, { code: "not_json", message: words.notJson });
  }
}

/** Reads a streamed answer: lines with a token are parts of it, and go to `onLine` at once; the last one is the answer. */
async function lastLine(response, onLine) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let answer = null;
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(unreachable);
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    for (const part of lines.map(parsed)) {
      if (part.token === undefined) answer = part;
      else onLine?.(part);
    }
    if (done) return answer ?? unreachable(new Error());
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    throw new ServerError(200, { code: "not_json", message: words.notJson });
  }
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new ServerError(0, { code: "unreachable", message: words.unreachable });
}
