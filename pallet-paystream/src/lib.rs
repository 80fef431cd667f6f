// SPDX-License-Identifier: Apache-2.0

//! # PayStream pallet
//!
//! A viewer pays a creator for the seconds of a live stream that were delivered, and for nothing
//! else. The pallet is the ledger of that: prepaid vaults, delegated keys that charge them, and a
//! clock that bounds every charge, whoever holds the keys.
//!
//! ## Terminology
//!
//! - `vault`: what an account has prepaid in one asset. Only its owner withdraws from it.
//! - `stream`: what a creator sells by the second: a rate, and payees who share the earnings.
//! - `grant`: a viewer's permission for one delegate `key` to charge their vault: up to a cap, up to
//!   a rate, for some sessions at a time, until an expiry.
//! - `key`: an sr25519 or ed25519 public key. It is no account and needs no balance and no nonce.
//! - `session`: one viewer watching one stream under a grant. Its `funds` are reserved from vault
//!   and cap; what is not charged returns to both.
//! - `order`: what the key signs: open, fund, tick, close, tip, renew. Every number in it is a total.
//! - `tick`: an order that raises a session's seconds, and so charges it.
//! - `gap`: how long a session outlives its last tick. A silent key ends its session.
//! - `window`: how long after its end a session may still be closed by its key with what was
//!   delivered before.
//! - `pot`: the pallet's own account, which holds all money of the ledger.
//! - `tier`: what a creator offers to subscribers: the price of a period, and a discount on the rate.
//! - `subscription`: periods of a tier that a viewer has paid for in advance.
//! - `treasury`: the account that receives the operator's share of claims, and the tick prices.
//!
//! ## Scenario: Alice streams, Bob watches
//!
//! 1. Alice creates a stream at 3 units a second with `create_stream`; a deposit is held.
//! 2. Bob puts 1,000 units into his vault with `deposit`, and with `grant` permits a relayer's key to
//!    charge him at most 500 units at up to 5 a second. The key's own signature is in the call, so
//!    nobody grants a key that is not theirs to use.
//! 3. Bob presses play. The relayer submits `Open`, signed by the key, through `submit`: a
//!    transaction without fee or account. 180 units of Bob's are reserved. Media may have started up
//!    to `HeadStartMaxMs` before the block.
//! 4. Every few seconds the relayer submits `Tick { seconds }` with all the seconds delivered so far.
//!    The pallet charges the difference, never more than the time that has passed.
//! 5. Bob leaves at second 42. `Close { seconds: 42 }` charges the rest: 126 units are Alice's, 54
//!    are back in Bob's vault and under his cap.
//! 6. Anybody calls `claim`, and Alice's payees have their 126 units.
//!
//! ## Scenario: the relayer vanishes
//!
//! 1. Bob watches, and the relayer dies. No tick comes.
//! 2. After the grant's gap the session has ended by itself. What was not ticked is not owed.
//! 3. If the relayer returns within `SettlementWindowMs` it closes with what was delivered before
//!    the end. Otherwise anybody calls `settle`, without an account if need be, and the rest is back in
//!    Bob's vault.
//!
//! ## Scenario: the chain stands still
//!
//! 1. Bob watches, and for an hour no block comes. Nobody can tick.
//! 2. In the first block after it the ledger's clock has moved by `BlockGapMaxMs`, and not by an hour. Bob's
//!    session has not ended, and what was delivered until the media stopped is still charged.
//!
//! ## Scenario: a stolen key
//!
//! A thief who has the key can open sessions on a stream of their own and tick them. The clock lets
//! them charge one second per second and session, at most at the grant's highest rate, at most the
//! cap; `revoke` ends it at once. Nothing can be saved up: a tick reaches back at most one gap.
//!
//! ## Scenario: many viewers, one relayer
//!
//! A relayer that serves thousands brings their ticks in batches: `submit_batch` is an ordinary
//! transaction of an account of its own. Each order stands alone, a bad one harms no other, and the
//! fee comes back for what counted, as far as the free share of the block goes.
//!
//! ## Scenario: Carol subscribes
//!
//! 1. Alice offers a tier with `set_tiers`: 10,000 units for thirty days, at half the rate.
//! 2. Carol pays three periods with `subscribe`. The first is Alice's at once; the price of the others is
//!    held, and is Alice's when they begin.
//! 3. While a period runs, sessions open at the discounted rate and end with the period. A grant may
//!    allow its key to renew.
//! 4. Alice ends the stream in the second period: the third is back in Carol's vault.
//!
//! ## Calls
//!
//! | who | calls |
//! | --- | --- |
//! | creator | [`create_stream`](Pallet::create_stream), [`update_stream`](Pallet::update_stream), [`end_stream`](Pallet::end_stream), [`transfer_stream`](Pallet::transfer_stream), [`refund`](Pallet::refund), [`set_tiers`](Pallet::set_tiers) |
//! | viewer | [`deposit`](Pallet::deposit), [`withdraw`](Pallet::withdraw), [`grant`](Pallet::grant), [`revoke`](Pallet::revoke), [`tip`](Pallet::tip), [`subscribe`](Pallet::subscribe), [`cancel_subscription`](Pallet::cancel_subscription) |
//! | delegate key | [`submit`](Pallet::submit) |
//! | anybody | [`submit_batch`](Pallet::submit_batch), [`settle`](Pallet::settle), [`claim`](Pallet::claim), [`settle_subscription`](Pallet::settle_subscription) |
//! | nobody: without a signature | [`settle`](Pallet::settle), and the last [`claim`](Pallet::claim) of a stream |
//! | operator | [`enable_asset`](Pallet::enable_asset), [`disable_asset`](Pallet::disable_asset), [`write_off_asset`](Pallet::write_off_asset), [`set_tick_price`](Pallet::set_tick_price), [`set_treasury_share`](Pallet::set_treasury_share), [`set_stopped`](Pallet::set_stopped) |
//!
//! `submit`, and `settle` and `claim` without a signature, need `frame_system::AuthorizeCall` in the
//! runtime's transaction extension. The same
//! check serves the transaction pool and the block, so that what the pool takes cannot fail in a
//! block for another reason than the state having moved on.
//!
//! ## Views
//!
//! What a page or a relayer needs, each in one call, as a view function and in
//! `pallet-paystream-runtime-api`: [`session`](Pallet::session), [`grants`](Pallet::grants),
//! [`stream`](Pallet::stream), [`vault`](Pallet::vault), [`claimable_by`](Pallet::claimable_by),
//! [`subscription`](Pallet::subscription). What belongs to somebody, page by page:
//! [`streams_of`](Pallet::streams_of), [`sessions_of`](Pallet::sessions_of),
//! [`subscriptions_of`](Pallet::subscriptions_of), [`grants_of`](Pallet::grants_of),
//! [`grants_of_key`](Pallet::grants_of_key).
//!
//! ## Invariants
//!
//! Numbered as in `invariants.rs`, whose checks `try_state` runs:
//!
//! - **I1 conservation**: the pot covers vaults, sessions' remains and streams' earnings.
//! - **I2 clock**: a session's seconds fit between its start and `min(now, its end)`.
//! - **I3 cap**: a grant's cap is what is left, reserved and spent.
//! - **I4 price**: a session's charges are its seconds times its rate, within its funds.
//! - **I5 lists**: every list, counter and deposit equals what is stored.
//! - **I6 history** (of transitions): ids rise, totals never fall, replays change nothing.
//! - **I7 issuance** (of transitions): no call creates or destroys a token.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::arithmetic_side_effects)]
#![deny(missing_docs)]

extern crate alloc;

mod asset;
mod batch;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod claim;
mod close;
mod defaults;
mod exit;
mod grant;
mod halt;
#[cfg(any(feature = "std", feature = "try-runtime"))]
pub mod invariants;
mod lane;
pub mod lookup;
pub mod migrations;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod mock;
pub mod order;
mod plan;
mod pool;
pub mod seller;
pub mod session;
mod stream;
mod subscription;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests;
pub mod types;
mod vault;
mod view;
pub mod weights;

pub use batch::PartialFee;
#[cfg(feature = "runtime-benchmarks")]
pub use defaults::StoredClock;
pub use defaults::{KeylessTreasury, MinimumBalances, StorageDeposit};
pub use lane::{ExtensionWeight, Shares, SystemExtensions};
pub use lookup::{KeyGrantOf, OwnedStreamOf, StreamSessionOf, ViewerSubscriptionOf, LOOKUP_MAX};
pub use pallet::*;
pub use seller::Seller;
pub use types::*;
pub use view::{GrantView, GrantViewOf, SessionView, SessionViewOf, StreamView, StreamViewOf};
pub use weights::WeightInfo;

/// What the benchmarks ask of the runtime. [`StoredClock`] does it for `pallet-timestamp`.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AssetKind> {
	/// Make `T::Time` show `now_ms`. If every block writes it before its first call, as
	/// `pallet-timestamp` does, add its key to the benchmark's whitelist.
	fn set_time(now_ms: Moment);

	/// The asset whose transfers are the dearest of those in which streams can be paid, created if need
	/// be; the native one if there is no other. What the calls weigh is measured with it.
	fn dearest_asset() -> Option<AssetKind>;
}

#[frame::pallet]
pub mod pallet {
	use super::*;
	use alloc::{vec, vec::Vec};
	use frame::{
		prelude::*,
		traits::{fungibles::Inspect, UnixTime},
	};

	/// The in-code storage version.
	pub(crate) const STORAGE_VERSION: StorageVersion = StorageVersion::new(4);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// Times, bounds, shares and deposits with which most chains can begin.
	pub mod config_preludes {
		use super::*;
		use crate::weights::SubstrateWeight;
		use frame::{
			deps::frame_support::{derive_impl, parameter_types, register_default_impl},
			token::fungible::NativeOrWithId,
			traits::{ConstU32, ConstU64},
		};

