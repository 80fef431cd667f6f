// SPDX-License-Identifier: Apache-2.0

//! A libFuzzer target over sequences of calls. After each call the invariants of state (I1 to I5) are
//! checked by `try_state`, and across it those of transitions (I6, I7). `scripts/fuzz` builds and runs it.

#![no_main]

mod names;
mod outside;
mod story;
mod watch;

use libfuzzer_sys::fuzz_target;
use paystream_oracle::{keys::Keyring, runtime::genesis};
use story::{actions, Teller};
use watch::Snapshot;

/// A longer story finds nothing that two shorter ones would not, and is slower to tell.
const ACTIONS_MAX: usize = 48;

fuzz_target!(|bytes: &[u8]| {
	genesis().execute_with(|| {
		let mut teller = Teller::new(Keyring::default());
		let mut before = Snapshot::take();
		for action in &actions(bytes, ACTIONS_MAX) {
			let counted = teller.tell(action);
			let after = Snapshot::take();
			after.follows(&before, counted, action);
			before = after;
		}
	});
});
