// SPDX-License-Identifier: Apache-2.0

//! A runtime for tests, and around every call of theirs the checks of I1 to I7.

use crate::{self as pallet_paystream, *};
use frame::deps::frame_system::EnsureRootWithSuccess;
use frame::{
	deps::{
		frame_support::{ord_parameter_types, weights::constants::ParityDbWeight},
		frame_system::EnsureSignedBy,
		sp_core::{ed25519, sr25519, Pair as _},
		sp_runtime::{
			generic::{CheckedExtrinsic, ExtrinsicFormat},
			traits::Applyable,
			TryRuntimeError,
		},
	},
	testing_prelude::*,
	token::fungible::{NativeFromLeft, NativeOrWithId, UnionOf},
	traits::{fungibles::Inspect as _, AsEnsureOriginWithArg, Contains, InsideBoth, Nothing},
};
use polkadot_sdk::{pallet_assets, pallet_balances, pallet_timestamp, pallet_utility};
use std::collections::BTreeMap;

pub type Kind = NativeOrWithId<u32>;
pub type Extension = (
	frame_system::AuthorizeCall<Test>,
	frame_system::CheckWeight<Test>,
	frame_system::WeightReclaim<Test>,
);
pub type Extrinsic = frame::deps::sp_runtime::generic::UncheckedExtrinsic<
	u64,
	RuntimeCall,
	frame::deps::sp_runtime::testing::UintAuthorityId,
	Extension,
>;
pub type Block = frame::deps::sp_runtime::generic::Block<
	frame::deps::sp_runtime::generic::Header<u64, BlakeTwo256>,
	Extrinsic,
>;

construct_runtime!(
	pub enum Test {
		System: frame_system = 0,
		Timestamp: pallet_timestamp = 1,
		Balances: pallet_balances = 2,
		Assets: pallet_assets = 3,
		Utility: pallet_utility = 4,
		SafeMode: pallet_safe_mode = 5,
		TxPause: pallet_tx_pause = 6,
		PayStream: pallet_paystream = 10,
		Rental: crate::tests::rental::pallet = 11,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<u128>;
	type DbWeight = ParityDbWeight;
	type BaseCallFilter = InsideBoth<SafeMode, TxPause>;
	type OnNewAccount = Interruption;
	type MultiBlockMigrator = Migrator;
}

/// A runtime that migrates in steps for as long as a test says so.
pub struct Migrator;

impl frame::deps::frame_support::migrations::MultiStepMigrator for Migrator {
	fn ongoing() -> bool {
		Migrating::get()
	}

	fn step() -> Weight {
		Weight::zero()
	}
}

/// What a test lets happen in the middle of the next transfer that brings an account into being.
pub struct Interruption;

std::thread_local! {
	static INTERRUPTION: std::cell::RefCell<Option<Box<dyn FnOnce()>>> =
		const { std::cell::RefCell::new(None) };
}

impl Interruption {
	pub fn set(call: impl FnOnce() + 'static) {
		INTERRUPTION.with_borrow_mut(|interruption| *interruption = Some(Box::new(call)));
	}
}

impl frame::traits::OnNewAccount<u64> for Interruption {
	fn on_new_account(_who: &u64) {
		if let Some(call) = INTERRUPTION.with_borrow_mut(Option::take) {
			call();
		}
	}
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = u128;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
}

#[derive_impl(pallet_assets::config_preludes::TestDefaultConfig)]
impl pallet_assets::Config for Test {
	type Balance = u128;
	type Currency = Balances;
	type CreateOrigin = AsEnsureOriginWithArg<EnsureSigned<u64>>;
	type ForceOrigin = EnsureRoot<u64>;
}

impl pallet_utility::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PalletsOrigin = OriginCaller;
	type WeightInfo = ();
}

/// What goes on in safe mode: the ways out that take no orders.
pub struct WaysOut;
impl Contains<RuntimeCall> for WaysOut {
	fn contains(call: &RuntimeCall) -> bool {
		matches!(call, RuntimeCall::PayStream(Call::withdraw { .. } | Call::revoke { .. }))
	}
}

impl pallet_safe_mode::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WhitelistedCalls = WaysOut;
	type EnterDuration = ConstU64<10>;
	type ExtendDuration = ConstU64<10>;
	type EnterDepositAmount = NoDeposit;
	type ExtendDepositAmount = NoDeposit;
	type ForceEnterOrigin = EnsureRootWithSuccess<u64, ConstU64<10>>;
	type ForceExtendOrigin = EnsureRootWithSuccess<u64, ConstU64<10>>;
	type ForceExitOrigin = EnsureRoot<u64>;
	type ForceDepositOrigin = EnsureRoot<u64>;
	type Notify = ();
	type ReleaseDelay = NoRelease;
	type WeightInfo = ();
}

