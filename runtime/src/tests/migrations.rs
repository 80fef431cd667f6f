//! A migration that takes more than a block, in real blocks.

use super::{audience::audience, lane, *};
use frame_support::traits::StorageVersion;
use frame_system::LastRuntimeUpgradeInfo;
use pallet_paystream::{
	GrantsOfKey, Sessions, SessionsOf, Streams, StreamsOf, SubscriptionsOf, LOOKUP_MAX,
};
use sp_runtime::ExtrinsicInclusionMode::{AllExtrinsics, OnlyInherents};

/// More than a block can index.
const STREAMS: u64 = 8_000;

/// A chain of the version before, with many streams and with sessions on one of them, whose code was just
/// replaced. Returns the ledger's time.
fn of_version_3() -> u64 {
	lane::begin(0);
	audience(1, 2, MILLI_UNIT);
	let stream = Streams::<Runtime>::get(0).expect("it was created");
	for id in 1..STREAMS {
		Streams::<Runtime>::insert(id, &stream);
	}
	let _ = StreamsOf::<Runtime>::clear(u32::MAX, None);
	let _ = SessionsOf::<Runtime>::clear(u32::MAX, None);
	let _ = SubscriptionsOf::<Runtime>::clear(u32::MAX, None);
	let _ = GrantsOfKey::<Runtime>::clear(u32::MAX, None);
	StorageVersion::new(3).put::<PayStream>();
	lane::finish();
	let before = LastRuntimeUpgradeInfo { spec_version: 3.into(), spec_name: "paystream".into() };
	frame_system::LastRuntimeUpgrade::<Runtime>::put(before);
	PayStream::now()
}

#[test]
fn a_ledger_of_version_3_is_indexed_in_blocks_of_inherents_alone() {
	chain("development").execute_with(|| {
		let owner = Sr25519Keyring::Alice.to_account_id();
		let before_ms = of_version_3();
		let (mut blocks, mut second) = (0, 0);
		loop {
			// Slower than blocks are, so that the clock has something to leave out.
			second += 20;
			if lane::begin(second) == AllExtrinsics {
				break;
			}
			lane::finish();
			blocks += 1;
			assert!(System::block_weight().total().all_lte(MAXIMUM_BLOCK_WEIGHT));
			assert!(blocks < 10, "it comes to its end");
		}
		// By its weight an entry takes more than a tenth of a millisecond of the half second.
		assert!(blocks >= 2, "it takes more than a block: {blocks}");
		assert!(PayStream::is_indexed());
		assert_eq!(StreamsOf::<Runtime>::iter_key_prefix(&owner).count() as u64, STREAMS);
		let sessions = PayStream::sessions_of(0, None, LOOKUP_MAX).expect("it is complete");
		assert_eq!(sessions.len(), Sessions::<Runtime>::iter().count());
		assert!(!sessions.is_empty());
		let passed_ms = second * 1_000;
		let counted_ms = passed_ms.min(constant!(BlockGapMaxMs));
		assert_eq!(PayStream::now(), before_ms + counted_ms);
		lane::finish();
		assert_eq!(lane::begin(second + 2), AllExtrinsics);
		assert_eq!(PayStream::now(), before_ms + counted_ms + 2_000);
	});
}

#[test]
fn a_new_chain_has_nothing_to_migrate() {
	chain("development").execute_with(|| {
		let before =
			LastRuntimeUpgradeInfo { spec_version: 3.into(), spec_name: "paystream".into() };
		frame_system::LastRuntimeUpgrade::<Runtime>::put(before);
		assert_eq!(lane::begin(0), OnlyInherents);
		lane::finish();
		assert_eq!(lane::begin(2), AllExtrinsics);
		assert!(PayStream::is_indexed());
	});
}
