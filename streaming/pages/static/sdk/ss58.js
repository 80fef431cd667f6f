/**
 * Addresses: only as much of SS58 as a page needs, which is to tell whether two addresses are
 * the same account (wallets may write one account with different network prefixes).
 * The checksum is not verified: the relayer does that.
 * @module
 */

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/**
 * The account's public key as `0x` and 64 hexadecimal digits, or `null` if this is no address.
 * @param {string} address
 * @returns {string | null}
 */
export function publicKeyOf(address) {
  if (/^0x[0-9a-fA-F]{64}$/.test(address)) return address.toLowerCase();
  let number = 0n;
  for (const letter of address) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) return null;
    number = number * 58n + BigInt(digit);
  }
  const zeros = /^1*/.exec(address)?.[0].length ?? 0;
  let hex = number.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  hex = "00".repeat(zeros) + (number === 0n ? "" : hex);
  const bytes = hex.length / 2;
  // One or two bytes of prefix, thirty-two of key, two of checksum.
  if (bytes !== 35 && bytes !== 36) return null;
  return `0x${hex.slice((bytes - 34) * 2, -4)}`;
}

/**
 * @param {string | null | undefined} one
 * @param {string | null | undefined} other
 * @returns {boolean} whether both name the same account
 */
export function sameAccount(one, other) {
  if (!one || !other) return false;
  const key = publicKeyOf(one);
  return key !== null && key === publicKeyOf(other);
}

/**
 * `5Grwva…utQY`, for places where the whole address does not fit.
 * @param {string} address
 * @returns {string}
 */
export function shortAddress(address) {
  return address.length <= 14 ? address : `${address.slice(0, 6)}…${address.slice(-4)}`;
}