impl pallet_tx_pause::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PauseOrigin = EnsureRoot<u64>;
	type UnpauseOrigin = EnsureRoot<u64>;
	type WhitelistedCalls = Nothing;
	type MaxNameLen = ConstU32<64>;
	type WeightInfo = ();
}

parameter_types! {
	pub const NoDeposit: Option<u128> = None;
	pub const NoRelease: Option<u64> = None;
	pub const NativeAsset: Kind = NativeOrWithId::Native;
	pub const PayStreamPalletId: PalletId = PalletId(*b"paystrm0");
	// Static, for the tests of the integrity test.
	pub static FreeShare: Perbill = Perbill::from_percent(25);
	pub static SettlementWindowMs: u64 = 60_000;
	pub static BlockGapMaxMs: u64 = 30_000;
	pub static HaltMaxMs: u64 = 3_600_000;
	pub static Migrating: bool = false;
	pub static GapMinMs: u64 = 10_000;
	pub static GapMaxMs: u64 = 3_600_000;
	pub static MinTickSeconds: u32 = 5;
	pub static FundBelowSeconds: u32 = 60;
	pub static MaxPayees: u32 = 8;
	pub static MaxSessionsPerGrant: u32 = 16;
	pub static MaxStops: u32 = 16;
	pub static MaxBatchOrders: u32 = 64;
	pub static PeriodMinMs: u64 = 60_000;
	pub static TreasuryAccount: u64 = TREASURY;
	pub const TreasuryShareMax: Permill = Permill::from_percent(20);
	pub const TickPriceMax: u128 = 1_000;
	// Whole, so that one viewer alone fills a lane, but where a test narrows them.
	pub static OpenShare: Perbill = Perbill::one();
	pub static AccountShare: Perbill = Perbill::one();
	/// Whether a part of a fee can be taken, and what was.
	pub static FeeCanBeTaken: bool = false;
	pub static FeeTaken: Option<(u64, Weight, u32)> = None;
	pub static OrderPriority: u64 = 0;
	/// A pool judges as a block does, unless a test says otherwise.
	pub static PoolAheadMaxMs: u64 = 0;
}

/// What `Extension` weighs beside the check of an order.
pub struct MockExtension;
impl ExtensionWeight for MockExtension {
	fn of_order() -> Weight {
		type Weights = <Test as frame_system::Config>::ExtensionsWeightInfo;
		let check = <Weights as frame_system::ExtensionsWeightInfo>::check_weight();
		check.saturating_add(<Weights as frame_system::ExtensionsWeightInfo>::weight_reclaim())
	}

	fn of_signed() -> Weight {
		Self::of_order()
	}
}

/// Writes down what a batch owes instead of taking it.
pub struct NotedFee;
impl PartialFee<u64> for NotedFee {
	fn take(who: &u64, weight: Weight, bytes: u32) -> bool {
		FeeTaken::set(FeeCanBeTaken::get().then_some((*who, weight, bytes)));
		FeeCanBeTaken::get()
	}
}

impl crate::tests::rental::pallet::Config for Test {
	type Ledger = PayStream;
}

ord_parameter_types! {
	pub const Guard: u64 = GUARD;
}