		parameter_types! {
			/// The pot's.
			pub const LedgerPalletId: PalletId = PalletId(*b"paystrm ");
			/// The native asset, beside those of `pallet-assets`.
			pub const NativeAsset: NativeOrWithId<u32> = NativeOrWithId::Native;
			/// A quarter of a block.
			pub const FreeShare: Perbill = Perbill::from_percent(25);
			/// A quarter of the free share.
			pub const OpenShare: Perbill = Perbill::from_percent(25);
			/// An eighth of the free share.
			pub const AccountShare: Perbill = Perbill::from_parts(125_000_000);
			/// A fifth of a claim.
			pub const TreasuryShareMax: Permill = Permill::from_percent(20);
		}

		/// For a runtime `T` with blocks every few seconds, and `pallet-assets` beside its native
		/// asset. Who has power over the ledger's money is left open.
		///
		/// The deposits follow the native asset's minimum balance. A chain whose minimum balance says
		/// nothing of what its storage is worth sets them itself.
		pub struct SolochainDefaultConfig<T>(PhantomData<T>);

		#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig, no_aggregated_types)]
		impl<T> frame_system::DefaultConfig for SolochainDefaultConfig<T> {}

		#[register_default_impl(SolochainDefaultConfig)]
		impl<T> DefaultConfig for SolochainDefaultConfig<T> {
			#[inject_runtime_type]
			type RuntimeHoldReason = ();
			type AssetKind = NativeOrWithId<u32>;
			type NativeAsset = NativeAsset;
			type PalletId = LedgerPalletId;
			type HeadStartMaxMs = ConstU64<6_000>;
			type SettlementWindowMs = ConstU64<600_000>;
			type MinTickSeconds = ConstU32<5>;
			type FundBelowSeconds = ConstU32<60>;
			type FreeShare = FreeShare;
			type GapMinMs = ConstU64<10_000>;
			type GapMaxMs = ConstU64<3_600_000>;
			type MaxPayees = ConstU32<8>;
			type MaxSessionsPerGrant = ConstU32<16>;
			type MaxStops = ConstU32<16>;
			type MaxTiers = ConstU32<8>;
			type MaxBatchOrders = ConstU32<500>;
			type MaxTipMessage = ConstU32<140>;
			type PeriodMinMs = ConstU64<60_000>;
			type TreasuryShareMax = TreasuryShareMax;
			type TickPriceMax = MinimumBalances<T, 10>;
			/// Its fields with a full list of stops, and its key; and the entry by which its owner finds it.
			type StreamDepositBase = StorageDeposit<T, 2, 465>;
			/// Their place in the stream, and a vault that a claim may have to open.
			type StreamDepositPerPayee = StorageDeposit<T, 1, 125>;
			/// Its place in the list, and the list's entry.
			type StreamDepositPerTier = StorageDeposit<T, 1, 50>;
			/// Its own entry and the one by which its viewer finds it.
			type SubscriptionDeposit = StorageDeposit<T, 2, 195>;
			/// Its own entry and those by which its viewer and its key find it.
			type GrantDepositBase = StorageDeposit<T, 3, 415>;
			/// Its own entry and the one by which its stream finds it.
			type GrantDepositPerSession = StorageDeposit<T, 2, 280>;
			type WeightInfo = SubstrateWeight<T>;
			type BlockGapMaxMs = ConstU64<60_000>;
			type HaltMaxMs = ConstU64<86_400_000>;
			type OpenShare = OpenShare;
			type AccountShare = AccountShare;
			type ExtensionWeight = SystemExtensions<T>;
			type BatchFee = ();
			type OrderPriority = ConstU64<0>;
			type OrderLongevity = ConstU64<64>;
			type PoolAheadMaxMs = ConstU64<6_000>;
		}

		/// The same for a parachain `T`, whose blocks are six seconds apart or more: what
		/// `SolochainDefaultConfig` counts in three blocks of two seconds is three blocks here, too.
		pub struct ParachainDefaultConfig<T>(PhantomData<T>);

		#[derive_impl(frame_system::config_preludes::ParaChainDefaultConfig, no_aggregated_types)]
		impl<T> frame_system::DefaultConfig for ParachainDefaultConfig<T> {}

		#[derive_impl(SolochainDefaultConfig<T> as DefaultConfig, no_aggregated_types)]
		#[register_default_impl(ParachainDefaultConfig)]
		impl<T> DefaultConfig for ParachainDefaultConfig<T> {
			#[inject_runtime_type]
			type RuntimeHoldReason = ();
			type HeadStartMaxMs = ConstU64<18_000>;
			type PoolAheadMaxMs = ConstU64<18_000>;
		}
	}

	/// # Requirements
	///
	/// The runtime's transaction extension must contain `frame_system::AuthorizeCall`, first, and
	/// `pallet-balances` (or whatever keeps the native asset) must stand before this pallet, so that
	/// its genesis is built first.
	#[pallet::config(with_default)]
	pub trait Config: frame_system::Config<RuntimeCall: From<Call<Self>>> {
		/// The overarching hold reason.
		#[pallet::no_default_bounds]
		type RuntimeHoldReason: From<HoldReason>;

		/// Names an asset, the native one included.
		type AssetKind: Parameter + Member + MaxEncodedLen + MaybeSerializeDeserialize;

		/// The name of the native asset: what genesis enables by default.
		#[pallet::no_default_bounds]
		type NativeAsset: Get<Self::AssetKind>;

		/// All assets that streams can be paid in.
		#[pallet::no_default]
		type Assets: fungibles::Inspect<Self::AccountId, AssetId = Self::AssetKind>
			+ fungibles::Mutate<Self::AccountId>;

		/// The native asset's holds, for storage deposits.
		#[pallet::no_default]
		type NativeHold: fungible::MutateHold<
			Self::AccountId,
			Balance = BalanceOf<Self>,
			Reason = Self::RuntimeHoldReason,
		>;

		/// The clock. Must never go back, and may stand still between blocks.
		#[pallet::no_default]
		type Time: UnixTime;

		/// Who enables assets and sets the operator's share, price and stop.
		#[pallet::no_default]
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Where the operator's share of claims and the tick prices go. Not the pot.
		#[pallet::no_default]
		type Treasury: Get<Self::AccountId>;

		/// Names the pot's account.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// How long before its opening's block a session may have started, in milliseconds.
		#[pallet::constant]
		type HeadStartMaxMs: Get<u64>;

		/// How long after its end the key may still close a session, in milliseconds.
		#[pallet::constant]
		type SettlementWindowMs: Get<u64>;

		/// The least seconds that a free tick charges, and the least time between a grant's opens.
		#[pallet::constant]
		type MinTickSeconds: Get<u32>;

		/// A session is funded further once fewer seconds than this are left.
		#[pallet::constant]
		type FundBelowSeconds: Get<u32>;

		/// The share of a block that orders may use.
		#[pallet::constant]
		type FreeShare: Get<Perbill>;

		/// The least gap of a grant, in milliseconds.
		#[pallet::constant]
		type GapMinMs: Get<u64>;

		/// The greatest gap of a grant, in milliseconds.
		#[pallet::constant]
		type GapMaxMs: Get<u64>;

		/// The most payees of a stream. Reducing it needs a migration.
		#[pallet::constant]
		type MaxPayees: Get<u32>;

		/// The most sessions at a time under one grant. Reducing it needs a migration.
		#[pallet::constant]
		type MaxSessionsPerGrant: Get<u32>;

		/// The most recent pauses and the end that a stream remembers. Reducing it needs a
		/// migration.
		#[pallet::constant]
		type MaxStops: Get<u32>;

		/// The most tiers of a stream. Reducing it needs a migration.
		#[pallet::constant]
		type MaxTiers: Get<u32>;

		/// The most orders of a batch.
		#[pallet::constant]
		type MaxBatchOrders: Get<u32>;

		/// The longest message of a tip, in bytes. It stands in the event alone.
		#[pallet::constant]
		type MaxTipMessage: Get<u32>;

		/// The shortest period of a tier, in milliseconds.
		#[pallet::constant]
		type PeriodMinMs: Get<u64>;

		/// The greatest share of claims that the operator can take.
		#[pallet::constant]
		type TreasuryShareMax: Get<Permill>;

		/// The highest tick price that the operator can set, in the smallest unit of whichever asset it is
		/// for. What a viewer pays is bounded by their open order, too.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type TickPriceMax: Get<BalanceOf<Self>>;

		/// What is held for a stream, without its payees and tiers.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type StreamDepositBase: Get<BalanceOf<Self>>;

		/// What is held for each payee of a stream, whose vault it may cause.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type StreamDepositPerPayee: Get<BalanceOf<Self>>;

		/// What is held for each tier of a stream.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type StreamDepositPerTier: Get<BalanceOf<Self>>;

		/// What is held for a subscription.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type SubscriptionDeposit: Get<BalanceOf<Self>>;

		/// What is held for a grant, without its sessions.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type GrantDepositBase: Get<BalanceOf<Self>>;

		/// What is held for each session that a grant allows at a time.
		#[pallet::constant]
		#[pallet::no_default_bounds]
		type GrantDepositPerSession: Get<BalanceOf<Self>>;

		/// Measured weights.
		#[pallet::no_default_bounds]
		type WeightInfo: WeightInfo;

		/// The most by which the ledger's clock moves from one block to the next, in milliseconds. The time by
		/// which a block comes later than that is a halt: nobody could have ticked in it, so it does not
		/// count. Above what blocks are usually apart, and below the least gap less the relayers' cadence.
		#[pallet::constant]
		type BlockGapMaxMs: Get<u64>;

