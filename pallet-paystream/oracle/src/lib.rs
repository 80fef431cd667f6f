// SPDX-License-Identifier: Apache-2.0

//! The ledger in a runtime in memory: calls in, results, events and entries out.
//!
//! [`Oracle`] is the whole of it. The binary speaks JSON lines with the Python model's driver
//! (`tests/model/`). Whoever has calls from elsewhere takes [`runtime::genesis`], [`call::dispatch`] and
//! [`keys::Keyring`].

pub mod call;
pub mod keys;
pub mod plain;
pub mod report;
pub mod runtime;

use call::Request;
use frame::testing_prelude::TestState;
use keys::Keyring;

/// A ledger, from its genesis on.
pub struct Oracle {
	state: TestState,
	keys: Keyring,
}

impl Default for Oracle {
	fn default() -> Self {
		Self { state: runtime::genesis(), keys: Keyring::default() }
	}
}

impl Oracle {
	/// Make calls in turn, and append to `out` a JSON list of what came of each.
	pub fn run(&mut self, requests: Vec<Request>, out: &mut String) {
		let Self { state, keys } = self;
		state.execute_with(|| {
			out.push('[');
			for (place, request) in requests.into_iter().enumerate() {
				if place > 0 {
					out.push(',');
				}
				call::make(request, keys, out);
			}
			out.push(']');
		});
	}
}