impl Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type AssetKind = Kind;
	type NativeAsset = NativeAsset;
	type Assets = UnionOf<Balances, Assets, NativeFromLeft, Kind, u64>;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<u64>;
	type Treasury = TreasuryAccount;
	type PalletId = PayStreamPalletId;
	type HeadStartMaxMs = ConstU64<6_000>;
	type SettlementWindowMs = SettlementWindowMs;
	type BlockGapMaxMs = BlockGapMaxMs;
	type HaltMaxMs = HaltMaxMs;
	type MinTickSeconds = MinTickSeconds;
	type FundBelowSeconds = FundBelowSeconds;
	type FreeShare = FreeShare;
	type GapMinMs = GapMinMs;
	type GapMaxMs = GapMaxMs;
	type MaxPayees = MaxPayees;
	type MaxSessionsPerGrant = MaxSessionsPerGrant;
	type MaxStops = MaxStops;
	type MaxTiers = ConstU32<4>;
	type MaxBatchOrders = MaxBatchOrders;
	type MaxTipMessage = ConstU32<32>;
	type PeriodMinMs = PeriodMinMs;
	type TreasuryShareMax = TreasuryShareMax;
	type TickPriceMax = TickPriceMax;
	type EmergencyOrigin = EnsureSignedBy<Guard, u64>;
	type StreamDepositPerTier = ConstU128<70>;
	type SubscriptionDeposit = ConstU128<30>;
	type StreamDepositBase = ConstU128<1_000>;
	type StreamDepositPerPayee = ConstU128<100>;
	type GrantDepositBase = ConstU128<500>;
	type GrantDepositPerSession = ConstU128<50>;
	type WeightInfo = crate::weights::SubstrateWeight<Test>;
	type OpenShare = OpenShare;
	type AccountShare = AccountShare;
	type ExtensionWeight = MockExtension;
	type BatchFee = NotedFee;
	type OrderPriority = OrderPriority;
	type OrderLongevity = ConstU64<64>;
	type PoolAheadMaxMs = PoolAheadMaxMs;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = SetTimestamp;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct SetTimestamp;
#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper<Kind> for SetTimestamp {
	fn set_time(now_ms: Moment) {
		Timestamp::set_timestamp(now_ms);
	}

	fn dearest_asset() -> Option<Kind> {
		Some(TOKEN)
	}
}

pub const EXISTENTIAL_DEPOSIT: u128 = 10;
pub const ENDOWMENT: u128 = 1_000_000;
/// The creator of every stream, unless a test says otherwise.
pub const ALICE: u64 = 1;
/// The viewer of every grant, unless a test says otherwise.
pub const BOB: u64 = 2;
pub const CAROL: u64 = 3;
pub const DAVE: u64 = 4;
/// Where the operator's share goes.
pub const TREASURY: u64 = 90;
/// Who may stop new money in an emergency.
pub const GUARD: u64 = 91;
/// An account that does not exist.
pub const GHOST: u64 = 99;
pub const NATIVE: Kind = NativeOrWithId::Native;
/// Enabled, with a minimum balance of 1.
pub const TOKEN: Kind = NativeOrWithId::WithId(7);
/// Not enabled.
pub const FOREIGN: Kind = NativeOrWithId::WithId(8);

/// Builds the state that tests start from: at second 1, in block 1.
pub struct ExtBuilder {
	enabled_assets: Vec<Kind>,
	tick_prices: Vec<(Kind, u128)>,
	treasury_share: Permill,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self {
			enabled_assets: vec![NATIVE, TOKEN],
			tick_prices: Vec::new(),
			treasury_share: Permill::zero(),
		}
	}
}

impl ExtBuilder {
	pub fn enabled_assets(mut self, assets: Vec<Kind>) -> Self {
		self.enabled_assets = assets;
		self
	}

	pub fn tick_prices(mut self, prices: Vec<(Kind, u128)>) -> Self {
		self.tick_prices = prices;
		self
	}

	pub fn treasury_share(mut self, share: Permill) -> Self {
		self.treasury_share = share;
		self
	}

	pub fn build(self) -> TestState {
		let holders = [ALICE, BOB, CAROL, DAVE];
		let storage = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: holders.map(|who| (who, ENDOWMENT)).to_vec(),
				..Default::default()
			},
			assets: pallet_assets::GenesisConfig {
				assets: vec![(7, ALICE, true, 1)],
				accounts: holders.map(|who| (7, who, ENDOWMENT)).to_vec(),
				..Default::default()
			},
			pay_stream: pallet_paystream::GenesisConfig {
				enabled_assets: self.enabled_assets,
				tick_prices: self.tick_prices,
				treasury_share: self.treasury_share,
			},
			..Default::default()
		}
		.build_storage()
		.expect("the genesis is sound");
		let mut state = TestState::from(storage);
		state.execute_with(|| {
			System::set_block_number(1);
			at(1);
		});
		state
	}

	/// Run a test, and check the state that it leaves behind.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			check_state();
		});
	}
}

/// What the benchmarks' own tests start from: with a keystore, for they sign on the host.
#[cfg(feature = "runtime-benchmarks")]
pub fn benchmark_state() -> TestState {
	use polkadot_sdk::sp_keystore::{testing::MemoryKeystore, KeystoreExt};
	let mut state = ExtBuilder::default().build();
	state.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	state
}