		/// The most that is left out of one halt, in milliseconds. What a halt lasts longer counts, so that no
		/// session outlives a chain that was given up.
		#[pallet::constant]
		type HaltMaxMs: Get<u64>;

		/// The share of the free share that opens and renewals may use. They come before ticks, which have
		/// the rest to themselves.
		#[pallet::constant]
		type OpenShare: Get<Perbill>;

		/// The share of the free share that the orders of one account's grants may use in a block.
		#[pallet::constant]
		type AccountShare: Get<Perbill>;

		/// What the runtime's transaction extension weighs, without the check of an order: the free share
		/// counts it.
		#[pallet::no_default_bounds]
		type ExtensionWeight: ExtensionWeight;

		/// How a part of a batch's fee is taken, where not all of its orders are free.
		#[pallet::no_default_bounds]
		type BatchFee: PartialFee<Self::AccountId>;

		/// What is added to the pool priority of every order, and of an exit that nobody signs. Without it a tick of `n` seconds has `2 x n`, and an
		/// open has 2^20.
		#[pallet::constant]
		type OrderPriority: Get<TransactionPriority>;

		/// For how many blocks the pool may keep an order or such an exit without asking again.
		#[pallet::constant]
		type OrderLongevity: Get<TransactionLongevity>;

		/// By how much an order or such an exit may be ahead of a node's clock and wait in its pool all the same, in
		/// milliseconds: at least the time between two blocks, since a node may be one behind the signer's. No
		/// block takes what is ahead of its own clock.
		type PoolAheadMaxMs: Get<u64>;

		/// Who may, beside `AdminOrigin`, stop new money in an emergency and disable an asset, and nothing
		/// else: whoever it is cannot let anything come again, and cannot touch what is there.
		#[pallet::no_default]
		type EmergencyOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// What the benchmarks ask of the runtime.
		#[cfg(feature = "runtime-benchmarks")]
		#[pallet::no_default]
		type BenchmarkHelper: BenchmarkHelper<Self::AssetKind>;
	}

