// SPDX-License-Identifier: Apache-2.0

//! What a runtime may configure the ledger with where it has nothing of its own.

use crate::{BalanceOf, Config};
use frame::{prelude::*, token::fungible};

/// What `ITEMS` entries of `BYTES` bytes together are worth, by the measure of the native asset's
/// minimum balance, with which the chain has already priced an account's entry: ten times that for
/// each entry, and a tenth of it for each byte.
pub struct StorageDeposit<T, const ITEMS: u32, const BYTES: u32>(PhantomData<T>);

impl<T: Config, const ITEMS: u32, const BYTES: u32> Get<BalanceOf<T>>
	for StorageDeposit<T, ITEMS, BYTES>
{
	fn get() -> BalanceOf<T> {
		let tenths = ITEMS.saturating_mul(100).saturating_add(BYTES);
		let least = <T::NativeHold as fungible::Inspect<T::AccountId>>::minimum_balance();
		least.saturating_mul(tenths.into()).checked_div(&10u32.into()).unwrap_or_default()
	}
}

/// So many times the native asset's minimum balance.
pub struct MinimumBalances<T, const COUNT: u32>(PhantomData<T>);

impl<T: Config, const COUNT: u32> Get<BalanceOf<T>> for MinimumBalances<T, COUNT> {
	fn get() -> BalanceOf<T> {
		let least = <T::NativeHold as fungible::Inspect<T::AccountId>>::minimum_balance();
		least.saturating_mul(COUNT.into())
	}
}

/// An account without a key, apart from the pot: what the operator earns leaves it by root alone.
pub struct KeylessTreasury;

impl<AccountId: Encode + Decode> Get<AccountId> for KeylessTreasury {
	fn get() -> AccountId {
		PalletId(*b"paystrtr").into_account_truncating()
	}
}

/// Sets a clock that keeps its milliseconds in a storage value, as `pallet-timestamp` does in `Now`.
/// `Asset` says what is measured with: `Get<Option<AssetKind>>`, by default the native asset.
#[cfg(feature = "runtime-benchmarks")]
pub struct StoredClock<Now, Asset = ()>(PhantomData<(Now, Asset)>);

#[cfg(feature = "runtime-benchmarks")]
impl<Now, Asset, AssetKind> crate::BenchmarkHelper<AssetKind> for StoredClock<Now, Asset>
where
	Now: frame::deps::frame_support::StorageValue<crate::Moment>,
	Asset: Get<Option<AssetKind>>,
{
	fn set_time(now_ms: crate::Moment) {
		// Not by the pallet's own call, of which others are told: Aura would miss its slot.
		Now::put(now_ms);
		// Every block writes it before its first call: no call fetches it from the database.
		frame::benchmarking::prelude::add_to_whitelist(Now::hashed_key().to_vec().into());
	}

	fn dearest_asset() -> Option<AssetKind> {
		Asset::get()
	}
}
