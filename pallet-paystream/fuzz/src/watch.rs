// SPDX-License-Identifier: Apache-2.0

//! What must hold after every call, and across it.

use crate::{outside::Outside, story::Action};
use frame::{
	deps::{frame_support::storage::storage_prefix, sp_io, sp_io::hashing::twox_128},
	traits::fungibles::Inspect,
};
use pallet_paystream::{
	Grant, GrantId, Grants, NextGrantId, NextStreamId, Session, SessionIndex, Sessions, Stream,
	StreamId, StreamStatus, Streams,
};
use paystream_oracle::runtime::{AllAssets, Kind, PayStream, Runtime, ASSETS};
use std::collections::BTreeMap;

/// What is compared across a call.
pub struct Snapshot {
	next: (StreamId, GrantId),
	issuance: Vec<u128>,
	streams: BTreeMap<StreamId, Stream<Runtime>>,
	grants: BTreeMap<GrantId, Grant<Runtime>>,
	sessions: BTreeMap<(GrantId, SessionIndex), Session<Runtime>>,
	/// Everything that is stored, of whatever pallet, but for events and the block's own numbers.
	stored: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// All keys and values in storage, of `System` the accounts alone.
fn stored() -> BTreeMap<Vec<u8>, Vec<u8>> {
	let (system, accounts) = (twox_128(b"System"), storage_prefix(b"System", b"Account"));
	let next = |key: &Vec<u8>| sp_io::storage::next_key(key);
	std::iter::successors(next(&Vec::new()), next)
		.filter(|key| !key.starts_with(&system) || key.starts_with(&accounts))
		.map(|key| {
			let value = sp_io::storage::get(&key).map_or_else(Vec::new, |value| value.to_vec());
			(key, value)
		})
		.collect()
}

impl Snapshot {
	/// The ledger now.
	pub fn take() -> Self {
		let kinds = [Kind::Native].into_iter().chain(ASSETS.map(|(id, ..)| Kind::WithId(id)));
		Self {
			next: (NextStreamId::<Runtime>::get(), NextGrantId::<Runtime>::get()),
			issuance: kinds.map(AllAssets::total_issuance).collect(),
			streams: Streams::<Runtime>::iter().collect(),
			grants: Grants::<Runtime>::iter().collect(),
			sessions: Sessions::<Runtime>::iter().map(|(id, i, s)| ((id, i), s)).collect(),
			stored: stored(),
		}
	}

	/// I1 to I5 now, and I6 and I7 since `before`.
	pub fn follows(&self, before: &Self, counted: bool, action: &Action) {
		if let Err(broken) = PayStream::do_try_state() {
			panic!("{broken:?} after {action:?}");
		}
		if !matches!(action, Action::Outside(Outside::Destroy { .. })) {
			assert_eq!(self.issuance, before.issuance, "I7: {action:?} made or destroyed a token");
		}
		if !counted {
			assert!(self.stored == before.stored, "a refused {action:?} changed something");
		}
		assert!(
			self.next.0 >= before.next.0 && self.next.1 >= before.next.1,
			"I6: ids rise ({action:?})"
		);
		self.streams_follow(before, action);
		self.grants_follow(before, action);
		self.sessions_follow(before, action);
	}

	fn streams_follow(&self, before: &Self, action: &Action) {
		for (id, new) in &self.streams {
			let Some(old) = before.streams.get(id) else {
				assert!(*id >= before.next.0, "I6: a stream's id came again ({action:?})");
				continue;
			};
			let totals = |s: &Stream<Runtime>| {
				[s.earned_total, s.tips_total, s.subscribed_total, s.refunded_total]
			};
			let rise = totals(new).iter().zip(totals(old)).all(|(new, old)| *new >= old);
			assert!(rise && new.seconds >= old.seconds, "I6: a total fell ({action:?})");
			assert!(
				old.status != StreamStatus::Ended || new.status == old.status,
				"I6: an ended stream came back ({action:?})"
			);
		}
	}

	fn grants_follow(&self, before: &Self, action: &Action) {
		for (id, new) in &self.grants {
			let Some(old) = before.grants.get(id) else {
				assert!(*id >= before.next.1, "I6: a grant's id came again ({action:?})");
				continue;
			};
			assert!(
				new.next_index >= old.next_index
					&& new.spent >= old.spent
					&& new.seconds >= old.seconds
					&& new.tips_total >= old.tips_total
					&& new.renewals_total >= old.renewals_total
					&& new.freed_end_at >= old.freed_end_at
					&& new.ended_at <= old.ended_at,
				"I6: a grant went back ({action:?})"
			);
			assert_eq!(
				new.tips_left + new.tips_total,
				old.tips_left + old.tips_total,
				"I6: an allowance grew ({action:?})"
			);
		}
	}

	fn sessions_follow(&self, before: &Self, action: &Action) {
		for (place, new) in &self.sessions {
			let Some(old) = before.sessions.get(place) else {
				let next = before.grants.get(&place.0).map_or(0, |grant| grant.next_index);
				assert!(place.1 >= next, "I6: a session's index came again ({action:?})");
				let most = <Runtime as pallet_paystream::Config>::TickPriceMax::get();
				assert!(new.tick_price <= most, "I4: a tick price is bounded ({action:?})");
				continue;
			};
			assert!(
				new.seconds >= old.seconds
					&& new.funds >= old.funds
					&& new.fees >= old.fees
					&& new.billed_until >= old.billed_until
					&& new.ended_at <= old.ended_at,
				"I6: a session went back ({action:?})"
			);
		}
	}
}