	/// Why native money is held on an account.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// For a stream and its payees' vaults; returns when the stream is deleted.
		Stream,
		/// For a grant and its sessions; returns when the grant is deleted.
		Grant,
		/// For a subscription; returns when it is settled.
		Subscription,
	}

	/// Streams that are not yet deleted.
	#[pallet::storage]
	pub type Streams<T: Config> = StorageMap<_, Twox64Concat, StreamId, Stream<T>>;

	/// The id of the next stream.
	#[pallet::storage]
	pub type NextStreamId<T: Config> = StorageValue<_, StreamId, ValueQuery>;

	/// What an account has prepaid in an asset and not reserved. An empty vault has no entry.
	#[pallet::storage]
	pub type Vaults<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Blake2_128Concat,
		T::AssetKind,
		BalanceOf<T>,
		ValueQuery,
	>;

	/// Grants that are not yet deleted.
	#[pallet::storage]
	pub type Grants<T: Config> = StorageMap<_, Twox64Concat, GrantId, Grant<T>>;

	/// The id of the next grant.
	#[pallet::storage]
	pub type NextGrantId<T: Config> = StorageValue<_, GrantId, ValueQuery>;

	/// The grants of a viewer.
	#[pallet::storage]
	pub type GrantsOf<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, GrantId, ()>;

	/// Sessions that are neither closed nor settled.
	#[pallet::storage]
	pub type Sessions<T: Config> =
		StorageDoubleMap<_, Twox64Concat, GrantId, Twox64Concat, SessionIndex, Session<T>>;

	/// Assets that the ledger takes or has taken.
	#[pallet::storage]
	pub type AssetEntries<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AssetKind, AssetEntryOf<T>>;

	/// What streams offer to subscribers; no entry where that is nothing.
	#[pallet::storage]
	pub type Tiers<T: Config> = StorageMap<_, Twox64Concat, StreamId, TiersOf<T>>;

	/// Subscriptions that are not yet settled.
	#[pallet::storage]
	pub type Subscriptions<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		StreamId,
		Blake2_128Concat,
		T::AccountId,
		SubscriptionOf<T>,
	>;

	/// The operator's share of claims.
	#[pallet::storage]
	pub type TreasuryShare<T: Config> = StorageValue<_, Permill, ValueQuery>;

	/// Whether the operator has stopped new money and new sessions.
	#[pallet::storage]
	pub type Stopped<T: Config> = StorageValue<_, bool, ValueQuery>;

	/// What this block's orders have used. It never outlives the block, and so never reaches the
	/// database.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type FreeWeightUsed<T: Config> = StorageValue<_, Weight, ValueQuery>;

	/// The time that the ledger's clock has left out, because the chain stood still. Read with the block's first
	/// order and charged with the block.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type HaltedMs<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// What `T::Time` showed before this block set it: the parent's moment. Like `FreeWeightUsed` it never
	/// reaches the database.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type ParentTimeMs<T: Config> = StorageValue<_, Moment, OptionQuery>;

	/// By how much the clock has moved since the last block that could carry orders, while the runtime migrates in
	/// steps. Gone with the first block after that.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type MovedMs<T: Config> = StorageValue<_, u64, OptionQuery>;

	/// The streams of an owner.
	#[pallet::storage]
	pub type StreamsOf<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, StreamId, ()>;

	/// The sessions of a stream. Written when one is opened, and when it is closed; a tick does not touch it.
	#[pallet::storage]
	pub type SessionsOf<T: Config> =
		StorageDoubleMap<_, Twox64Concat, StreamId, Twox64Concat, (GrantId, SessionIndex), ()>;

	/// The subscriptions of a viewer, by their streams.
	#[pallet::storage]
	pub type SubscriptionsOf<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, StreamId, ()>;

	/// The grants of a key.
	#[pallet::storage]
	pub type GrantsOfKey<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, DelegateKey, Twox64Concat, GrantId, ()>;

	/// What opens have used of that, and each account. It never outlives the block either.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type FreeShares<T: Config> = StorageValue<_, Shares, ValueQuery>;

	/// Which assets the ledger starts with, and what the operator takes.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Enabled from the first block on, each with its minimum balance endowed to the pot.
		pub enabled_assets: Vec<T::AssetKind>,
		/// The price of a tick in some of these assets, at most `TickPriceMax`; nothing in the others.
		pub tick_prices: Vec<(T::AssetKind, BalanceOf<T>)>,
		/// The treasury's share of claims, at most `TreasuryShareMax`.
		pub treasury_share: Permill,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self {
				enabled_assets: vec![T::NativeAsset::get()],
				tick_prices: Vec::new(),
				treasury_share: Permill::zero(),
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			for asset in &self.enabled_assets {
				let entry = AssetEntry {
					status: AssetStatus::Enabled,
					tick_price: Zero::zero(),
					tip_min: T::Assets::minimum_balance(asset.clone()),
					owed: Zero::zero(),
				};
				AssetEntries::<T>::insert(asset, entry);
				Pallet::<T>::endow_pot(asset)
					.expect("genesis endows the pot with an asset's minimum");
			}
			for (asset, price) in &self.tick_prices {
				assert!(
					*price <= T::TickPriceMax::get(),
					"tick_prices: a price above TickPriceMax; name at most that"
				);
				AssetEntries::<T>::mutate(asset, |entry| {
					entry.as_mut().expect("a tick is priced in an enabled asset").tick_price =
						*price;
				});
			}
			assert!(
				self.treasury_share <= T::TreasuryShareMax::get(),
				"treasury_share: above TreasuryShareMax"
			);
			TreasuryShare::<T>::put(self.treasury_share);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A stream can be watched.
		StreamCreated {
			/// The new stream.
			stream: StreamId,
			/// Its creator.
			owner: T::AccountId,
			/// What it is paid in.
			asset: T::AssetKind,
			/// Its price.
			rate_per_second: BalanceOf<T>,
		},
		/// A stream's terms or status changed.
		StreamUpdated {
			/// The stream.
			stream: StreamId,
			/// Its rate now.
			rate_per_second: BalanceOf<T>,
			/// Its status now.
			status: StreamStatus,
		},
		/// A stream is over for good.
		StreamEnded {
			/// The stream.
			stream: StreamId,
		},
		/// An ended stream has paid everything, and its deposit is released.
		StreamDeleted {
			/// The stream.
			stream: StreamId,
		},
		/// Money went into a vault.
		Deposited {
			/// Whose vault.
			who: T::AccountId,
			/// Of what.
			asset: T::AssetKind,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// Money left a vault for its owner's account.
		Withdrawn {
			/// Whose vault.
			who: T::AccountId,
			/// Of what.
			asset: T::AssetKind,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// A viewer permits a key to charge their vault.
		Granted {
			/// The new grant.
			grant: GrantId,
			/// Whose vault.
			viewer: T::AccountId,
			/// Which key.
			key: DelegateKey,
			/// What it pays in.
			asset: T::AssetKind,
			/// The most it may charge.
			cap: BalanceOf<T>,
			/// The highest rate.
			rate_max_per_second: BalanceOf<T>,
			/// When it ends.
			expires_at: Moment,
		},
		/// A grant ended now, and its sessions with it.
		Revoked {
			/// The grant.
			grant: GrantId,
			/// Whose it is.
			viewer: T::AccountId,
		},
		/// An ended grant is gone, and its deposit is released.
		GrantDeleted {
			/// The grant.
			grant: GrantId,
		},
		/// A session is open.
		SessionOpened {
			/// The grant it is under.
			grant: GrantId,
			/// Its number under the grant.
			index: SessionIndex,
			/// What it watches.
			stream: StreamId,
			/// Who watches.
			viewer: T::AccountId,
			/// Its price.
			rate_per_second: BalanceOf<T>,
			/// What is reserved.
			funds: BalanceOf<T>,
			/// From when it may charge.
			started_at: Moment,
		},
		/// More is reserved for a session.
		SessionFunded {
			/// The grant it is under.
			grant: GrantId,
			/// Its number under the grant.
			index: SessionIndex,
			/// All that was ever reserved.
			funds: BalanceOf<T>,
		},
		/// A session was charged.
		Ticked {
			/// The grant it is under.
			grant: GrantId,
			/// Its number under the grant.
			index: SessionIndex,
			/// What it watches.
			stream: StreamId,
			/// All its seconds so far.
			seconds: u32,
			/// How many of them were charged now.
			charged_seconds: u32,
			/// What they cost.
			amount: BalanceOf<T>,
			/// What the operator took for it.
			fee: BalanceOf<T>,
		},
		/// A session is over and its slot free.
		SessionClosed {
			/// The grant it was under.
			grant: GrantId,
			/// Its number under the grant.
			index: SessionIndex,
			/// What it watched.
			stream: StreamId,
			/// All its seconds.
			seconds: u32,
			/// All it paid.
			paid: BalanceOf<T>,
			/// What returned to vault and cap.
			refunded: BalanceOf<T>,
			/// When it ended.
			ended_at: Moment,
			/// Why it was closed.
			reason: CloseReason,
		},
		/// A payee was paid from a stream's earnings.
		Claimed {
			/// The stream.
			stream: StreamId,
			/// Who was paid.
			payee: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
			/// Into the payee's vault, because their account could not receive it.
			credited: bool,
		},
		/// The last claim of an ended stream gave what the shares left over to its owner.
		RemainderPaid {
			/// The stream.
			stream: StreamId,
			/// Its owner.
			owner: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
			/// Whether it went into the vault, since the account cannot receive it.
			credited: bool,
		},
		/// One order of a batch did not count. The others stand for themselves.
		OrderFailed {
			/// The grant that it names.
			grant: GrantId,
			/// The session that it names.
			index: SessionIndex,
			/// Why.
			error: DispatchError,
		},
		/// A batch is done.
		BatchDone {
			/// How many orders counted.
			counted: u32,
			/// How many of them were free of a fee.
			free: u32,
			/// How many did not count.
			failed: u32,
		},
		/// A viewer tipped a stream.
		Tipped {
			/// The stream.
			stream: StreamId,
			/// Whose vault it came from.
			viewer: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
			/// What the viewer says.
			message: MessageOf<T>,
			/// Under which grant, where its key tipped.
			grant: Option<GrantId>,
		},
		/// A creator gave back what had been earned.
		Refunded {
			/// The stream.
			stream: StreamId,
			/// Into whose vault.
			viewer: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// A stream has a new owner.
		StreamTransferred {
			/// The stream.
			stream: StreamId,
			/// Who owned it.
			from: T::AccountId,
			/// Who owns it.
			to: T::AccountId,
		},
		/// A stream's offer to subscribers changed.
		TiersSet {
			/// The stream.
			stream: StreamId,
			/// How many tiers it has now.
			tiers: u32,
		},
		/// A viewer paid periods in advance.
		Subscribed {
			/// To which stream.
			stream: StreamId,
			/// Who.
			viewer: T::AccountId,
			/// How many periods.
			periods: u32,
			/// What each cost.
			price: BalanceOf<T>,
			/// When the last paid one ends.
			paid_until: Moment,
		},
		/// A stream has earned periods of a subscription.
		SubscriptionEarned {
			/// The stream.
			stream: StreamId,
			/// Whose subscription.
			viewer: T::AccountId,
			/// How many periods.
			periods: u32,
			/// Their price.
			amount: BalanceOf<T>,
		},
		/// A viewer took back what had not begun.
		SubscriptionCancelled {
			/// The stream.
			stream: StreamId,
			/// Whose subscription.
			viewer: T::AccountId,
			/// What is back in the vault.
			refunded: BalanceOf<T>,
			/// When the last period ends that had begun.
			paid_until: Moment,
		},
		/// A subscription is over, and its deposit is released.
		SubscriptionEnded {
			/// The stream.
			stream: StreamId,
			/// Whose subscription.
			viewer: T::AccountId,
			/// What is back in the vault.
			refunded: BalanceOf<T>,
		},
		/// The treasury was paid from a stream's earnings.
		TreasuryPaid {
			/// The stream.
			stream: StreamId,
			/// Its share, and the tick prices.
			amount: BalanceOf<T>,
			/// Whether it went into the vault, since the account cannot receive it.
			credited: bool,
		},
		/// An asset can be deposited and earned.
		AssetEnabled {
			/// The asset.
			asset: T::AssetKind,
			/// The least tip that is free of a fee.
			tip_min: BalanceOf<T>,
		},
		/// No new money comes in an asset.
		AssetDisabled {
			/// The asset.
			asset: T::AssetKind,
		},
		/// An asset died under the ledger, and is given up.
		AssetWrittenOff {
			/// The asset.
			asset: T::AssetKind,
			/// What was owed in it.
			owed: BalanceOf<T>,
		},
		/// A vault lost what it held in an asset that is written off.
		VaultErased {
			/// Whose vault.
			who: T::AccountId,
			/// Of what.
			asset: T::AssetKind,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// A stream lost what it earned in an asset that is written off.
		EarningsErased {
			/// The stream.
			stream: StreamId,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// The operator's price for an order that charges changed, for new sessions.
		TickPriceSet {
			/// In which asset.
			asset: T::AssetKind,
			/// The price.
			price: BalanceOf<T>,
		},
		/// The operator's share of claims changed.
		TreasuryShareSet {
			/// The share.
			share: Permill,
		},
		/// The operator stopped new money and new sessions, or lets them come again.
		StopSet {
			/// Whether they are stopped.
			stopped: bool,
		},
		/// The chain stood still before this block, and the ledger's clock left that out.
		HaltLeftOut {
			/// How much of it, in milliseconds.
			halt_ms: u64,
			/// How far the ledger's clock is behind the block's timestamp from now on.
			halted_ms: u64,
		},
		/// A migration gave the treasury what was in a vault: less than an asset's minimum balance, for whose
		/// place nobody's deposit paid, and which the owner's account could not take.
		DustTaken {
			/// Whose vault.
			who: T::AccountId,
			/// Of what.
			asset: T::AssetKind,
			/// How much.
			amount: BalanceOf<T>,
		},
	}

	// A variant's index is what clients see as `InvalidTransaction::Custom`: append, never reorder.
	#[pallet::error]
	#[derive(CloneNoBound, PartialEqNoBound, EqNoBound)]
	pub enum Error<T> {
		/// There is no such stream: it never was, or it has been deleted. Use another id.
		StreamNotFound,
		/// Only the stream's owner may do this. Sign with the owner's account.
		NotOwner,
		/// The stream is paused. Wait until its owner resumes it.
		StreamNotActive,
		/// The stream has ended for good. Create or watch another one.
		StreamEnded,
		/// A rate must be at least 1. Name a higher one.
		RateZero,
		/// The stream's rate is not the one in the order. Read the stream and sign its rate.
		RateMismatch,
		/// The stream's rate is above the grant's highest. Ask the viewer for a grant with a higher
		/// rate.
		RateAboveGrant,
		/// The payees' shares do not sum to exactly 100 %. Correct them.
		SharesNotWhole,
		/// The pallet's own account can play no role in the ledger. Name another account.
		PotRefused,
		/// The stream was paused too often lately. Wait for the older pauses to be forgotten (the
		/// greatest gap plus the settlement window), or end the stream.
		TooManyPauses,
		/// The asset is not enabled. Use an enabled one.
		AssetNotEnabled,
		/// The stream is paid in another asset than the grant. Use a grant in the stream's asset.
		AssetMismatch,
		/// An amount must be at least 1. Name a higher one.
		AmountZero,
		/// The vault holds less than that. Deposit first, or name a lower amount.
		VaultTooLow,
		/// The vault would keep less than the asset's minimum balance. Move more, or all of it.
		VaultDust,
		/// There is no such grant: it never was, or it ended and has been deleted. Ask the viewer
		/// for a new one.
		GrantNotFound,
		/// Only the grant's viewer may do this. Sign with the viewer's account.
		NotViewer,
		/// The grant has ended. To open sessions, ask the viewer for a new one; to delete it, close
		/// or settle its sessions first.
		GrantEnded,
		/// The proof is not the key's signature over this chain and this viewer. Sign it again.
		KeyProofInvalid,
		/// The expiry is not in the future. Name a later one.
		ExpiryInPast,
		/// The gap is outside what the pallet's constants allow. Choose one within them.
		GapOutOfRange,
		/// The number of sessions at a time is zero or above the pallet's constant. Choose one
		/// within it.
		SessionsMaxOutOfRange,
		/// Less than that is left under the grant's cap. Name lower funds, close other sessions, or
		/// ask the viewer for a new grant.
		CapTooLow,
		/// A cap must be at least 1. Name a higher one.
		CapZero,
		/// As many sessions are open as the grant allows. Close one first.
		SlotsTaken,
		/// The index is not the grant's next. Read the grant and sign its next index.
		IndexNotNext,
		/// The funds are below what the stream asks for, or below one second of its rate. Name
		/// higher funds.
		FundsBelowStream,
		/// The funds are below what is already reserved. Name a higher total.
		FundsNotHigher,
		/// The grant's gap is below what the stream asks for. Ask the viewer for a grant with a
		/// longer gap.
		GapBelowStream,
		/// There is no such session under the grant. Open it first.
		SessionNotFound,
		/// The session has ended: it takes no funds, and once its settlement window is over no tick
		/// and no close. Settle it, and open another.
		SessionEnded,
		/// The session has not ended, or its key may still close it. Settle when the window is over.
		WindowOpen,
		/// More seconds are named than have passed. Wait for the next block.
		AheadOfClock,
		/// The total is below what is already charged. Sign a higher one.
		TotalLower,
		/// A tick must charge more seconds at a time. Wait, or close the session.
		TickTooSmall,
		/// The grant opened a session a moment ago. Wait, and open then.
		OpenTooSoon,
		/// The session has funds for long enough. Fund it when they run low.
		FundTooEarly,
		/// The funds would soon run low again though vault and cap allow more. Name a higher total.
		FundTooSmall,
		/// Nothing can be claimed now. Wait until the stream has earned more, or, if it has ended, until the
		/// accounts of its payees can take what their vaults hold below the asset's minimum balance.
		NothingToClaim,
		/// A number would exceed its type. Name lower ones.
		Overflow,
		/// The order has been counted already. Nothing is to be done.
		OrderStale,
		/// The signature is not the delegate key's over this order and this chain. Sign it again
		/// with the grant's key.
		SignatureInvalid,
		/// This block has no room for further free orders. Keep the order for the next one.
		FreeLaneFull,
		/// The operator has stopped new money and new sessions. Everything that leaves still does.
		Stopped,
		/// The batch holds no order. Put at least one in.
		BatchEmpty,
		/// The batch's orders are not in strictly ascending order of grant and index. Sort them, and
		/// send a session's next order in another batch.
		BatchNotAscending,
		/// Less than that of what is earned and unclaimed is the owner's. Name a lower amount.
		EarningsTooLow,
		/// The stream is that account's already. Name another one.
		OwnerUnchanged,
		/// A tier costs less than the asset's minimum balance, or its period is shorter than the pallet's
		/// constant. Correct it.
		TierInvalid,
		/// The stream does not offer this tier. Read its tiers and name one of them.
		TierNotOffered,
		/// At least one period must be paid. Name how many.
		PeriodsZero,
		/// There is no such subscription. Subscribe first.
		NotSubscribed,
		/// A subscription runs: to extend it name its own tier; to change the tier cancel it and wait
		/// for its end; to settle it wait until a period begins or it is over.
		SubscriptionRunning,
		/// A free tip must be at least the asset's least tip. Name a higher total.
		TipTooSmall,
		/// The grant allows no more tips than are left. Name a lower total, or ask the viewer for a
		/// new grant.
		TipsTooLow,
		/// Renewals come one by one. Read the grant and sign its total plus one.
		RenewalNotNext,
		/// The grant allows no more renewals. Ask the viewer for a new grant.
		RenewalsUsedUp,
		/// The pot holds less than it owes plus the asset's minimum balance. Send it the asset's
		/// minimum balance first.
		PotNotEndowed,
		/// The asset is written off for good. Use another one.
		AssetWrittenOff,
		/// Only a disabled asset can be written off. Disable it first.
		AssetNotDisabled,
		/// The pot can pay all that it owes in this asset. There is nothing to write off.
		AssetAlive,
		/// The share is above the pallet's constant. Name a lower one.
		ShareTooHigh,
		/// The tick would use up its session's funds and close it, and for that there is no room in this
		/// block, and never any in a batch within another call. Hand it in alone by `submit`, or in a
		/// later batch that is within no other call.
		BlockFull,
		/// The grant tipped a moment ago. Wait, and tip then.
		TipTooSoon,
		/// The last paid period has not begun. Renew when it has.
		RenewTooEarly,
		/// The grant is not this pallet's. Name a grant that was made for it.
		NotSeller,
		/// The chain lets no orders in at present: its filter of calls is closed to them, as in safe mode or
		/// by a pause. Keep the order until it is open again.
		CallFiltered,
		/// Only the last claim of an ended stream, without sessions and subscriptions, needs no signature.
		/// Sign it with any account.
		ClaimNotLast,
		/// The price is above the pallet's constant. Name a lower one.
		TickPriceTooHigh,
		/// The asset's tick price is above the highest that the order accepts. Read the asset, and sign its
		/// price if the viewer agrees to it.
		TickPriceAboveOrder,
		/// A payee who would leave has less than the asset's minimum balance in their vault, and their account
		/// cannot take it. Keep them with a share of 0, or send their account that minimum first.
		PayeeVaultDust,
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Offer a stream at `rate_per_second` of `asset`.
		///
		/// Origin: signed, the creator. `payees` share every claim by `share`, which must sum to
		/// exactly 100 %; an empty list names the creator alone. Sessions open with at least
		/// `funds_min`, under grants with a gap of at least `gap_min_ms` (at most `GapMaxMs`).
		/// Holds a deposit on the creator's account until the stream is deleted (I5).
		///
		/// Errors: `PotRefused` (I1), `Stopped`, `AssetNotEnabled`, `RateZero`, `SharesNotWhole` (I1),
		/// `GapOutOfRange`, `Overflow`, and what holding the deposit refuses.
		///
		/// Events: `StreamCreated`.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::create_stream(payees.len() as u32))]
		pub fn create_stream(
			origin: OriginFor<T>,
			asset: T::AssetKind,
			rate_per_second: BalanceOf<T>,
			payees: PayeesOf<T>,
			funds_min: BalanceOf<T>,
			gap_min_ms: u64,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_create_stream(owner, asset, rate_per_second, payees, funds_min, gap_min_ms)
		}

		/// Change a stream's terms, pause it, or resume it.
		///
		/// Origin: signed, the stream's owner. Running sessions keep their rate and stop at a pause
		/// (I2); no later session starts before a change of the rate or a resumption. Naming new
		/// payees first claims for the old ones, and adjusts the deposit (I5). Where the vault of one who
		/// leaves holds less than the asset's minimum balance, that leaves for their account.
		///
		/// Errors: `StreamNotFound`, `NotOwner`, `StreamEnded`, `RateZero`, `GapOutOfRange`,
		/// `TooManyPauses` (I2: the last place in the list is kept for the end), `PotRefused` (I1),
		/// `SharesNotWhole` (I1), `PayeeVaultDust` (I5), `Overflow`, and what holding the deposit refuses.
		///
		/// Events: `Claimed` for every payee paid, `Withdrawn` where dust has left, `StreamUpdated`.
		#[pallet::call_index(1)]
		#[pallet::weight(Pallet::<T>::weight_of_update(change))]
		pub fn update_stream(
			origin: OriginFor<T>,
			stream: StreamId,
			change: StreamChangeOf<T>,
		) -> DispatchResultWithPostInfo {
			let owner = ensure_signed(origin)?;
			let claimed_for = Self::do_update_stream(owner, stream, change)?;
			Ok(Some(Self::weight_of_updated(claimed_for)).into())
		}

		/// End a stream for good.
		///
		/// Origin: signed, the stream's owner. Its sessions end now and may be closed within the
		/// window (I2). Once they are, a claim deletes the stream and releases the deposit.
		///
		/// Errors: `StreamNotFound`, `NotOwner`, `StreamEnded`.
		///
		/// Events: `StreamEnded`.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::end_stream())]
		pub fn end_stream(origin: OriginFor<T>, stream: StreamId) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_end_stream(owner, stream)
		}

		/// Put money into one's own vault.
		///
		/// Origin: signed, the vault's owner, whose account it preserves.
		///
		/// Errors: `PotRefused` (I1: the pot cannot pay itself), `Stopped`, `AssetNotEnabled`, `AmountZero`,
		/// `VaultDust` (I5: the vault must hold at least the asset's minimum balance afterwards),
		/// `Overflow`, and what the asset refuses.
		///
		/// Events: `Deposited`.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::deposit())]
		pub fn deposit(
			origin: OriginFor<T>,
			asset: T::AssetKind,
			amount: BalanceOf<T>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_deposit(who, asset, amount)
		}

		/// Take money out of one's own vault. What sessions have reserved is not in it.
		///
		/// Origin: signed, the vault's owner. Works for assets that are no longer enabled. Of one that is
		/// written off the vault loses the amount, and the account receives nothing.
		///
		/// Errors: `AmountZero`, `VaultTooLow` (I1), `VaultDust` (I5), and what the asset refuses.
		///
		/// Events: `Withdrawn`, or `VaultErased`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(
			origin: OriginFor<T>,
			asset: T::AssetKind,
			amount: BalanceOf<T>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, asset, amount)
		}

		/// Permit `key` to charge one's vault within `terms`.
		///
		/// Origin: signed, the viewer. `proof` is the key's signature over
		/// [`grant_bytes`](Pallet::grant_bytes): this chain, this pallet and this viewer. Holds a
		/// deposit on the viewer's account for the grant and all its sessions until the grant is
		/// deleted (I5). Nothing is reserved until a session opens.
		///
		/// Errors: `PotRefused` (I1), `Stopped`, `AssetNotEnabled`, `RateZero`, `CapZero` (I3),
		/// `SessionsMaxOutOfRange` (I5), `GapOutOfRange` (I2), `ExpiryInPast` (I2),
		/// `KeyProofInvalid`, `Overflow`, and what holding the deposit refuses.
		///
		/// Events: `Granted`.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::grant())]
		pub fn grant(
			origin: OriginFor<T>,
			key: DelegateKey,
			proof: DelegateSignature,
			terms: GrantTermsOf<T>,
		) -> DispatchResult {
			let viewer = ensure_signed(origin)?;
			Self::do_grant(viewer, key, proof, terms)
		}

		/// End a grant and all its sessions now; or delete one that has ended and has no session.
		///
		/// Origin: signed, the grant's viewer. The sessions may still be closed within the window,
		/// for the time before (I2). Without sessions the grant is deleted at once, and its deposit
		/// released (I5).
		///
		/// Where the viewer's vault holds less than the asset's minimum balance, that leaves for the account
		/// first. A grant whose viewer's account cannot take it stays: its deposit pays for the vault's entry.
		///
		/// Errors: `GrantNotFound`, `NotViewer`, `GrantEnded`, `VaultDust` if the grant has ended and must stay.
		///
		/// Events: `Revoked` if it had not ended, `GrantDeleted` if it is gone, `Withdrawn` if dust has left.
		#[pallet::call_index(6)]
		#[pallet::weight(
			T::WeightInfo::revoke(T::MaxSessionsPerGrant::get()).max(Pallet::<T>::weight_of_letting_go())
		)]
		pub fn revoke(origin: OriginFor<T>, grant: GrantId) -> DispatchResultWithPostInfo {
			let viewer = ensure_signed(origin)?;
			let sessions = Self::do_revoke(viewer, grant)?;
			let actual = match sessions {
				0 => Self::weight_of_letting_go(),
				ended => T::WeightInfo::revoke(ended),
			};
			Ok(Some(actual).into())
		}

		/// Carry out an order that the grant's key has signed.
		///
		/// Origin: authorised by `signature`, the key's over [`order_bytes`](Pallet::order_bytes).
		/// A general transaction without fee, account or nonce. The pool keeps at most one open, one
		/// fund and one tick or close for a session; a higher total replaces a lower one.
		///
		/// - `Open` reserves funds from vault and cap (I1, I3) and starts the clock (I2). At the rate of
		///   the viewer's running subscription the session ends with its period. Errors:
		///   `GrantNotFound`, `OrderStale`, `IndexNotNext` (I6), `GrantEnded`, `SlotsTaken` (I5),
		///   `OpenTooSoon`, `Stopped`, `StreamNotFound`, `StreamEnded`, `StreamNotActive`,
		///   `AssetMismatch`, `AssetNotEnabled`, `TickPriceAboveOrder` (I4), `RateMismatch`, `RateAboveGrant` (I4),
		///   `GapBelowStream`, `FundsBelowStream`, `VaultTooLow` (I1), `CapTooLow` (I3). Events:
		///   `SessionOpened`.
		/// - `Fund` raises what is reserved. Errors: `OrderStale`, `FundsNotHigher` (I6),
		///   `SessionEnded`, `FundTooEarly`, `FundTooSmall`, `VaultTooLow` (I1), `CapTooLow` (I3).
		///   Events: `SessionFunded`.
		/// - `Tick` charges up to a total. Errors: `OrderStale`, `TotalLower` (I6), `SessionEnded`,
		///   `AheadOfClock` (I2), `TickTooSmall`. What the funds do not cover is not charged, and
		///   closes the session (I4). Events: `Ticked`, and `SessionClosed` if it closes.
		/// - `Close` charges up to a total, returns the rest to vault and cap, and frees the slot.
		///   Errors: `TotalLower` (I6), `SessionEnded`, `AheadOfClock` (I2). Events: `Ticked` if it
		///   charges, `SessionClosed`, and `GrantDeleted` if it was an ended grant's last session.
		/// - `Tip` pays the session's stream from the vault, within the grant's allowance. Errors:
		///   `OrderStale`, `TotalLower` (I6), `SessionEnded`, `StreamEnded`, `TipsTooLow`,
		///   `TipTooSmall`, `TipTooSoon`, `VaultTooLow` (I1). Events: `Tipped`.
		/// - `Renew` buys one more period of the viewer's subscription to the session's stream, within
		///   the grant's allowance. Errors: `OrderStale`, `RenewalNotNext` (I6), `RenewalsUsedUp`,
		///   `SessionEnded`, `NotSubscribed`, `Stopped`, `AssetNotEnabled`, `StreamEnded`,
		///   `TierNotOffered`, `RenewTooEarly`, `VaultTooLow` (I1). Events: `Subscribed`,
		///   `SubscriptionEarned`.
		///
		/// All but `Open` are refused with `GrantNotFound` or `SessionNotFound` for what
		/// never was, and with `OrderStale` for a session that is closed. All are refused with
		/// `SignatureInvalid`, `FreeLaneFull`, `Overflow` and `CallFiltered` where these apply.
		#[pallet::call_index(7)]
		#[pallet::weight(Pallet::<T>::weight_of_submit(order))]
		#[pallet::authorize(Pallet::<T>::authorize_submit)]
		#[pallet::weight_of_authorize(Pallet::<T>::weight_of_authorize_submit(order))]
		pub fn submit(
			origin: OriginFor<T>,
			grant: GrantId,
			order: OrderOf<T>,
			// Verified where the origin was authorised.
			_signature: DelegateSignature,
		) -> DispatchResultWithPostInfo {
			ensure_authorized(origin)?;
			let actual = Self::do_submit(grant, order)?;
			Ok(Some(actual).into())
		}

		/// Close a session that has ended and that its key has not closed in time.
		///
		/// Origin: signed, anybody; or authorised, by nothing but the ledger's state: a general transaction
		/// without signature and fee, within the free lane, one of a session in the pool. Charges nothing
		/// more; the rest returns to vault and cap (I1, I3), and the slot is free (I5).
		///
		/// Errors: `SessionNotFound`, `WindowOpen` (I2); without a signature `FreeLaneFull`, `CallFiltered`.
		///
		/// Events: `SessionClosed`, and `GrantDeleted` if it was an ended grant's last session.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::settle())]
		#[pallet::authorize(Pallet::<T>::authorize_settle)]
		#[pallet::weight_of_authorize(Pallet::<T>::weight_of_authorize_settle())]
		pub fn settle(
			origin: OriginFor<T>,
			grant: GrantId,
			index: SessionIndex,
		) -> DispatchResultWithPostInfo {
			let bringer = Self::ensure_bringer(origin)?;
			Self::do_settle(grant, index)?;
			let (call, check) = (T::WeightInfo::settle(), Self::weight_of_authorize_settle());
			Ok(Some(Self::charge_exit(bringer, call, check)).into())
		}

		/// Pay a stream's earnings to its payees.
		///
		/// Origin: signed, anybody; the last claim of an ended stream also authorised, as
		/// [`settle`](Pallet::settle) is. The treasury gets the operator's share and the tick prices, and of
		/// the rest every payee their share, rounded down; what cannot be received is credited to a
		/// vault. The remainder stays in the earnings (I1). The claim of an ended stream without
		/// sessions and subscriptions gives it to the owner, deletes the stream, and releases the
		/// deposit (I5). Earnings in an asset that is written off are forgotten.
		///
		/// At the last, what is less than the asset's minimum balance in a payee's or the owner's vault leaves
		/// for their account. A stream of which an account cannot take that stays: its deposit pays for the
		/// vault's entry. Whoever sends the account the minimum balance can claim again.
		///
		/// Errors: `StreamNotFound`, `NothingToClaim`; without a signature `ClaimNotLast`, `FreeLaneFull`,
		/// `CallFiltered`.
		///
		/// Events: `TreasuryPaid`, `Claimed` for every payee paid, or `EarningsErased`; `RemainderPaid`,
		/// `Withdrawn` where dust has left, and `StreamDeleted` at the last.
		#[pallet::call_index(9)]
		#[pallet::weight(Pallet::<T>::weight_of_last_claim(T::MaxPayees::get()))]
		#[pallet::authorize(Pallet::<T>::authorize_claim)]
		#[pallet::weight_of_authorize(Pallet::<T>::weight_of_authorize_claim())]
		pub fn claim(origin: OriginFor<T>, stream: StreamId) -> DispatchResultWithPostInfo {
			let bringer = Self::ensure_bringer(origin)?;
			let (payees, last) = Self::do_claim(stream, bringer)?;
			let call = match last {
				true => Self::weight_of_last_claim(payees),
				false => Self::weight_of_claim(payees),
			};
			Ok(Some(Self::charge_exit(bringer, call, Self::weight_of_authorize_claim())).into())
		}

		/// Carry out many orders of many keys.
		///
		/// Origin: signed, anybody. Strictly ascending by grant and session. Each order is checked and
		/// counts as in [`submit`](Pallet::submit), without the limits of the free lane: `OpenTooSoon`,
		/// `FundTooEarly`, `FundTooSmall`, `TickTooSmall`, `TipTooSmall`, `TipTooSoon` and `RenewTooEarly`
		/// refuse nothing. One that is refused harms no other. A tick that turns out to close its session
		/// weighs more than was announced: the block is charged for it, or it is refused with `BlockFull`
		/// where the block has no room, and always in a batch within another call. What counted within these
		/// limits and the block's free share is free. Every other order costs its own weight and bytes; of
		/// one that was refused that is the weight of what was read until then. Orders refused with
		/// `OrderStale` or `GrantNotFound` may have been brought by somebody else, and are taken for free
		/// ones, if they are no more than those.
		///
		/// Errors: `BatchEmpty`, `BatchNotAscending` (I6: no session comes twice).
		///
		/// Events: those of the orders, `OrderFailed` for each that did not count, `BatchDone`.
		#[pallet::call_index(10)]
		#[pallet::weight(Pallet::<T>::weight_of_batch(orders))]
		pub fn submit_batch(
			origin: OriginFor<T>,
			orders: BatchOf<T>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_submit_batch(who, orders)
		}

		/// Tip a stream from one's own vault.
		///
		/// Origin: signed, the viewer. The message stands in the event alone.
		///
		/// Errors: `StreamNotFound`, `StreamEnded`, `AmountZero`, `VaultTooLow` (I1), `VaultDust`, `Overflow`.
		///
		/// Events: `Tipped`.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::tip().saturating_add(Pallet::<T>::weight_of_minimum()))]
		pub fn tip(
			origin: OriginFor<T>,
			stream: StreamId,
			amount: BalanceOf<T>,
			message: MessageOf<T>,
		) -> DispatchResult {
			let viewer = ensure_signed(origin)?;
			Self::do_tip(viewer, stream, amount, message)
		}

		/// Give a viewer back what a stream has earned and nobody has claimed.
		///
		/// Origin: signed, the stream's owner, also after its end. What was earned is paid as by a claim,
		/// but `amount` of the owner's own shares goes into the viewer's vault (I1): what is the
		/// treasury's or another payee's is not the owner's to give. What the stream has earned in total
		/// stays as it is (I6).
		///
		/// Errors: `StreamNotFound`, `NotOwner`, `PotRefused` (I1), `AmountZero`, `EarningsTooLow` (I1: the
		/// owner's shares are less), `VaultDust` (I5), `Overflow`.
		///
		/// Events: those of a claim, `Refunded`.
		#[pallet::call_index(12)]
		#[pallet::weight(Pallet::<T>::weight_of_refund(T::MaxPayees::get()))]
		pub fn refund(
			origin: OriginFor<T>,
			stream: StreamId,
			viewer: T::AccountId,
			amount: BalanceOf<T>,
		) -> DispatchResultWithPostInfo {
			let owner = ensure_signed(origin)?;
			let payees = Self::do_refund(owner, stream, viewer, amount)?;
			Ok(Some(Self::weight_of_refund(payees)).into())
		}

		/// Give a stream away.
		///
		/// Origin: signed, the stream's owner. What was earned is first paid as by a claim. The deposit
		/// goes to the new owner, held (I5), and so do the old owner's shares; dust in the old owner's vault
		/// leaves for their account, as in `update_stream`.
		///
		/// Errors: `StreamNotFound`, `NotOwner`, `StreamEnded`, `PotRefused` (I1), `OwnerUnchanged`,
		/// `PayeeVaultDust` (I5), and what moving the deposit refuses.
		///
		/// Events: those of a claim, `StreamTransferred`.
		#[pallet::call_index(13)]
		#[pallet::weight(Pallet::<T>::weight_of_transfer(T::MaxPayees::get()))]
		pub fn transfer_stream(
			origin: OriginFor<T>,
			stream: StreamId,
			to: T::AccountId,
		) -> DispatchResultWithPostInfo {
			let owner = ensure_signed(origin)?;
			let payees = Self::do_transfer_stream(owner, stream, to)?;
			Ok(Some(Self::weight_of_transfer(payees)).into())
		}

		/// Set what a stream offers to subscribers.
		///
		/// Origin: signed, the stream's owner. Replaces the list and adjusts the deposit (I5). What
		/// viewers have subscribed to stays as it was.
		///
		/// Errors: `StreamNotFound`, `NotOwner`, `StreamEnded`, `TierInvalid`, `Overflow`, and what holding
		/// the deposit refuses.
		///
		/// Events: `TiersSet`.
		#[pallet::call_index(14)]
		#[pallet::weight(
			T::WeightInfo::set_tiers(tiers.len() as u32).saturating_add(Pallet::<T>::weight_of_minimum())
		)]
		pub fn set_tiers(
			origin: OriginFor<T>,
			stream: StreamId,
			tiers: TiersOf<T>,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_set_tiers(owner, stream, tiers)
		}

		/// Pay `periods` of a tier in advance, from one's own vault.
		///
		/// Origin: signed, the viewer. The running period is earned at once, the price of the others held
		/// until they begin (I1). Extends a running subscription to the same tier; holds a deposit for a
		/// new one until it is settled (I5).
		///
		/// Errors: `PotRefused` (I1), `PeriodsZero`, `StreamNotFound`, `StreamEnded`, `Stopped`,
		/// `AssetNotEnabled`, `TierNotOffered`, `SubscriptionRunning`, `VaultTooLow` (I1), `VaultDust`, `Overflow`, and
		/// what holding the deposit refuses.
		///
		/// Events: `Subscribed`, `SubscriptionEarned`.
		#[pallet::call_index(15)]
		#[pallet::weight(T::WeightInfo::subscribe().saturating_add(Pallet::<T>::weight_of_minimum()))]
		pub fn subscribe(
			origin: OriginFor<T>,
			stream: StreamId,
			tier: TierOf<T>,
			periods: u32,
		) -> DispatchResult {
			let viewer = ensure_signed(origin)?;
			Self::do_subscribe(viewer, stream, tier, periods)
		}

		/// Take back the price of the periods of one's own subscription that have not begun.
		///
		/// Origin: signed, the viewer. Those that have begun stay paid, with their discount.
		///
		/// Errors: `NotSubscribed`.
		///
		/// Events: `SubscriptionEarned` if a period was still to be earned, `SubscriptionCancelled`.
		#[pallet::call_index(16)]
		#[pallet::weight(T::WeightInfo::cancel_subscription())]
		pub fn cancel_subscription(origin: OriginFor<T>, stream: StreamId) -> DispatchResult {
			let viewer = ensure_signed(origin)?;
			Self::do_cancel_subscription(viewer, stream)
		}

		/// Earn a stream the periods of a subscription that have begun; if it is over, end it.
		///
		/// Origin: signed, anybody. When the stream has ended, what had not begun returns to the viewer's
		/// vault (I1). At the end the deposit is released (I5).
		///
		/// Errors: `NotSubscribed`, `SubscriptionRunning` if there is nothing to do.
		///
		/// Events: `SubscriptionEarned`, `SubscriptionEnded`.
		#[pallet::call_index(17)]
		#[pallet::weight(T::WeightInfo::settle_subscription())]
		pub fn settle_subscription(
			origin: OriginFor<T>,
			stream: StreamId,
			viewer: T::AccountId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_settle_subscription(stream, viewer)
		}

		/// Let an asset in.
		///
		/// Origin: `AdminOrigin`. The pot must already hold the asset's minimum balance beside what it owes
		/// (I1): anybody can send it there.
		///
		/// Errors: `AssetWrittenOff`, `PotNotEndowed` (I1).
		///
		/// Events: `AssetEnabled`.
		#[pallet::call_index(20)]
		#[pallet::weight(T::WeightInfo::enable_asset())]
		pub fn enable_asset(
			origin: OriginFor<T>,
			asset: T::AssetKind,
			tip_min: BalanceOf<T>,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_enable_asset(asset, tip_min)
		}

		/// Let no new money in, in an asset: no deposit, stream, grant, session or subscription.
		///
		/// Origin: `AdminOrigin` or `EmergencyOrigin`. Everything else goes on.
		///
		/// Errors: `AssetNotEnabled`.
		///
		/// Events: `AssetDisabled`.
		#[pallet::call_index(21)]
		#[pallet::weight(T::WeightInfo::disable_asset())]
		pub fn disable_asset(origin: OriginFor<T>, asset: T::AssetKind) -> DispatchResult {
			Self::ensure_may_halt(origin)?;
			Self::do_disable_asset(asset)
		}

		/// Give up an asset that was destroyed under the ledger, or taken away from it, for good.
		///
		/// Origin: `AdminOrigin`. Nothing but its minimum balance may be in the pot, whatever is frozen: what
		/// is there can be paid to somebody, now or when it thaws. From now on its amounts are erased where they would have been paid, so that
		/// streams, grants and deposits in other assets find their end. No other asset is touched.
		///
		/// Errors: `AssetNotDisabled`, `AssetAlive` (I1).
		///
		/// Events: `AssetWrittenOff`.
		#[pallet::call_index(22)]
		#[pallet::weight(T::WeightInfo::write_off_asset())]
		pub fn write_off_asset(origin: OriginFor<T>, asset: T::AssetKind) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_write_off_asset(asset)
		}

		/// Set what the operator takes from a session for an order that charges it.
		///
		/// Origin: `AdminOrigin`. Running sessions keep their price (I4), and an open is only taken at a price
		/// that its order accepts.
		///
		/// Errors: `AssetNotEnabled`, `TickPriceTooHigh`.
		///
		/// Events: `TickPriceSet`.
		#[pallet::call_index(23)]
		#[pallet::weight(T::WeightInfo::set_tick_price())]
		pub fn set_tick_price(
			origin: OriginFor<T>,
			asset: T::AssetKind,
			price: BalanceOf<T>,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_tick_price(asset, price)
		}

		/// Set the operator's share of claims.
		///
		/// Origin: `AdminOrigin`. Holds for every later claim, of what was earned before too.
		///
		/// Errors: `ShareTooHigh`.
		///
		/// Events: `TreasuryShareSet`.
		#[pallet::call_index(24)]
		#[pallet::weight(T::WeightInfo::set_treasury_share())]
		pub fn set_treasury_share(origin: OriginFor<T>, share: Permill) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_treasury_share(share)
		}

		/// Stop new money and new sessions, or let them come again.
		///
		/// Origin: `AdminOrigin`; to stop also `EmergencyOrigin`. While stopped there are no deposits, streams,
		/// grants, opens, subscriptions and renewals; ticks, closes, withdrawals, claims and every other exit
		/// go on.
		///
		/// Events: `StopSet`.
		#[pallet::call_index(25)]
		#[pallet::weight(T::WeightInfo::set_stopped())]
		pub fn set_stopped(origin: OriginFor<T>, stopped: bool) -> DispatchResult {
			match stopped {
				true => Self::ensure_may_halt(origin)?,
				false => T::AdminOrigin::ensure_origin(origin).map(|_| ())?,
			}
			Self::do_set_stopped(stopped);
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// A session at the block's time: what it has paid, what an order may charge now, for how long
		/// it lasts.
		pub fn session(grant: GrantId, index: SessionIndex) -> Option<SessionViewOf<T>> {
			Self::session_view(grant, index)
		}

		/// What an account has prepaid in an asset and not reserved, in the asset's smallest unit.
		pub fn vault(who: T::AccountId, asset: T::AssetKind) -> BalanceOf<T> {
			Self::vault_view(&who, &asset)
		}

		/// All grants of an account that are stored, ascending, with what each can still pay.
		pub fn grants(who: T::AccountId) -> Vec<GrantViewOf<T>> {
			Self::grants_view(&who)
		}

		/// A stream: its terms, its offer to subscribers, what it has earned.
		pub fn stream(stream: StreamId) -> Option<StreamViewOf<T>> {
			Self::stream_view(stream)
		}

		/// What a claim would pay: to the treasury, and to each payee.
		pub fn claimable_by(stream: StreamId) -> Option<ClaimableOf<T>> {
			Self::claimable_view(stream)
		}

		/// A viewer's subscription to a stream, and the rate at which a session would open.
		pub fn subscription(
			stream: StreamId,
			viewer: T::AccountId,
		) -> Option<(SubscriptionOf<T>, BalanceOf<T>)> {
			Self::subscription_view(stream, &viewer)
		}

		/// A page of an owner's streams, after that of id `after`: at most `limit`, and at most
		/// [`LOOKUP_MAX`]. Nothing while a migration builds the index.
		pub fn streams_of(
			owner: T::AccountId,
			after: Option<StreamId>,
			limit: u32,
		) -> Option<Vec<OwnedStreamOf<T>>> {
			Self::streams_of_view(&owner, after, limit)
		}

		/// A page of a stream's sessions, after that of grant and index `after`: at most `limit`, and at most
		/// [`LOOKUP_MAX`]. Nothing while a migration builds the index.
		pub fn sessions_of(
			stream: StreamId,
			after: Option<(GrantId, SessionIndex)>,
			limit: u32,
		) -> Option<Vec<StreamSessionOf<T>>> {
			Self::sessions_of_view(stream, after, limit)
		}

		/// A page of a viewer's subscriptions, after that to stream `after`: at most `limit`, and at most
		/// [`LOOKUP_MAX`]. Nothing while a migration builds the index.
		pub fn subscriptions_of(
			viewer: T::AccountId,
			after: Option<StreamId>,
			limit: u32,
		) -> Option<Vec<ViewerSubscriptionOf<T>>> {
			Self::subscriptions_of_view(&viewer, after, limit)
		}

		/// A page of a viewer's grants, after that of id `after`: at most `limit`, and at most
		/// [`LOOKUP_MAX`].
		pub fn grants_of(
			viewer: T::AccountId,
			after: Option<GrantId>,
			limit: u32,
		) -> Vec<GrantViewOf<T>> {
			Self::grants_of_view(&viewer, after, limit)
		}

		/// A page of a key's grants with their viewers, after that of id `after`: at most `limit`, and at
		/// most [`LOOKUP_MAX`]. Nothing while a migration builds the index.
		pub fn grants_of_key(
			key: DelegateKey,
			after: Option<GrantId>,
			limit: u32,
		) -> Option<Vec<KeyGrantOf<T>>> {
			Self::grants_of_key_view(&key, after, limit)
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(block: BlockNumberFor<T>) -> Weight {
			Self::note_parents_time(block);
			// The genesis hash, which is in the bytes of every order, the block's timestamp, and what halts have
			// left out of it: the block's first order fetches them, and no order is charged for it. And what
			// a halt or a migration reads and writes.
			T::WeightInfo::on_finalize().saturating_add(T::DbWeight::get().reads_writes(5, 2))
		}

		fn on_finalize(_block: BlockNumberFor<T>) {
			FreeWeightUsed::<T>::kill();
			Self::leave_out_halt();
			FreeShares::<T>::kill();
		}

		#[cfg(feature = "std")]
		fn integrity_test() {
			Self::check_config();
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(
			_block: BlockNumberFor<T>,
		) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	impl<T: Config> Pallet<T> {
		/// The account that holds all money of the ledger.
		pub fn pot() -> T::AccountId {
			T::PalletId::get().into_account_truncating()
		}

		/// The moment that calls and checks go by: the block's timestamp, and in the transaction
		/// pool the parent's, less the time in which the chain stood still.
		pub fn now() -> Moment {
			let time_ms = Self::time_ms();
			time_ms.saturating_sub(HaltedMs::<T>::get()).saturating_sub(Self::halt_ms(time_ms))
		}

		/// The weight of a claim with so many payees. Measured with transfers; a payee who cannot
		/// receive costs less time, but one more read, their vault's.
		pub(crate) fn weight_of_claim(payees: u32) -> Weight {
			T::WeightInfo::claim(payees).saturating_add(T::DbWeight::get().reads(u64::from(payees)))
		}

		/// The weight of a claim with so many payees that may be the stream's last: dust leaves their vaults
		/// and the owner's.
		pub(crate) fn weight_of_last_claim(payees: u32) -> Weight {
			let vaults = payees.saturating_add(1);
			Self::weight_of_claim(payees).saturating_add(Self::weight_of_dust(vaults))
		}

		/// The weight of letting dust leave so many vaults.
		pub(crate) fn weight_of_dust(vaults: u32) -> Weight {
			T::WeightInfo::withdraw().saturating_mul(vaults.into())
		}

		/// The weight of deleting a grant, and of letting dust leave the vault that its deposit has paid for.
		pub(crate) fn weight_of_letting_go() -> Weight {
			T::WeightInfo::delete_grant().saturating_add(Self::weight_of_dust(1))
		}

		/// The weight of looking at an asset's minimum balance, where it is no constant.
		pub(crate) fn weight_of_minimum() -> Weight {
			T::DbWeight::get().reads(1)
		}

		/// The weight of `refund`, which claims at the same time.
		pub(crate) fn weight_of_refund(payees: u32) -> Weight {
			T::WeightInfo::refund().saturating_add(Self::weight_of_claim(payees))
		}

		/// The weight of `transfer_stream`, which claims first.
		pub(crate) fn weight_of_transfer(payees: u32) -> Weight {
			T::WeightInfo::transfer_stream()
				.saturating_add(Self::weight_of_claim(payees))
				.saturating_add(Self::weight_of_dust(1))
		}

		/// The weight of `update_stream`: a change of payees claims for the old ones first, and lets dust
		/// leave the vaults of those who go.
		pub(crate) fn weight_of_update(change: &StreamChangeOf<T>) -> Weight {
			Self::weight_of_updated(change.payees.as_ref().map(|_| T::MaxPayees::get()))
		}

		/// The weight of `update_stream`, where it claims for so many payees.
		pub(crate) fn weight_of_updated(claimed_for: Option<u32>) -> Weight {
			let claim = claimed_for.map(Self::weight_of_claim).unwrap_or_default();
			let dust = claimed_for.map(Self::weight_of_dust).unwrap_or_default();
			T::WeightInfo::update_stream().saturating_add(claim).saturating_add(dust)
		}

		/// Refuse constants under which the rules could not hold.
		#[cfg(feature = "std")]
		fn check_config() {
			let min_tick_ms =
				u64::from(T::MinTickSeconds::get()).saturating_mul(session::SECOND_MS);
			assert!(T::MinTickSeconds::get() >= 1, "MinTickSeconds: a tick charges something");
			assert!(
				T::GapMinMs::get() > min_tick_ms,
				"GapMinMs: the least tick must fit into the least gap",
			);
			assert!(T::GapMinMs::get() <= T::GapMaxMs::get(), "GapMinMs must not exceed GapMaxMs");
			assert!(
				T::GapMaxMs::get().saturating_mul(2) < order::OPEN_PRIORITY.saturating_mul(1_000),
				"GapMaxMs: a tick's priority must stay below an open's",
			);
			assert!(
				u64::from(T::FundBelowSeconds::get()).saturating_mul(4) < order::OPEN_PRIORITY,
				"FundBelowSeconds: a fund's priority must stay below an open's",
			);
			assert!(
				T::FundBelowSeconds::get() > T::MinTickSeconds::get(),
				"FundBelowSeconds: a session must be fundable before its last tick",
			);
			assert!(T::SettlementWindowMs::get() >= 1, "SettlementWindowMs: a close needs time");
			assert!(T::BlockGapMaxMs::get() >= 1, "BlockGapMaxMs: the clock must move");
			assert!(T::MaxPayees::get() >= 1, "MaxPayees: somebody must be paid");
			assert!(T::MaxSessionsPerGrant::get() >= 1, "MaxSessionsPerGrant: a session must fit");
			assert!(T::MaxStops::get() >= 2, "MaxStops: a pause and the end must fit");
			assert!(T::MaxBatchOrders::get() >= 1, "MaxBatchOrders: an order must fit");
			let limits = T::BlockWeights::get();
			let most = limits.get(DispatchClass::Normal).max_extrinsic.unwrap_or(limits.max_block);
			assert!(
				Self::weight_of_full_batch().all_lte(most),
				"MaxBatchOrders: a full batch of the dearest orders must fit into a block",
			);
			assert!(T::PeriodMinMs::get() >= 1, "PeriodMinMs: a period takes time");
			assert!(T::Treasury::get() != Self::pot(), "Treasury: the pot cannot pay itself",);
			for order in order::one_of_each::<T>() {
				let cost = Self::free_cost(&order);
				assert!(
					cost.all_lte(Self::free_limit()),
					"FreeShare: a block must have room for each kind of order",
				);
				assert!(
					cost.all_lte(Self::open_limit()),
					"OpenShare: a block must have room for each kind of order",
				);
				assert!(
					cost.all_lte(Self::account_limit()),
					"AccountShare: a block must have room for each kind of order",
				);
			}
		}
	}
}