/// Go to a moment in a new block, as if blocks had come all the time.
pub fn at_ms(now_ms: u64) {
	PayStream::on_finalize(System::block_number());
	System::set_block_consumed_resources(Weight::zero(), 0);
	pallet_timestamp::Now::<Test>::put(now_ms);
}

/// Begin the block that comes after the present one, with its timestamp.
pub fn next_block_at_ms(time_ms: u64) {
	PayStream::on_finalize(System::block_number());
	System::set_block_consumed_resources(Weight::zero(), 0);
	PayStream::on_initialize(System::block_number() + 1);
	pallet_timestamp::Now::<Test>::put(time_ms);
}

/// Go to a second in a new block.
pub fn at(second: u64) {
	at_ms(second * 1_000);
}

/// I1 to I5, and I1's equality: nobody but the ledger has sent anything to the pot, beside the
/// minimum balance of each asset.
pub fn check_state() {
	assert_eq!(PayStream::do_try_state(), Ok::<(), TryRuntimeError>(()));
	for (asset, entry) in AssetEntries::<Test>::iter() {
		if entry.status == AssetStatus::WrittenOff {
			continue;
		}
		let endowment = <Test as Config>::Assets::minimum_balance(asset.clone());
		assert_eq!(
			<Test as Config>::Assets::balance(asset, &PayStream::pot()),
			entry.owed + endowment,
			"I1: what the pot holds has exactly one owner"
		);
	}
}

/// What I6 and I7 compare across a call.
struct Snapshot {
	next: (StreamId, GrantId),
	issuance: [u128; 3],
	assets: Vec<(Kind, AssetEntryOf<Test>)>,
	streams: BTreeMap<StreamId, Stream<Test>>,
	grants: BTreeMap<GrantId, Grant<Test>>,
	sessions: BTreeMap<(GrantId, SessionIndex), Session<Test>>,
	subscriptions: BTreeMap<(StreamId, u64), SubscriptionOf<Test>>,
}

impl Snapshot {
	fn take() -> Self {
		Self {
			next: (NextStreamId::<Test>::get(), NextGrantId::<Test>::get()),
			issuance: [
				Balances::total_issuance(),
				Assets::total_issuance(7),
				Assets::total_issuance(8),
			],
			assets: AssetEntries::<Test>::iter().collect(),
			streams: Streams::<Test>::iter().collect(),
			grants: Grants::<Test>::iter().collect(),
			sessions: Sessions::<Test>::iter().map(|(id, i, s)| ((id, i), s)).collect(),
			subscriptions: Subscriptions::<Test>::iter()
				.map(|(id, who, s)| ((id, who), s))
				.collect(),
		}
	}

	/// I6 and I7: what may have happened between `before` and now.
	fn follows(&self, before: &Self) {
		assert_eq!(self.issuance, before.issuance, "I7: no call creates or destroys a token");
		assert!(self.next.0 >= before.next.0 && self.next.1 >= before.next.1, "I6: ids rise");
		for (asset, old) in &before.assets {
			let (_, new) =
				self.assets.iter().find(|(kind, _)| kind == asset).expect("I6: an entry stays");
			let off = |entry: &AssetEntryOf<Test>| entry.status == AssetStatus::WrittenOff;
			assert!(off(new) || !off(old), "I6: written off is for good");
		}
		self.streams_follow(before);
		self.grants_follow(before);
		self.sessions_follow(before);
		self.subscriptions_follow(before);
	}

	fn streams_follow(&self, before: &Self) {
		for (id, new) in &self.streams {
			let Some(old) = before.streams.get(id) else {
				assert!(*id >= before.next.0, "I6: a stream's id is never used again");
				continue;
			};
			assert!(new.earned_total >= old.earned_total && new.seconds >= old.seconds, "I6");
			assert!(new.tips_total >= old.tips_total, "I6: totals rise");
			assert!(new.subscribed_total >= old.subscribed_total, "I6: totals rise");
			assert!(new.refunded_total >= old.refunded_total, "I6: totals rise");
			let gained = |new: u128, old: u128| new - old;
			assert!(
				gained(new.tips_total, old.tips_total)
					+ gained(new.subscribed_total, old.subscribed_total)
					<= gained(new.earned_total, old.earned_total),
				"I6: tips and periods are part of the earnings"
			);
			assert!(new.changed_at >= old.changed_at, "I6");
			assert!(old.status != StreamStatus::Ended || new.status == old.status, "I6");
			assert!(old.ended_at.is_none() || new.ended_at == old.ended_at, "I6: an end stays");
			assert_eq!(new.asset, old.asset, "I6");
			let given_away = || {
				System::events().into_iter().any(|record| {
					let event = RuntimeEvent::PayStream(Event::StreamTransferred {
						stream: *id,
						from: old.owner,
						to: new.owner,
					});
					record.event == event
				})
			};
			assert!(new.owner == old.owner || given_away(), "I6: nobody takes a stream");
		}
	}

