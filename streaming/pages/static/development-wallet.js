/**
 * The accounts of a development chain as a wallet of this page, where the server offers them: their
 * keys are public, so the relayer signs for whoever asks. Nothing on such a chain has a value, and
 * on every other chain the relayer refuses.
 * @module
 */

import * as api from "./api.js";

/** The name among the wallets. */
export const DEVELOPMENT = "paystream-development";

/** @type {Promise<void> | null} */
let offered = null;

/** Puts the wallet among the injected ones if this server's chain is a development chain. */
export function offerDevelopmentAccounts() {
  offered ??= offer();
  return offered;
}

async function offer() {
  let accounts;
  try {
    ({ development_accounts: accounts } = await api.info());
  } catch {
    offered = null; // The page says by itself that the server is away.
    return;
  }
  if (!accounts || accounts.length === 0) return;
  /** @type {any} */ (window).injectedWeb3 = {
    .../** @type {any} */ (window).injectedWeb3,
    [DEVELOPMENT]: { version: "1.0.0", enable: async () => walletOf(accounts) },
  };
}

/** @param {{address: string, name: string, type: string}[]} accounts */
function walletOf(accounts) {
  const listed = accounts.map((account) => ({ ...account, name: `${account.name} (development)` }));
  return {
    accounts: { get: async () => listed },
    signer: {
      /** @param {Record<string, any>} payload */
      signPayload: (payload) => api.signForDevelopment(payload.address, "payload", payload),
      /** @param {{address: string, data: string}} raw */
      signRaw: ({ address, data }) => api.signForDevelopment(address, "raw", data),
    },
  };
}
