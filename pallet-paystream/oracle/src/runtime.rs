// SPDX-License-Identifier: Apache-2.0

//! The runtime: constants so small that boundaries are near. `tests/model/traffic.py` has the same.

use frame::{
	deps::{
		frame_support::{ord_parameter_types, weights::constants::ParityDbWeight},
		frame_system::EnsureSignedBy,
		sp_runtime::BuildStorage as _,
	},
	testing_prelude::*,
	token::fungible::{NativeFromLeft, NativeOrWithId, UnionOf},
	traits::AsEnsureOriginWithArg,
};
use polkadot_sdk::{pallet_assets, pallet_balances, pallet_timestamp};

/// Names an asset.
pub type Kind = NativeOrWithId<u32>;
/// All assets, the native one included.
pub type AllAssets = UnionOf<Balances, Assets, NativeFromLeft, Kind, u64>;

type Block = MockBlock<Runtime>;

construct_runtime!(
	pub enum Runtime {
		System: frame_system = 0,
		Timestamp: pallet_timestamp = 1,
		Balances: pallet_balances = 2,
		Assets: pallet_assets = 3,
		PayStream: pallet_paystream = 10,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Runtime {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<u128>;
	type DbWeight = ParityDbWeight;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Runtime {}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
	type Balance = u128;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
}

#[derive_impl(pallet_assets::config_preludes::TestDefaultConfig)]
impl pallet_assets::Config for Runtime {
	type Balance = u128;
	type Currency = Balances;
	type CreateOrigin = AsEnsureOriginWithArg<EnsureSigned<u64>>;
	type ForceOrigin = EnsureRoot<u64>;
}

parameter_types! {
	pub const NativeAsset: Kind = NativeOrWithId::Native;
	pub const PayStreamPalletId: PalletId = PalletId(*b"paystrm0");
	pub const FreeShare: Perbill = Perbill::from_percent(25);
	pub const Whole: Perbill = Perbill::one();
	pub const TreasuryShareMax: Permill = Permill::from_percent(30);
	pub const TickPriceMax: u128 = 100;
}

ord_parameter_types! {
	pub const Guard: u64 = GUARD;
}

impl pallet_paystream::Config for Runtime {
	type RuntimeHoldReason = RuntimeHoldReason;
	type AssetKind = Kind;
	type NativeAsset = NativeAsset;
	type Assets = AllAssets;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<u64>;
	type Treasury = ConstU64<TREASURY>;
	type PalletId = PayStreamPalletId;
	type HeadStartMaxMs = ConstU64<6_000>;
	type SettlementWindowMs = ConstU64<20_000>;
	type BlockGapMaxMs = ConstU64<90_000>;
	type HaltMaxMs = ConstU64<400_000>;
	type MinTickSeconds = ConstU32<5>;
	type FundBelowSeconds = ConstU32<20>;
	type FreeShare = FreeShare;
	type GapMinMs = ConstU64<10_000>;
	type GapMaxMs = ConstU64<60_000>;
	type MaxPayees = ConstU32<3>;
	type MaxSessionsPerGrant = ConstU32<3>;
	type MaxStops = ConstU32<4>;
	type MaxTiers = ConstU32<3>;
	type MaxBatchOrders = ConstU32<6>;
	type MaxTipMessage = ConstU32<8>;
	type PeriodMinMs = ConstU64<30_000>;
	type TreasuryShareMax = TreasuryShareMax;
	type TickPriceMax = TickPriceMax;
	type EmergencyOrigin = EnsureSignedBy<Guard, u64>;
	type StreamDepositBase = ConstU128<20>;
	type StreamDepositPerPayee = ConstU128<3>;
	type StreamDepositPerTier = ConstU128<2>;
	type SubscriptionDeposit = ConstU128<7>;
	type GrantDepositBase = ConstU128<10>;
	type GrantDepositPerSession = ConstU128<2>;
	type WeightInfo = pallet_paystream::weights::SubstrateWeight<Runtime>;
	// The model knows whether the free lane is full, and not of whom.
	type OpenShare = Whole;
	type AccountShare = Whole;
	type ExtensionWeight = pallet_paystream::SystemExtensions<Runtime>;
	type BatchFee = ();
	type OrderPriority = ConstU64<0>;
	type OrderLongevity = ConstU64<64>;
	// The model judges as a block does.
	type PoolAheadMaxMs = ConstU64<0>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = SetTimestamp;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct SetTimestamp;
#[cfg(feature = "runtime-benchmarks")]
impl pallet_paystream::BenchmarkHelper<Kind> for SetTimestamp {
	fn set_time(now_ms: u64) {
		begin_block(now_ms);
	}

	fn dearest_asset() -> Option<Kind> {
		Some(Kind::WithId(ASSETS[0].0))
	}
}

pub const EXISTENTIAL_DEPOSIT: u128 = 10;
pub const ENDOWMENT: u128 = 20_000;
pub const BEGIN_MS: u64 = 1_000_000_000;
/// Owns the assets, gives and takes.
pub const BANK: u64 = 80;
/// Where the operator's share goes.
pub const TREASURY: u64 = 90;
/// Who may stop new money in an emergency; a holder.
pub const GUARD: u64 = 5;
/// Who has money at the beginning.
pub const HOLDERS: [u64; 6] = [1, 2, 3, 4, 5, BANK];
/// Id, minimum balance, and whether it is sufficient.
pub const ASSETS: [(u32, u128, bool); 3] = [(7, 3, true), (8, 5, false), (9, 1, true)];
/// Those of `ASSETS` that the ledger takes at first, beside the native one.
pub const ENABLED: [u32; 2] = [7, 8];

/// The state that every story begins with.
pub fn genesis() -> TestState {
	let accounts = ASSETS.iter().flat_map(|(id, ..)| HOLDERS.map(|who| (*id, who, ENDOWMENT)));
	let mut enabled_assets = vec![NativeOrWithId::Native];
	enabled_assets.extend(ENABLED.map(NativeOrWithId::WithId));
	let storage = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances: HOLDERS.map(|who| (who, ENDOWMENT)).to_vec(),
			..Default::default()
		},
		assets: pallet_assets::GenesisConfig {
			assets: ASSETS
				.map(|(id, minimum, sufficient)| (id, BANK, sufficient, minimum))
				.to_vec(),
			accounts: accounts.collect(),
			..Default::default()
		},
		pay_stream: pallet_paystream::GenesisConfig { enabled_assets, ..Default::default() },
		..Default::default()
	}
	.build_storage()
	.expect("the genesis is sound");
	let mut state = TestState::from(storage);
	state.execute_with(|| {
		// events are kept from the first block on only
		System::set_block_number(1);
		pallet_timestamp::Now::<Runtime>::put(BEGIN_MS);
	});
	state
}

/// End the present block, and begin the next one with its timestamp.
pub fn begin_block(time_ms: u64) {
	PayStream::on_finalize(System::block_number());
	System::set_block_consumed_resources(Weight::zero(), 0);
	PayStream::on_initialize(System::block_number() + 1);
	pallet_timestamp::Now::<Runtime>::put(time_ms);
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn constants_are_sound() {
		genesis().execute_with(<PayStream as Hooks<u64>>::integrity_test);
	}
}
