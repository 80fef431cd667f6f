//! The ledger of streams, vaults, grants and sessions.

use super::money::{AssetKind, NativeAndAssets};
use crate::{constants::*, *};
use frame_support::{derive_impl, parameter_types, traits::ConstU128, PalletId};
use frame_system::EnsureRoot;
use sp_runtime::traits::AccountIdConversion;

/// What a stream's entry takes: its fields with a full list of stops, and its key.
const STREAM_DEPOSIT: Balance = deposit(1, 400);
/// What a tier takes: its place in the list, and the list's entry.
const TIER_DEPOSIT: Balance = deposit(1, 50);
/// What a subscription takes.
const SUBSCRIPTION_DEPOSIT: Balance = deposit(1, 130);
/// What a payee takes: their place in the stream, and a vault that a claim may have to open.
const PAYEE_DEPOSIT: Balance = deposit(1, 125);
/// What a grant takes: its own entry and the one by which its viewer finds it.
const GRANT_DEPOSIT: Balance = deposit(2, 350);
/// What each session takes that a grant allows at a time.
const SESSION_DEPOSIT: Balance = deposit(1, 240);

parameter_types! {
	pub const LedgerPalletId: PalletId = PalletId(*b"paystrm ");
	pub const NativeAsset: AssetKind = AssetKind::Native;
	/// Keyless: what the operator earns leaves it by root alone.
	pub Treasury: AccountId = PalletId(*b"paystrtr").into_account_truncating();
}

#[derive_impl(pallet_paystream::config_preludes::SolochainDefaultConfig)]
impl pallet_paystream::Config for Runtime {
	type AssetKind = AssetKind;
	type NativeAsset = NativeAsset;
	type Assets = NativeAndAssets;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<AccountId>;
	type Treasury = Treasury;
	type PalletId = LedgerPalletId;
	type StreamDepositPerTier = ConstU128<TIER_DEPOSIT>;
	type SubscriptionDeposit = ConstU128<SUBSCRIPTION_DEPOSIT>;
	type StreamDepositBase = ConstU128<STREAM_DEPOSIT>;
	type StreamDepositPerPayee = ConstU128<PAYEE_DEPOSIT>;
	type GrantDepositBase = ConstU128<GRANT_DEPOSIT>;
	type GrantDepositPerSession = ConstU128<SESSION_DEPOSIT>;
	type WeightInfo = pallet_paystream::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = SetNow;
}

/// Moves the clock for the benchmarks, past Aura's check of the slot, and makes their asset.
#[cfg(feature = "runtime-benchmarks")]
pub struct SetNow;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_paystream::BenchmarkHelper<AssetKind> for SetNow {
	fn set_time(now_ms: u64) {
		pallet_timestamp::Now::<Runtime>::put(now_ms);
		// Every block writes it before its first call: no call fetches it from the database.
		let now = pallet_timestamp::Now::<Runtime>::hashed_key().to_vec();
		frame_benchmarking::benchmarking::add_to_whitelist(now.into());
	}

	// A transfer touches the asset and both balances beside the accounts; a sufficient asset makes them.
	fn dearest_asset() -> AssetKind {
		const ID: u32 = u32::MAX;
		if pallet_assets::Asset::<Runtime>::get(ID).is_none() {
			let owner = AccountId::new([1; 32]);
			let created =
				Assets::force_create(RuntimeOrigin::root(), ID.into(), owner.into(), true, 1_000);
			assert!(created.is_ok());
		}
		AssetKind::WithId(ID)
	}
}