	fn grants_follow(&self, before: &Self) {
		for (id, new) in &self.grants {
			let Some(old) = before.grants.get(id) else {
				assert!(*id >= before.next.1, "I6: a grant's id is never used again");
				continue;
			};
			assert!(new.next_index >= old.next_index && new.opened_at >= old.opened_at, "I6");
			assert!(new.spent >= old.spent && new.seconds >= old.seconds, "I6");
			assert!(new.tips_total >= old.tips_total, "I6: totals rise");
			assert!(new.renewals_total >= old.renewals_total, "I6: totals rise");
			assert!(new.freed_end_at >= old.freed_end_at, "I6");
			assert!(new.ended_at <= old.ended_at, "I6: nothing raises an end");
			assert_eq!((new.cap, new.key, new.viewer), (old.cap, old.key, old.viewer), "I6");
			let allowed =
				|g: &Grant<Test>| (g.tips_left + g.tips_total, g.renewals_left + g.renewals_total);
			assert_eq!(allowed(new), allowed(old), "I6: an allowance stays as it was given");
		}
	}

	fn sessions_follow(&self, before: &Self) {
		for (id, new) in &self.sessions {
			let Some(old) = before.sessions.get(id) else {
				let next_index = before.grants.get(&id.0).map_or(0, |grant| grant.next_index);
				assert!(id.1 >= next_index, "I6: an index is never used again");
				continue;
			};
			assert!(new.seconds >= old.seconds && new.funds >= old.funds, "I6: totals rise");
			assert!(new.fees >= old.fees, "I6: totals rise");
			assert!(new.billed_until >= old.billed_until && new.ticked_at >= old.ticked_at, "I6");
			assert!(new.ended_at <= old.ended_at, "I6: nothing raises an end");
			let fixed = |s: &Session<Test>| {
				(s.started_at, s.opened_at, s.rate_per_second, s.stream, s.tick_price)
			};
			assert_eq!(fixed(new), fixed(old), "I6: what an opening fixes stays");
		}
	}

	fn subscriptions_follow(&self, before: &Self) {
		for (id, new) in &self.subscriptions {
			let Some(old) = before.subscriptions.get(id) else { continue };
			if new.started_at == old.started_at && new.tier == old.tier {
				assert!(new.periods_earned >= old.periods_earned, "I6: what is earned stays");
			} else {
				assert!(new.started_at >= old.paid_until(), "I6: a period is not taken back");
			}
			assert_eq!(new.deposit, old.deposit, "I5: a deposit stays with its entry");
		}
		for (id, old) in &before.subscriptions {
			let over = || PayStream::now() >= old.paid_until() || self.over(id.0);
			assert!(self.subscriptions.contains_key(id) || over(), "I6: it ran");
		}
	}

	fn over(&self, stream: StreamId) -> bool {
		self.streams.get(&stream).is_none_or(|entry| entry.status == StreamStatus::Ended)
	}
}

/// Make a call, and check I1 to I7 around it.
pub fn step<R>(call: impl FnOnce() -> R) -> R {
	let before = Snapshot::take();
	let result = call();
	Snapshot::take().follows(&before);
	check_state();
	result
}

/// A delegate key that signs.
#[derive(Clone)]
pub enum Delegate {
	Sr25519(Box<sr25519::Pair>),
	Ed25519(Box<ed25519::Pair>),
}

impl Delegate {
	pub fn sr25519(seed: u8) -> Self {
		Self::Sr25519(Box::new(sr25519::Pair::from_seed(&[seed; 32])))
	}

	pub fn ed25519(seed: u8) -> Self {
		Self::Ed25519(Box::new(ed25519::Pair::from_seed(&[seed; 32])))
	}

	pub fn key(&self) -> DelegateKey {
		match self {
			Self::Sr25519(pair) => DelegateKey::Sr25519(pair.public().0),
			Self::Ed25519(pair) => DelegateKey::Ed25519(pair.public().0),
		}
	}

	pub fn sign(&self, message: &[u8]) -> DelegateSignature {
		match self {
			Self::Sr25519(pair) => DelegateSignature::Sr25519(pair.sign(message).0),
			Self::Ed25519(pair) => DelegateSignature::Ed25519(pair.sign(message).0),
		}
	}
}

