//! The native token, further assets, and what a transaction costs.

use crate::{constants::*, *};
use frame_support::{
	parameter_types,
	traits::{
		fungible::{NativeFromLeft, NativeOrWithId, UnionOf},
		AsEnsureOriginWithArg, ConstU128, ConstU32, ConstU8, VariantCountOf,
	},
	weights::{ConstantMultiplier, Weight},
};
use frame_system::{EnsureRoot, EnsureSigned};
use pallet_transaction_payment::{
	FungibleAdapter, Multiplier, TargetedFeeAdjustment, WeightInfo as _,
};
use sp_runtime::{traits::Convert, FixedPointNumber, Perquintill};

/// Number of an asset beside the native one.
pub type AssetId = u32;
/// Any kind of money on this chain: the native token, or an asset by its number.
pub type AssetKind = NativeOrWithId<AssetId>;
/// All kinds of money through one interface.
pub type NativeAndAssets = UnionOf<Balances, Assets, NativeFromLeft, AssetKind, AccountId>;

/// Price of a picosecond of computing time: with it a transfer costs about a thousandth of a token.
const FEE_PER_WEIGHT: Balance = 3;
/// Price of a byte of an extrinsic.
const FEE_PER_BYTE: Balance = MICRO_UNIT;

parameter_types! {
	/// Fullness of a block's ordinary part above which fees rise and below which they fall. Orders of the
	/// free lane fill a third of it at the most: those who pay no fee must not raise it for the others.
	pub const TargetBlockFullness: Perquintill = Perquintill::from_percent(40);
	/// How fast fees follow fullness: a day of full blocks makes them about 2.2 times as high.
	pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(25, 1_000_000);
	/// Fees never fall below the listed price, so that filling empty blocks is never free.
	pub MinimumMultiplier: Multiplier = Multiplier::from_u32(1);
	/// Nor rise above a thousand times that.
	pub MaximumMultiplier: Multiplier = Multiplier::from_u32(1_000);
	/// What taking the fee weighs.
	pub WeightOfFee: Weight = pallet_transaction_payment::weights::SubstrateWeight::<Runtime>::charge_transaction_payment();
}

impl pallet_balances::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeHoldReason = RuntimeHoldReason;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
	type Balance = Balance;
	type DustRemoval = ();
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
	type ReserveIdentifier = [u8; 8];
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxLocks = ConstU32<50>;
	type MaxReserves = ConstU32<0>;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	type DoneSlashHandler = ();
}

impl pallet_assets::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type Balance = Balance;
	type AssetId = AssetId;
	type AssetIdParameter = codec::Compact<AssetId>;
	type AssetIdAllocator = ();
	type ReserveData = ();
	type Currency = Balances;
	type CreateOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
	type ForceOrigin = EnsureRoot<AccountId>;
	type AssetDeposit = ConstU128<{ deposit(1, 190) }>;
	type AssetAccountDeposit = ConstU128<{ deposit(1, 16) }>;
	type MetadataDepositBase = ConstU128<{ deposit(1, 68) }>;
	type MetadataDepositPerByte = ConstU128<{ deposit(0, 1) }>;
	type ApprovalDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type StringLimit = ConstU32<50>;
	type RemoveItemsLimit = ConstU32<1_000>;
	type Freezer = ();
	type Holder = ();
	type Extra = ();
	type CallbackHandle = ();
	type WeightInfo = pallet_assets::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = ();
}

// Fees are burnt: no account of this chain has a claim on them.
impl pallet_transaction_payment::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type OnChargeTransaction = FungibleAdapter<Balances, ()>;
	type WeightToFee = ConstantMultiplier<Balance, ConstU128<FEE_PER_WEIGHT>>;
	type LengthToFee = ConstantMultiplier<Balance, ConstU128<FEE_PER_BYTE>>;
	type FeeMultiplierUpdate = TargetedFeeAdjustment<
		Runtime,
		TargetBlockFullness,
		AdjustmentVariable,
		MinimumMultiplier,
		MaximumMultiplier,
	>;
	type OperationalFeeMultiplier = ConstU8<5>;
	type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

/// Takes a part of a batch's fee out of what its submitter has paid in advance, of which the rest comes
/// back. It is burnt like every fee, and told by the same event.
pub struct PartOfFee;
impl pallet_paystream::PartialFee<AccountId> for PartOfFee {
	fn take(who: &AccountId, weight: Weight, bytes: u32) -> bool {
		let of_weight: Balance = TransactionPayment::convert(weight);
		let fee = of_weight.saturating_add(TransactionPayment::length_to_fee(bytes));
		let Some(burnt) = TransactionPayment::withdraw_txfee(fee) else {
			return false;
		};
		drop(burnt);
		TransactionPayment::deposit_fee_paid_event(who.clone(), fee, 0);
		true
	}
}
