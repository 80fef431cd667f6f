import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AmountError,
  costOf,
  formatAmount,
  formatBrief,
  formatClock,
  formatTime,
  fromWire,
  parseAmount,
  perSecond,
  secondsFor,
} from "../../../streaming/pages/static/amounts.js";

const UNIT = 10n ** 12n;
const plain = (text) => text.replaceAll("\u202f", " ").replaceAll("\u00a0", " ").replaceAll("\u2009", " ");

test("what was typed becomes an exact whole number", () => {
  assert.equal(parseAmount("0.6", 12), 600_000_000_000n);
  assert.equal(parseAmount(" 1 000,5 ", 12), 1000n * UNIT + UNIT / 2n);
  assert.equal(parseAmount(".000000000001", 12), 1n);
  assert.equal(parseAmount("7", 0), 7n);
  assert.equal(parseAmount("340282366920938463463374607431768211455", 0), 2n ** 128n - 1n);
  assert.equal(parseAmount("1.500", 1), 15n, "zeros at the end are no digits too many");
});

test("what is no amount is refused in words", () => {
  for (const text of ["", "  ", ".", "-1", "1e3", "0x10", "1.2.3", "ten", "∞"]) {
    assert.throws(() => parseAmount(text, 12), AmountError, `“${text}”`);
  }
  assert.throws(() => parseAmount("0.0000000000001", 12), /At most 12 digits/);
});

test("amounts of the API must be whole", () => {
  assert.equal(fromWire("340282366920938463463374607431768211455"), 2n ** 128n - 1n);
  assert.equal(fromWire(5), 5n);
  for (const value of ["1.5", "", null, undefined, 2 ** 60, 0.5, "0x1"]) {
    assert.throws(() => fromWire(value), AmountError);
  }
});

test("formatting loses nothing, and parsing brings it back", () => {
  const samples = [0n, 1n, 999n, UNIT - 1n, UNIT, UNIT + 1n, 1_234_567n * UNIT, 2n ** 128n - 1n];
  for (const value of samples) {
    assert.equal(parseAmount(formatAmount(value, 12), 12), value);
  }
  assert.equal(plain(formatAmount(600_000_000_000n, 12, "UNIT")), "0.6 UNIT");
  assert.equal(plain(formatAmount(1_234_567n * UNIT, 12)), "1 234 567");
  assert.equal(formatAmount(-UNIT / 2n, 12), "−0.5");
  assert.equal(formatAmount(42n, 0), "42");
});

test("a brief amount says when something was cut off, and never rounds up", () => {
  assert.equal(plain(formatBrief(600_000_000_000n, 12)), "0.6");
  assert.equal(plain(formatBrief(123_456_789n, 12)), "≈ 0.0001234");
  assert.equal(plain(formatBrief(1_999_999_999_999n, 12)), "≈ 1.9999");
  assert.equal(plain(formatBrief(1n, 12)), "0.000000000001");
});

test("a price for a longer time is rounded down to the second", () => {
  assert.equal(perSecond(60_000_000_000n, 60), 1_000_000_000n);
  assert.equal(perSecond(100n, 60), 1n);
  assert.equal(costOf(1_000_000_000n, 600), 600_000_000_000n);
  assert.equal(costOf(5n, -3), 0n);
  assert.equal(costOf(5n, 1.9), 5n);
});

test("how long an amount lasts", () => {
  assert.equal(secondsFor(599n, 10n), 59);
  assert.equal(secondsFor(1n, 0n), null, "a free stream lasts for ever");
  assert.equal(secondsFor(2n ** 120n, 1n), Number.MAX_SAFE_INTEGER);
});

test("times as people say them", () => {
  assert.equal(plain(formatTime(58)), "58 s");
  assert.equal(plain(formatTime(598)), "9 min 58 s");
  assert.equal(plain(formatTime(600)), "10 min");
  assert.equal(plain(formatTime(7_500)), "2 h 5 min");
  assert.equal(plain(formatTime(86_400)), "1 day");
  assert.equal(plain(formatTime(273_600)), "3 days 4 h");
  assert.equal(plain(formatTime(-5)), "0 s");
  assert.equal(formatClock(598), "9:58");
  assert.equal(formatClock(3_723), "1:02:03");
});
