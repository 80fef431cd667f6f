/**
 * What can go wrong, as classes: each carries what the server said of it (RFC 9457).
 * @module
 */

/**
 * @typedef {object} ProblemFields
 * @property {string} [type] a name for the kind, `urn:paystream:problem:...`
 * @property {string} [title] what the status means
 * @property {string} [field] which field of the request it is about
 * @property {import("./types.js").Terms} [terms] what paying takes, with 402 and `balance-too-low`
 * @property {number} [retryAfterMs] when to try again, if the server said so
 */

/** What the server says is wrong. The message is its `detail`, for people. */
export class Problem extends Error {
  /**
   * @param {number} status of HTTP; 0 where no answer came
   * @param {string} code a stable word for programs
   * @param {string} detail
   * @param {ProblemFields} [more]
   */
  constructor(status, code, detail, more = {}) {
    super(detail);
    this.name = new.target.name;
    this.status = status;
    this.code = code;
    this.type = more.type;
    this.title = more.title;
    this.field = more.field;
    this.terms = more.terms;
    /** When to try again, in milliseconds, if the server said so. */
    this.retryAfterMs = more.retryAfterMs;
  }

  /** Whether a new token would help. */
  get isTokenGone() {
    return this.status === 401;
  }
}

/** No answer: the server cannot be reached (`status` 0, code `unreachable`). */
export class Unreachable extends Problem {
  /** @param {string} [detail] */
  constructor(detail = "The server cannot be reached. Trying again may help.") {
    super(0, "unreachable", detail);
  }
}

/** No answer in time. */
export class TimedOut extends Unreachable {
  /** @param {number} withinMs */
  constructor(withinMs) {
    super(`The server did not answer within ${Math.round(withinMs / 1000)} s. Trying again may help.`);
  }
}

/** 402: `terms` says what is missing. */
export class PaymentRequired extends Problem {}
/** 401: sign in again. */
export class TokenGone extends Problem {}
/** 403: this account may not. */
export class Forbidden extends Problem {}
/** 404 and 410: it is not there, or not any more. */
export class NotThere extends Problem {}
/** 409: it cannot be so with what is there now. */
export class Conflict extends Problem {}
/** 429: `retryAfterMs` says when it may be asked again. */
export class TooOften extends Problem {}

/** @type {Record<number, typeof Problem>} */
const CLASSES = {
  401: TokenGone,
  402: PaymentRequired,
  403: Forbidden,
  404: NotThere,
  409: Conflict,
  410: NotThere,
  429: TooOften,
};

/**
 * The problem that a refused response describes.
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function problemOf(response) {
  /** @type {Record<string, any>} */
  let body = {};
  try {
    body = JSON.parse(await response.text()) ?? {};
  } catch {
    // Not every refusal on the way is ours: a proxy may answer with a page.
  }
  const Kind = CLASSES[response.status] ?? Problem;
  return new Kind(
    response.status,
    String(body.code ?? "unexpected"),
    String(body.detail ?? body.title ?? `The server answered ${response.status}.`),
    {
      type: body.type,
      title: body.title,
      field: body.field,
      terms: body.terms,
      retryAfterMs: waitMs(response.headers.get("Retry-After")),
    },
  );
}

/**
 * @param {string | null} value of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3)
 * @returns {number | undefined}
 */
function waitMs(value) {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? ms : undefined;
}
