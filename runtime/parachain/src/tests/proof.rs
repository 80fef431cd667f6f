//! How much of a proof of validity a batch of ticks takes.

use super::{audience::*, blocks::*, *};
use codec::Encode;
use pallet_paystream::{Order, Sessions, WeightInfo};

/// Grants that tick. Each has sessions beside the one that does.
const VIEWERS: u8 = 125;
const GRANTS: u64 = 4;
const TICKS: u64 = VIEWERS as u64 * GRANTS;
/// Sessions of others, so that the trie is as deep as a busy chain's.
const OTHERS: u64 = 100_000;

/// The entries that a batch of ticks reads, one of each grant, with the nodes of the trie that lead to them, in bytes.
fn proof_of_batch(ticks: u64) -> u64 {
	let mut chain = chain("development");
	chain.execute_with(|| {
		begin(0);
		audience(VIEWERS, GRANTS, 100 * RATE);
		let session = Sessions::<Runtime>::get(0, 0).expect("it was opened");
		for grant in TICKS..TICKS + OTHERS {
			Sessions::<Runtime>::insert(grant, 0, &session);
		}
		finish();
		begin(12);
	});
	chain.commit_all().expect("nothing is left open");
	let (_, proof) = chain.execute_and_prove(|| {
		let tick = |grant| item(grant, Order::Tick { index: 0, seconds: 12 });
		let orders: Vec<_> = (0..ticks).map(tick).collect();
		let orders = orders.try_into().expect("it is short enough");
		by(Sr25519Keyring::Bob.to_account_id(), pallet_paystream::Call::submit_batch { orders });
	});
	proof.encoded_size() as u64
}

/// The readme has what was measured. What the weight reckons with is more, so that no batch makes a block that the
/// relay chain refuses.
#[test]
fn the_readme_says_how_large_the_proof_of_a_batch_is() {
	let (one, many) = (proof_of_batch(1), proof_of_batch(TICKS));
	let weighed = <Runtime as pallet_paystream::Config>::WeightInfo::submit_batch(TICKS as u32);
	assert!(many < weighed.proof_size(), "{many} bytes, weighed as {}", weighed.proof_size());
	let said = format!(
		"{} kB; of one tick {:.1} kB. Its weight reckons with {:.2} MB",
		many / 1_000,
		one as f64 / 1e3,
		weighed.proof_size() as f64 / 1e6
	);
	let readme = include_str!("../../../../pallet-paystream/README.md");
	assert!(readme.contains(&said), "the readme does not say: {said}");
}
