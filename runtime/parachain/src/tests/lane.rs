//! The free lane in real blocks of a parachain: time and proof of what its orders weigh.

use super::{audience::*, blocks::*, *};
use core::sync::atomic::{AtomicUsize, Ordering};
use frame_support::{dispatch::DispatchClass, weights::Weight};
use pallet_paystream::{FreeWeightUsed, Order, WeightInfo};
use sp_trie::{proof_size_extension::ProofSizeExt, ProofSizeProvider};

/// What an order adds to a block's proof here; a collator measures it.
const PROOF_BYTES: usize = 1_000;

/// A collator's recorder, which is asked twice about each order: before it and after it.
#[derive(Default)]
struct Recorder(AtomicUsize);

impl ProofSizeProvider for Recorder {
	fn estimate_encoded_size(&self) -> usize {
		self.0.fetch_add(1, Ordering::Relaxed).div_ceil(2) * PROOF_BYTES
	}
}

fn normal_weight_now() -> Weight {
	*System::block_weight().get(DispatchClass::Normal)
}

/// The time that is counted is what the block is charged, and of the proof no less than that; neither is more than
/// the lane's share of a block. The guide says how many ticks that are.
#[test]
fn a_lane_full_of_ticks_takes_its_share_of_time_and_proof() {
	let mut chain = chain("development");
	chain.execute_with(|| {
		begin(0);
		audience(150, 1, 100 * RATE);
		finish();
		begin(12);
	});
	chain.register_extension(ProofSizeExt::new(Recorder::default()));
	chain.execute_with(|| {
		let before = normal_weight_now();
		let inherents = u64::from(System::block_size());
		let ticks = (0..150u64)
			.flat_map(|grant| (0..SESSIONS - 1).map(move |index| (grant, index)))
			.map(|(grant, index)| order_call(grant, Order::Tick { index, seconds: 12 }));
		let (taken, left_out): (Vec<_>, Vec<_>) = ticks.partition(applied);
		assert!(!taken.is_empty() && !left_out.is_empty(), "{} were taken", taken.len());
		let count = taken.len() as u64;
		let charged = normal_weight_now().saturating_sub(before);
		let counted = FreeWeightUsed::<Runtime>::get();
		assert!(charged.all_lte(counted), "charged {charged:?}, counted {counted:?}");
		let unused = counted.saturating_sub(charged).div(count);
		assert!(unused.ref_time() < 1_000_000, "{unused:?} an order");
		// The first order's charge holds what its block had before it, too.
		let proof = charged.proof_size() - count * PROOF_BYTES as u64;
		assert!(proof <= inherents + u64::from(System::block_size()), "{proof} too many");
		assert!(counted.all_lte(PayStream::free_limit()), "{counted:?}");

		let in_batch = (1..).take_while(|ticks| {
			let weight = <Runtime as pallet_paystream::Config>::WeightInfo::submit_batch(*ticks);
			weight.all_lte(PayStream::free_limit())
		});
		let said = format!("{count} ticks by themselves, or {} in a batch", in_batch.count());
		let guide = include_str!("../../../../docs/chain-operator.md");
		assert!(guide.contains(&said), "the guide does not say: {said}");
	});
}
