//! The ledger of streams, vaults, grants and sessions.

use super::money::{AssetKind, NativeAndAssets};
use crate::{constants::*, *};
use frame_support::{
	parameter_types,
	traits::{ConstU128, ConstU32, ConstU64},
	PalletId,
};
use frame_system::EnsureRoot;
use sp_runtime::{traits::AccountIdConversion, Perbill, Permill};

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
	pub const FreeShare: Perbill = Perbill::from_percent(25);
	pub const NativeAsset: AssetKind = AssetKind::Native;
	pub const TreasuryShareMax: Permill = Permill::from_percent(20);
	/// Keyless: what the operator earns leaves it by root alone.
	pub Treasury: AccountId = PalletId(*b"paystrtr").into_account_truncating();
}

impl pallet_paystream::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type AssetKind = AssetKind;
	type NativeAsset = NativeAsset;
	type Assets = NativeAndAssets;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<AccountId>;
	type Treasury = Treasury;
	type PalletId = LedgerPalletId;
	type HeadStartMaxMs = ConstU64<6_000>;
	type SettlementWindowMs = ConstU64<60_000>;
	type MinTickSeconds = ConstU32<5>;
	type FundBelowSeconds = ConstU32<60>;
	type FreeShare = FreeShare;
	type GapMinMs = ConstU64<10_000>;
	type GapMaxMs = ConstU64<3_600_000>;
	type MaxPayees = ConstU32<8>;
	type MaxSessionsPerGrant = ConstU32<16>;
	type MaxStops = ConstU32<16>;
	type MaxTiers = ConstU32<8>;
	type MaxBatchOrders = ConstU32<1_000>;
	type MaxTipMessage = ConstU32<140>;
	type PeriodMinMs = ConstU64<60_000>;
	type TreasuryShareMax = TreasuryShareMax;
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

/// Moves the clock for the benchmarks, past Aura's check of the slot.
#[cfg(feature = "runtime-benchmarks")]
pub struct SetNow;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_paystream::BenchmarkHelper for SetNow {
	fn set_time(now_ms: u64) {
		pallet_timestamp::Now::<Runtime>::put(now_ms);
	}
}
