//! Who pays for a stream in the tests of a runtime: viewers, their grants, and what the grants' key signs.

use crate::{configs::AssetKind, constants::*, *};
use frame_support::traits::Currency;
use pallet_paystream::{
	DelegateKey, DelegateSignature, GrantTerms, Order, OrderOf, SignedOrder, SignedOrderOf,
};
use sp_core::{sr25519, Pair};
use sp_keyring::Sr25519Keyring;

/// When a test's first block comes.
pub(super) const BEGIN_MS: u64 = 1_000_000_000;
/// The rate of the stream, in the smallest unit.
pub(super) const RATE: Balance = MICRO_UNIT;
/// How many sessions a grant allows at a time.
pub(super) const SESSIONS: u32 = 16;

/// An account of a viewer, by number.
pub(super) fn viewer(number: u8) -> AccountId {
	[number.wrapping_add(100); 32].into()
}

fn key() -> sr25519::Pair {
	sr25519::Pair::from_seed(&[7; 32])
}

fn sign(message: &[u8]) -> DelegateSignature {
	DelegateSignature::Sr25519(key().sign(message).0)
}

pub(super) fn order_call(grant: u64, order: OrderOf<Runtime>) -> RuntimeCall {
	let signature = sign(&PayStream::order_bytes(grant, &order));
	RuntimeCall::PayStream(pallet_paystream::Call::submit { grant, order, signature })
}

pub(super) fn item(grant: u64, order: OrderOf<Runtime>) -> SignedOrderOf<Runtime> {
	let signature = sign(&PayStream::order_bytes(grant, &order));
	SignedOrder { grant, order, signature }
}

/// Make a call as an account, beside the transactions of the block.
pub(super) fn by(who: AccountId, call: pallet_paystream::Call<Runtime>) {
	use sp_runtime::traits::Dispatchable;
	RuntimeCall::PayStream(call).dispatch(RuntimeOrigin::signed(who)).expect("it is allowed");
}

/// Alice's stream, and so many viewers with so many grants, each with one session less open than it
/// allows.
pub(super) fn audience(viewers: u8, grants: u64, funds: Balance) {
	let alice = Sr25519Keyring::Alice.to_account_id();
	let create = pallet_paystream::Call::create_stream {
		asset: AssetKind::Native,
		rate_per_second: RATE,
		payees: Default::default(),
		funds_min: 0,
		gap_min_ms: 0,
	};
	by(alice, create);
	for number in 0..viewers {
		give(viewer(number), grants);
	}
	for grant in 0..u64::from(viewers) * grants {
		open_all(grant, funds);
	}
}

/// So many grants of a viewer's, with money for all their sessions.
pub(super) fn give(who: AccountId, grants: u64) {
	let _ = Balances::make_free_balance_be(&who, 1_000 * UNIT);
	let asset = AssetKind::Native;
	let amount = 100 * UNIT;
	by(who.clone(), pallet_paystream::Call::deposit { asset: asset.clone(), amount });
	for _ in 0..grants {
		let terms = GrantTerms {
			asset: asset.clone(),
			rate_max_per_second: RATE,
			cap: UNIT,
			sessions_max: SESSIONS,
			gap_ms: 120_000,
			expires_at: BEGIN_MS + 1_000_000_000,
			tips_max: 0,
			renewals_max: 0,
		};
		let proof = sign(&PayStream::grant_bytes(&who));
		let key = DelegateKey::Sr25519(key().public().0);
		by(who.clone(), pallet_paystream::Call::grant { key, proof, terms });
	}
}

/// All sessions of a grant but one are opened, in the paid lane.
pub(super) fn open_all(grant: u64, funds: Balance) {
	let start_at = PayStream::now();
	let open = |index| {
		item(
			grant,
			Order::Open {
				index,
				stream: 0,
				rate_per_second: RATE,
				funds,
				start_at,
				tick_price_max: 0,
			},
		)
	};
	let orders: Vec<_> = (0..SESSIONS - 1).map(open).collect();
	let orders = orders.try_into().expect("it is short enough");
	by(Sr25519Keyring::Bob.to_account_id(), pallet_paystream::Call::submit_batch { orders });
}