/// The key of every grant, unless a test says otherwise.
pub fn signer() -> Delegate {
	Delegate::sr25519(7)
}

/// The error that a pool's refusal stands for, as a client would find it in the metadata.
pub fn named(refusal: InvalidTransaction) -> Error<Test> {
	match refusal {
		InvalidTransaction::Stale => Error::OrderStale,
		InvalidTransaction::BadProof => Error::SignatureInvalid,
		InvalidTransaction::ExhaustsResources => Error::FreeLaneFull,
		InvalidTransaction::Custom(index) => {
			Error::decode(&mut &[index][..]).expect("the index names an error")
		}
		other => panic!("not a refusal of this pallet: {other:?}"),
	}
}

/// What the pool says of an order.
pub fn pool(
	by: &Delegate,
	grant: GrantId,
	order: OrderOf<Test>,
) -> Result<ValidTransaction, InvalidTransaction> {
	let signature = by.sign(&PayStream::order_bytes(grant, &order));
	let call = RuntimeCall::PayStream(Call::submit { grant, order: order.clone(), signature });
	match call.authorize(TransactionSource::External).expect("submit is authorised") {
		Ok((valid, unspent)) => {
			let announced = PayStream::weight_of_authorize_submit(&order);
			assert!(unspent.all_lte(announced), "no more comes back than was announced");
			Ok(valid)
		}
		Err(TransactionValidityError::Invalid(refusal)) => Err(refusal),
		Err(unknown) => panic!("the ledger always knows: {unknown:?}"),
	}
}

/// Submit an order as its key. What the pool takes must succeed, and what the pool refuses for the
/// ledger's reasons must fail for the same ones.
pub fn submit_as(by: &Delegate, grant: GrantId, order: OrderOf<Test>) -> Result<(), Error<Test>> {
	let verdict = pool(by, grant, order.clone());
	let signature = by.sign(&PayStream::order_bytes(grant, &order));
	let dispatch = || {
		let origin = frame_system::RawOrigin::Authorized.into();
		PayStream::submit(origin, grant, order.clone(), signature)
	};
	match verdict.map_err(named) {
		Ok(_) => {
			let actual = step(dispatch).expect("what the pool takes does not fail").actual_weight;
			let most = PayStream::weight_of_submit(&order);
			assert!(actual.is_some_and(|actual| actual.all_lte(most)), "no more than was paid for");
			Ok(())
		}
		Err(error @ (Error::SignatureInvalid | Error::FreeLaneFull)) => Err(error),
		Err(error) => {
			let expected = DispatchError::from(error.clone());
			assert_noop!(dispatch().map_err(|e| e.error), expected);
			Err(error)
		}
	}
}

/// What the pool says of a call that nobody signs.
pub fn unsigned(call: Call<Test>) -> Result<ValidTransaction, Error<Test>> {
	let call = RuntimeCall::PayStream(call);
	match call.authorize(TransactionSource::External).expect("it needs no signature") {
		Ok((valid, unspent)) => {
			assert_eq!(unspent, Weight::zero());
			Ok(valid)
		}
		Err(TransactionValidityError::Invalid(refusal)) => Err(named(refusal)),
		Err(unknown) => panic!("the ledger always knows: {unknown:?}"),
	}
}

/// Make a call that nobody signs. What the pool takes must succeed.
pub fn by_nobody(call: Call<Test>) -> Result<(), Error<Test>> {
	unsigned(call.clone())?;
	let origin = frame_system::RawOrigin::Authorized.into();
	let call = RuntimeCall::PayStream(call);
	let most = call.get_dispatch_info().call_weight;
	let post = step(|| call.dispatch(origin)).expect("what the pool takes does not fail");
	let actual = post.actual_weight.expect("it says what it weighed");
	assert!(actual.all_lte(most), "no more than was announced");
	Ok(())
}

/// Submit an order as the usual key.
pub fn submit(grant: GrantId, order: OrderOf<Test>) -> Result<(), Error<Test>> {
	submit_as(&signer(), grant, order)
}

pub fn tick(grant: GrantId, index: u32, seconds: u32) -> Result<(), Error<Test>> {
	submit(grant, Order::Tick { index, seconds })
}

pub fn close(grant: GrantId, index: u32, seconds: u32) -> Result<(), Error<Test>> {
	submit(grant, Order::Close { index, seconds })
}

