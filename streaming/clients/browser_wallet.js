/**
 * A wallet for browsers that a program drives: the polkadot.js extension's interface
 * (`window.injectedWeb3`), with every signature made by that program. `paystreamSign` is a binding
 * of the driver, `paystreamAccounts` its list of accounts; no key comes into the page.
 */
(() => {
  const accounts = JSON.parse(window.paystreamAccounts ?? "[]");
  let counter = 0;
  const ask = async (kind, request) => {
    const answer = await window.paystreamSign(kind, JSON.stringify(request));
    if (answer === null) throw new Error("Cancelled");
    return { id: ++counter, signature: answer };
  };
  window.injectedWeb3 = {
    ...window.injectedWeb3,
    test: {
      version: "1.0.0",
      enable: async () => ({
        accounts: {
          get: async () => accounts,
          subscribe: (listener) => {
            listener(accounts);
            return () => {};
          },
        },
        signer: {
          signPayload: (payload) => ask("payload", payload),
          signRaw: (raw) => ask("raw", raw),
        },
      }),
    },
  };
})();
