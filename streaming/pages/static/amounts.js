/**
 * Money and time as people read them.
 *
 * Money is a BigInt in the asset's smallest unit, always: it comes from decimal strings and
 * goes back as decimal strings, and never passes through a Number.
 * @module
 */

/** A text that is no amount; `message` says what is wrong and how to mend it. */
export class AmountError extends Error {}

/**
 * An amount as the API writes it (a decimal string of smallest units).
 * @param {string | number | bigint | null | undefined} value
 * @returns {bigint}
 */
export function fromWire(value) {
  if (typeof value === "bigint") return value;
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new AmountError(`“${String(value)}” is not a whole number of smallest units.`);
}

/**
 * What a person typed, such as `0.6`, `1,5` or `1 000`, in smallest units.
 * @param {string} text
 * @param {number} decimals of the asset, 0 to 30
 * @returns {bigint}
 * @throws {AmountError} if it is empty, no number, negative, or finer than the asset allows
 */
export function parseAmount(text, decimals) {
  const cleaned = text.trim().replace(/[\s\u00a0\u2009\u202f_]/g, "").replace(",", ".");
  if (cleaned === "") throw new AmountError("Enter an amount.");
  const match = /^(\d*)(?:\.(\d*))?$/.exec(cleaned);
  if (!match || (match[1] === "" && !match[2])) {
    throw new AmountError("Write the amount as a number, such as 0.6.");
  }
  const fraction = (match[2] ?? "").replace(/0+$/, "");
  if (fraction.length > decimals) {
    throw new AmountError(`At most ${decimals} digits may follow the point.`);
  }
  return BigInt((match[1] || "0") + fraction.padEnd(decimals, "0"));
}

/**
 * The exact amount, without trailing zeros: `0.6 UNIT`.
 * @param {bigint} value
 * @param {number} decimals
 * @param {string} [symbol] is appended if given
 * @returns {string}
 */
export function formatAmount(value, decimals, symbol = "") {
  const sign = value < 0n ? "−" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals) || "0";
  const fraction = decimals === 0 ? "" : digits.slice(-decimals).replace(/0+$/, "");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  return `${sign}${grouped}${fraction ? `.${fraction}` : ""}${symbol ? `\u00a0${symbol}` : ""}`;
}

/**
 * An amount for a glance: at most `significant` digits after the leading zeros of its
 * fraction, rounded down, with `≈` in front where something was cut off.
 * @param {bigint} value
 * @param {number} decimals
 * @param {string} [symbol]
 * @param {number} [significant]
 * @returns {string}
 */
export function formatBrief(value, decimals, symbol = "", significant = 4) {
  const unit = 10n ** BigInt(decimals);
  const fraction = ((value < 0n ? -value : value) % unit).toString().padStart(decimals, "0");
  const leading = value < unit && value > -unit ? (/^0*/.exec(fraction)?.[0].length ?? 0) : 0;
  const kept = Math.min(decimals, leading + significant);
  const step = 10n ** BigInt(decimals - kept);
  const cut = value - (value % step);
  return `${cut === value ? "" : "≈\u2009"}${formatAmount(cut, decimals, symbol)}`;
}

/**
 * What `seconds` cost at a price.
 * @param {bigint} ratePerSecond
 * @param {number} seconds whole, not negative
 * @returns {bigint}
 */
export function costOf(ratePerSecond, seconds) {
  return ratePerSecond * BigInt(Math.max(0, Math.floor(seconds)));
}

/**
 * How many whole seconds an amount lasts; `null` if the price is zero.
 * @param {bigint} amount
 * @param {bigint} ratePerSecond
 * @returns {number | null}
 */
export function secondsFor(amount, ratePerSecond) {
  if (ratePerSecond <= 0n) return null;
  const seconds = amount / ratePerSecond;
  return seconds > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(seconds);
}

/**
 * The price per second that comes nearest below a price per `period` seconds.
 * @param {bigint} amount
 * @param {number} period seconds, at least 1
 * @returns {bigint}
 */
export function perSecond(amount, period) {
  return amount / BigInt(period);
}

/**
 * `58 s`, `9 min 58 s`, `2 h 5 min`, `3 days 4 h`.
 * @param {number} seconds
 * @returns {string}
 */
export function formatTime(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const parts = (/** @type {[number, string][]} */ pairs) =>
    pairs
      .filter(([count], position) => count > 0 || position === 0)
      .map(([count, unit]) => `${count}\u00a0${unit}`)
      .join(" ");
  if (s < 60) return parts([[s, "s"]]);
  if (s < 3600) return parts([[Math.floor(s / 60), "min"], [s % 60, "s"]]);
  if (s < 86400) return parts([[Math.floor(s / 3600), "h"], [Math.floor((s % 3600) / 60), "min"]]);
  const days = Math.floor(s / 86400);
  return parts([[days, days === 1 ? "day" : "days"], [Math.floor((s % 86400) / 3600), "h"]]);
}

/**
 * A time whose width stays the same while it runs: `9:58`, `1:02:03`.
 * @param {number} seconds
 * @returns {string}
 */
export function formatClock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}