pub fn fund(grant: GrantId, index: u32, funds: u128) -> Result<(), Error<Test>> {
	submit(grant, Order::Fund { index, funds })
}

/// Tip by the usual key, up to a total.
pub fn tip(grant: GrantId, index: u32, tips: u128) -> Result<(), Error<Test>> {
	submit(grant, Order::Tip { index, tips, message: Default::default() })
}

/// Renew by the usual key, up to a total.
pub fn renew(grant: GrantId, index: u32, renewals: u32) -> Result<(), Error<Test>> {
	submit(grant, Order::Renew { index, renewals })
}

/// An open that accepts any tick price.
pub fn open_order(
	index: u32,
	stream: StreamId,
	rate_per_second: u128,
	funds: u128,
	start_at: Moment,
) -> OrderOf<Test> {
	let tick_price_max = TickPriceMax::get();
	Order::Open { index, stream, rate_per_second, funds, start_at, tick_price_max }
}

/// Open a session on a stream at any rate, starting now.
pub fn open_at_rate(
	grant: GrantId,
	index: u32,
	stream: StreamId,
	rate_per_second: u128,
	funds: u128,
) -> Result<(), Error<Test>> {
	let start_at = PayStream::now();
	submit(grant, open_order(index, stream, rate_per_second, funds, start_at))
}

/// An order as it stands in a batch.
pub fn signed_order(by: &Delegate, grant: GrantId, order: OrderOf<Test>) -> SignedOrderOf<Test> {
	let signature = by.sign(&PayStream::order_bytes(grant, &order));
	SignedOrder { grant, order, signature }
}

/// An order of the usual key, as it stands in a batch.
pub fn item(grant: GrantId, order: OrderOf<Test>) -> SignedOrderOf<Test> {
	signed_order(&signer(), grant, order)
}

pub fn batch(orders: Vec<SignedOrderOf<Test>>) -> BatchOf<Test> {
	orders.try_into().expect("the batch is short enough")
}

/// Submit a batch from an account that has nothing to do with its orders.
pub fn submit_batch(orders: Vec<SignedOrderOf<Test>>) -> DispatchResultWithPostInfo {
	let orders = batch(orders);
	let most = PayStream::weight_of_batch(&orders);
	let post = step(|| PayStream::submit_batch(signed(DAVE), orders))?;
	let actual = post.actual_weight.expect("a batch says what it weighed");
	assert!(actual.all_lte(most), "no more than was paid for: {actual:?} of {most:?}");
	Ok(post)
}

pub fn block_weights() -> frame_system::limits::BlockWeights {
	<Test as frame_system::Config>::BlockWeights::get()
}

/// What every transaction weighs.
pub fn base_weight() -> Weight {
	block_weights().get(DispatchClass::Normal).base_extrinsic
}

/// The extension as clients leave it.
pub fn extension() -> Extension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckWeight::new(),
		frame_system::WeightReclaim::new(),
	)
}

/// The whole way of a signed transaction. Returns what its dispatch says, and what the block was
/// charged for it, beside what every transaction weighs.
pub fn apply_as(who: u64, call: RuntimeCall) -> (DispatchResultWithPostInfo, Weight) {
	let format = ExtrinsicFormat::Signed(who, extension());
	let checked: CheckedExtrinsic<u64, RuntimeCall, Extension> =
		CheckedExtrinsic { format, function: call };
	let info = checked.get_dispatch_info();
	let len = checked.function.encoded_size();
	let extension = info.extension_weight;
	// Its bytes are part of the block's proof.
	let base = base_weight().saturating_add(Weight::from_parts(0, len as u64));
	let before = System::block_weight().total().saturating_add(base).saturating_add(extension);
	let mut result = checked.apply::<Test>(&info, len).expect("it is valid");
	System::note_applied_extrinsic(&result, info);
	let post = match &mut result {
		Ok(post) => post,
		Err(error) => &mut error.post_info,
	};
	post.actual_weight = post.actual_weight.map(|actual| actual.saturating_sub(extension));
	(result, System::block_weight().total().saturating_sub(before))
}

/// Open a session on a stream at its own rate, starting at a second.
pub fn open(
	grant: GrantId,
	index: u32,
	stream: StreamId,
	funds: u128,
	start: u64,
) -> Result<(), Error<Test>> {
	let rate_per_second = Streams::<Test>::get(stream).map_or(1, |s| s.rate_per_second);
	let start_at = start * 1_000;
	submit(grant, open_order(index, stream, rate_per_second, funds, start_at))
}

pub fn signed(who: u64) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

pub fn payees(list: &[(u64, u32)]) -> PayeesOf<Test> {
	let payees: Vec<_> = list
		.iter()
		.map(|(account, parts)| Payee { account: *account, share: Permill::from_parts(*parts) })
		.collect();
	payees.try_into().expect("the list is short enough")
}

/// A stream of Alice's at `rate`, paid to her alone.
pub fn new_stream(rate: u128) -> StreamId {
	new_stream_for(rate, payees(&[]))
}

/// A stream of Alice's at `rate`.
pub fn new_stream_for(rate: u128, payees: PayeesOf<Test>) -> StreamId {
	let id = NextStreamId::<Test>::get();
	assert_ok!(step(|| PayStream::create_stream(signed(ALICE), NATIVE, rate, payees, 0, 0)));
	id
}

/// The terms of the design's examples: gap 30, expiry at 1000; two sessions at a time.
pub fn terms() -> GrantTermsOf<Test> {
	GrantTerms {
		asset: NATIVE,
		rate_max_per_second: 5,
		cap: 10_000,
		sessions_max: 2,
		gap_ms: 30_000,
		expires_at: 1_000_000,
		tips_max: 0,
		renewals_max: 0,
	}
}

/// A grant of Bob's to the usual key.
pub fn new_grant(terms: GrantTermsOf<Test>) -> GrantId {
	let id = NextGrantId::<Test>::get();
	let proof = signer().sign(&PayStream::grant_bytes(&BOB));
	assert_ok!(step(|| PayStream::grant(signed(BOB), signer().key(), proof, terms)));
	id
}

/// An offer to subscribers.
pub fn tier(price: u128, period_s: u64, discount_percent: u32) -> TierOf<Test> {
	let discount = Permill::from_percent(discount_percent);
	Tier { price, period_ms: period_s * 1_000, discount }
}

/// Alice's stream offers these tiers.
pub fn offer(stream: StreamId, tiers: &[TierOf<Test>]) {
	let tiers = tiers.to_vec().try_into().expect("the list is short enough");
	assert_ok!(step(|| PayStream::set_tiers(signed(ALICE), stream, tiers)));
}

/// Bob subscribes.
pub fn subscribe(stream: StreamId, tier: TierOf<Test>, periods: u32) -> DispatchResult {
	step(|| PayStream::subscribe(signed(BOB), stream, tier, periods))
}

pub fn subscription(stream: StreamId) -> SubscriptionOf<Test> {
	Subscriptions::<Test>::get(stream, BOB).expect("Bob has subscribed")
}

/// What the operator sets.
pub fn root() -> RuntimeOrigin {
	RuntimeOrigin::root()
}

pub fn set_tick_price(asset: Kind, price: u128) {
	assert_ok!(step(|| PayStream::set_tick_price(root(), asset, price)));
}

pub fn set_share(percent: u32) {
	let share = Permill::from_percent(percent);
	assert_ok!(step(|| PayStream::set_treasury_share(root(), share)));
}

pub fn asset_entry(asset: Kind) -> AssetEntryOf<Test> {
	AssetEntries::<Test>::get(asset).expect("the asset is known")
}

/// Native money of an account, what is held on it included.
pub fn total(who: u64) -> u128 {
	Balances::free_balance(who) + Balances::reserved_balance(who)
}

/// Bob's vault, filled.
pub fn fill_vault(amount: u128) {
	assert_ok!(step(|| PayStream::deposit(signed(BOB), NATIVE, amount)));
}

/// A stream at rate 3, a vault of 5,000 and a grant on the usual terms: the examples' beginning.
pub fn ready() -> (StreamId, GrantId) {
	fill_vault(5_000);
	(new_stream(3), new_grant(terms()))
}

pub fn session(grant: GrantId, index: u32) -> Session<Test> {
	Sessions::<Test>::get(grant, index).expect("the session is open")
}

pub fn grant_entry(grant: GrantId) -> Grant<Test> {
	Grants::<Test>::get(grant).expect("the grant is stored")
}

pub fn stream_entry(stream: StreamId) -> Stream<Test> {
	Streams::<Test>::get(stream).expect("the stream is stored")
}

pub fn vault(who: u64) -> u128 {
	Vaults::<Test>::get(who, NATIVE)
}

/// The pallet's events since the last time.
pub fn events() -> Vec<Event<Test>> {
	let events = System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::PayStream(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}

pub fn last_event() -> Event<Test> {
	events().pop().expect("there was an event")
}
