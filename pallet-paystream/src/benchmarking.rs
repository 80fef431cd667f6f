// SPDX-License-Identifier: Apache-2.0

//! Benchmarks of every call, and of every kind of order both where it is authorised and where it is
//! carried out. Each sets up the worst case: full lists, the grant's last session, new accounts.

#![allow(clippy::arithmetic_side_effects)]

use crate::{session::SECOND_MS, *};
use alloc::vec::Vec;
use frame::{
	benchmarking::prelude::*,
	deps::{
		sp_core::{crypto::KeyTypeId, sr25519},
		sp_io::crypto::{sr25519_generate, sr25519_sign},
	},
	traits::fungibles::{Inspect, Mutate},
};

/// Where the benchmarks' delegate keys lie in the host's keystore.
const KEYS: KeyTypeId = KeyTypeId(*b"payS");
/// When the benchmarks begin.
const BEGIN_MS: Moment = 1_700_000_000_000;
/// The gap of every grant.
const GAP_MS: u64 = 60_000;

/// Go to so many seconds after the beginning.
fn at<T: Config>(second: u64) {
	T::BenchmarkHelper::set_time(BEGIN_MS + second * SECOND_MS);
	// Fetched once a block, and charged by `on_initialize`.
	let genesis = BlockNumberFor::<T>::zero();
	add_to_whitelist(frame_system::BlockHash::<T>::hashed_key_for(genesis).into());
}

/// What streams are paid in.
fn money<T: Config>() -> T::AssetKind {
	T::BenchmarkHelper::dearest_asset().unwrap_or_else(T::NativeAsset::get)
}

/// Let the asset in, whatever the genesis.
fn enable<T: Config>() {
	assert!(Pallet::<T>::endow_pot(&money::<T>()).is_ok());
	let entry = AssetEntries::<T>::get(money::<T>());
	let owed = entry.map_or(Zero::zero(), |entry| entry.owed);
	let tick_price = One::one();
	let entry = AssetEntry { status: AssetStatus::Enabled, tick_price, tip_min: One::one(), owed };
	AssetEntries::<T>::insert(money::<T>(), entry);
}

/// An account with enough for every deposit, and to be preserved; whatever the genesis.
fn rich<T: Config>(name: &'static str) -> T::AccountId {
	enable::<T>();
	let who = account(name, 0, 0);
	let plenty = BalanceOf::<T>::max_value() / 1_000_000u32.into();
	for asset in [T::NativeAsset::get(), money::<T>()] {
		assert!(T::Assets::mint_into(asset, &who, plenty).is_ok());
	}
	who
}

/// A thousand times the least that an account may hold.
fn much<T: Config>() -> BalanceOf<T> {
	T::Assets::minimum_balance(money::<T>()) * 1_000u32.into()
}

/// So many payees with equal shares, the last one's filling up.
fn payees<T: Config>(count: u32) -> PayeesOf<T> {
	let whole = Permill::one().deconstruct();
	let list: Vec<_> = (0..count)
		.map(|nth| {
			let equal = whole / count;
			let parts = if nth + 1 == count { whole - equal * nth } else { equal };
			Payee { account: account("payee", nth, 0), share: Permill::from_parts(parts) }
		})
		.collect();
	BoundedVec::truncate_from(list)
}

/// A stream of the creator's with full lists of payees and, but for `places`, of stops, at a rate of
/// an account's least balance.
fn stream<T: Config>(creator: &T::AccountId, places: u32) -> StreamId {
	let id = NextStreamId::<T>::get();
	let rate = T::Assets::minimum_balance(money::<T>()).max(One::one());
	let created = Pallet::<T>::create_stream(
		RawOrigin::Signed(creator.clone()).into(),
		money::<T>(),
		rate,
		payees::<T>(T::MaxPayees::get()),
		Zero::zero(),
		0,
	);
	assert!(created.is_ok());
	Streams::<T>::mutate(id, |entry| {
		if let Some(entry) = entry {
			let stops = T::MaxStops::get().saturating_sub(places);
			let list = (0..u64::from(stops)).map(|nth| BEGIN_MS - u64::from(stops) + nth).collect();
			entry.stops = BoundedVec::truncate_from(list);
		}
	});
	id
}

fn rate_of<T: Config>(stream: StreamId) -> BalanceOf<T> {
	Streams::<T>::get(stream).map_or(Zero::zero(), |entry| entry.rate_per_second)
}

/// A viewer with a vault, and the key of a grant for as many sessions as there may be.
struct Viewer<T: Config> {
	account: T::AccountId,
	key: sr25519::Public,
	grant: GrantId,
}

impl<T: Config> Viewer<T> {
	fn new(stream: StreamId) -> Self {
		let account = rich::<T>("viewer");
		let signed = RawOrigin::Signed(account.clone());
		let vault = much::<T>() * 1_000u32.into();
		assert!(Pallet::<T>::deposit(signed.clone().into(), money::<T>(), vault).is_ok());
		let key = sr25519_generate(KEYS, None);
		let grant = NextGrantId::<T>::get();
		let proof = sign(&key, &Pallet::<T>::grant_bytes(&account));
		let terms = terms::<T>(rate_of::<T>(stream));
		let granted = Pallet::<T>::grant(signed.into(), DelegateKey::Sr25519(key.0), proof, terms);
		assert!(granted.is_ok());
		Self { account, key, grant }
	}

	fn sign(&self, order: &OrderOf<T>) -> DelegateSignature {
		sign(&self.key, &Pallet::<T>::order_bytes(self.grant, order))
	}

	fn submit(&self, order: OrderOf<T>) {
		let origin = RawOrigin::Authorized.into();
		let signature = self.sign(&order);
		assert!(Pallet::<T>::submit(origin, self.grant, order, signature).is_ok());
	}

	fn authorize(&self, order: &OrderOf<T>, signature: &DelegateSignature) {
		let source = TransactionSource::External;
		assert!(Pallet::<T>::authorize_submit(source, &self.grant, order, signature).is_ok());
	}

	/// What an order goes through in a block: its check, and then its execution.
	fn authorize_and_submit(&self, order: OrderOf<T>, signature: DelegateSignature) {
		self.authorize(&order, &signature);
		let origin = RawOrigin::Authorized.into();
		assert!(Pallet::<T>::submit(origin, self.grant, order, signature).is_ok());
	}

	/// Open so many sessions, the last one at `second`.
	fn open_until(&self, stream: StreamId, sessions: u32, second: u64) {
		let pause = u64::from(T::MinTickSeconds::get());
		for index in 0..sessions {
			at::<T>(second - pause * u64::from(sessions - 1 - index));
			self.submit(open::<T>(index, stream, 30));
		}
	}
}

fn sign(key: &sr25519::Public, message: &[u8]) -> DelegateSignature {
	let signature = sr25519_sign(KEYS, key, message).map(|signature| signature.0);
	DelegateSignature::Sr25519(signature.unwrap_or([0; 64]))
}

fn terms<T: Config>(rate: BalanceOf<T>) -> GrantTermsOf<T> {
	GrantTerms {
		asset: money::<T>(),
		rate_max_per_second: rate,
		cap: much::<T>() * 1_000u32.into(),
		sessions_max: T::MaxSessionsPerGrant::get(),
		gap_ms: GAP_MS.clamp(T::GapMinMs::get(), T::GapMaxMs::get()),
		expires_at: BEGIN_MS + 100_000 * SECOND_MS,
		tips_max: much::<T>(),
		renewals_max: 10,
	}
}

/// Open a session with funds for so many seconds.
fn open<T: Config>(index: SessionIndex, stream: StreamId, seconds: u32) -> OrderOf<T> {
	let rate_per_second = rate_of::<T>(stream);
	let funds = rate_per_second * seconds.into();
	Order::Open {
		index,
		stream,
		rate_per_second,
		funds,
		start_at: BEGIN_MS,
		tick_price_max: Bounded::max_value(),
	}
}

/// A creator's stream and a viewer with so many sessions on it, the last one opened at second 1000.
fn watching<T: Config>(sessions: u32) -> (StreamId, Viewer<T>) {
	at::<T>(1);
	let stream = stream::<T>(&rich::<T>("creator"), 1);
	let viewer = Viewer::<T>::new(stream);
	viewer.open_until(stream, sessions, 1_000);
	(stream, viewer)
}

/// A stream's full list of tiers; the last one is subscribed to.
fn tiers<T: Config>(count: u32) -> TiersOf<T> {
	let tier = |nth: u32| Tier {
		price: much::<T>() + nth.into(),
		period_ms: T::PeriodMinMs::get(),
		discount: Permill::from_percent(50),
	};
	BoundedVec::truncate_from((0..count).map(tier).collect())
}

/// Offer a full list of tiers, and subscribe to the last one for so many periods.
fn subscribed<T: Config>(stream: StreamId, viewer: &T::AccountId, periods: u32) {
	let list = tiers::<T>(T::MaxTiers::get());
	let tier = list[list.len() - 1];
	Tiers::<T>::insert(stream, list);
	let signed = RawOrigin::Signed(viewer.clone()).into();
	assert!(Pallet::<T>::subscribe(signed, stream, tier, periods).is_ok());
}

/// The dearest open: of the grant's last slot, at a subscriber's rate.
fn discounted_open<T: Config>() -> (OrderOf<T>, Viewer<T>) {
	let index = T::MaxSessionsPerGrant::get() - 1;
	let (stream, viewer) = watching::<T>(index);
	at::<T>(2_000);
	subscribed::<T>(stream, &viewer.account, 1);
	let full = rate_of::<T>(stream);
	let rate_per_second =
		Subscriptions::<T>::get(stream, &viewer.account).map_or(full, |s| s.tier.discounted(full));
	let funds = full * 30u32.into();
	(
		Order::Open {
			index,
			stream,
			rate_per_second,
			funds,
			start_at: BEGIN_MS,
			tick_price_max: Bounded::max_value(),
		},
		viewer,
	)
}

/// A tip under a grant with an open session.
fn tip_order<T: Config>() -> (OrderOf<T>, Viewer<T>) {
	let (_, viewer) = watching::<T>(1);
	at::<T>(1_020);
	let longest = alloc::vec![0; T::MaxTipMessage::get() as usize];
	let message = BoundedVec::truncate_from(longest);
	(Order::Tip { index: 0, tips: One::one(), message }, viewer)
}

/// A renewal of a running subscription of which a period is to be earned.
fn renewal<T: Config>() -> (OrderOf<T>, Viewer<T>) {
	let (stream, viewer) = watching::<T>(1);
	at::<T>(1_001);
	subscribed::<T>(stream, &viewer.account, 2);
	Subscriptions::<T>::mutate(stream, &viewer.account, |entry| {
		if let Some(entry) = entry {
			entry.started_at -= entry.tier.period_ms;
		}
	});
	at::<T>(1_020);
	(Order::Renew { index: 0, renewals: 1 }, viewer)
}

/// So many sessions under grants of their own, copies of one, on `streams` copies of its stream; and
/// the batch that ticks all of them.
fn batch_of_ticks<T: Config>(count: u32, streams: u32) -> BatchOf<T> {
	let (first, viewer) = watching::<T>(1);
	let (Some(stream), Some(grant), Some(session)) = (
		Streams::<T>::get(first),
		Grants::<T>::get(viewer.grant),
		Sessions::<T>::get(viewer.grant, 0),
	) else {
		unreachable!("they were made a moment ago")
	};
	for nth in 1..streams {
		Streams::<T>::insert(first + u64::from(nth), stream.clone());
	}
	let order = Order::Tick { index: 0, seconds: 20 };
	let orders = (0..count)
		.map(|nth| {
			let id = viewer.grant + u64::from(nth);
			let stream = first + u64::from(nth.checked_rem(streams).unwrap_or(0));
			Grants::<T>::insert(id, grant.clone());
			Sessions::<T>::insert(id, 0, Session { stream, ..session.clone() });
			let order: OrderOf<T> = order.clone();
			let signature = sign(&viewer.key, &Pallet::<T>::order_bytes(id, &order));
			SignedOrder { grant: id, order, signature }
		})
		.collect();
	at::<T>(1_020);
	BoundedVec::truncate_from(orders)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn create_stream(p: Linear<0, { T::MaxPayees::get() }>) {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let rate = One::one();

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), money::<T>(), rate, payees::<T>(p), Zero::zero(), 0);

		assert!(Streams::<T>::contains_key(0));
	}

	#[benchmark]
	fn update_stream() {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 2);
		let whole = Payee { account: creator.clone(), share: Permill::one() };
		let change = StreamChange {
			rate_per_second: Some(much::<T>()),
			payees: Some(BoundedVec::truncate_from(alloc::vec![whole])),
			funds_min: Some(One::one()),
			gap_min_ms: Some(1),
			paused: Some(true),
		};

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), id, change);

		assert!(Streams::<T>::get(id).is_some_and(|s| s.status == StreamStatus::Paused));
	}

	#[benchmark]
	fn end_stream() {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 1);

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), id);

		assert!(Streams::<T>::get(id).is_some_and(|s| s.status == StreamStatus::Ended));
	}

	#[benchmark]
	fn deposit() {
		let who = rich::<T>("viewer");
		let amount = much::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), money::<T>(), amount);

		assert_eq!(Vaults::<T>::get(&who, money::<T>()), amount);
	}

	#[benchmark]
	fn withdraw() {
		let who = rich::<T>("viewer");
		let amount = much::<T>();
		let twice = amount * 2u32.into();
		let signed = RawOrigin::Signed(who.clone());
		assert!(Pallet::<T>::deposit(signed.clone().into(), money::<T>(), twice).is_ok());

		#[extrinsic_call]
		_(signed, money::<T>(), amount);

		assert_eq!(Vaults::<T>::get(&who, money::<T>()), amount);
	}

	#[benchmark]
	fn grant() {
		at::<T>(1);
		let viewer = rich::<T>("viewer");
		let key = sr25519_generate(KEYS, None);
		let proof = sign(&key, &Pallet::<T>::grant_bytes(&viewer));

		#[extrinsic_call]
		_(RawOrigin::Signed(viewer), DelegateKey::Sr25519(key.0), proof, terms::<T>(One::one()));

		assert!(Grants::<T>::contains_key(0));
	}

	#[benchmark]
	fn revoke(s: Linear<1, { T::MaxSessionsPerGrant::get() }>) {
		let (_, viewer) = watching::<T>(s);

		#[extrinsic_call]
		_(RawOrigin::Signed(viewer.account.clone()), viewer.grant);

		assert!(Grants::<T>::get(viewer.grant).is_some_and(|g| g.ended_at < g.expires_at));
	}

	#[benchmark]
	fn delete_grant() {
		let (_, viewer) = watching::<T>(0);

		#[extrinsic_call]
		revoke(RawOrigin::Signed(viewer.account.clone()), viewer.grant);

		assert!(!Grants::<T>::contains_key(viewer.grant));
	}

	#[benchmark]
	fn submit_open() {
		let (order, viewer) = discounted_open::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert_eq!(Grants::<T>::get(viewer.grant).map(|g| g.open.is_full()), Some(true));
	}

	#[benchmark]
	fn submit_fund() {
		let sessions = T::MaxSessionsPerGrant::get();
		let (stream, viewer) = watching::<T>(sessions);
		at::<T>(1_001);
		let index = sessions - 1;
		let funds = rate_of::<T>(stream) * 100u32.into();
		let order = Order::Fund { index, funds };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert!(Sessions::<T>::get(viewer.grant, index).is_some_and(|s| s.funds == funds));
	}

	#[benchmark]
	fn submit_tick() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(1_020);
		let order = Order::Tick { index: 0, seconds: 20 };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert!(Sessions::<T>::get(viewer.grant, 0).is_some_and(|s| s.seconds == 20));
	}

	#[benchmark]
	fn submit_close() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(1_020);
		let signed = RawOrigin::Signed(viewer.account.clone());
		assert!(Pallet::<T>::revoke(signed.into(), viewer.grant).is_ok());
		let order = Order::Close { index: 0, seconds: 20 };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert!(!Grants::<T>::contains_key(viewer.grant));
	}

	#[benchmark]
	fn submit_tip() {
		let (order, viewer) = tip_order::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert!(Grants::<T>::get(viewer.grant).is_some_and(|g| !g.tips_total.is_zero()));
	}

	#[benchmark]
	fn submit_renew() {
		let (order, viewer) = renewal::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize_and_submit(order, signature);
		}

		assert!(Grants::<T>::get(viewer.grant).is_some_and(|g| g.renewals_total == 1));
	}

	#[benchmark]
	fn submit_batch(n: Linear<0, { T::MaxBatchOrders::get() }>) {
		let orders = batch_of_ticks::<T>(n, 1);

		let relayer: T::AccountId = whitelisted_caller();

		#[block]
		{
			let _ = Pallet::<T>::do_submit_batch(relayer, orders);
		}

		assert!(n == 0 || Streams::<T>::get(0).is_some_and(|s| s.seconds == 20 * u64::from(n)));
	}

	#[benchmark]
	fn submit_batch_streams(n: Linear<0, { T::MaxBatchOrders::get() }>) {
		let orders = batch_of_ticks::<T>(n, n);

		let relayer: T::AccountId = whitelisted_caller();

		#[block]
		{
			let _ = Pallet::<T>::do_submit_batch(relayer, orders);
		}

		assert!(n == 0 || Streams::<T>::get(u64::from(n) - 1).is_some_and(|s| s.seconds == 20));
	}

	#[benchmark]
	fn authorize_open() {
		let (order, viewer) = discounted_open::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn authorize_fund() {
		let sessions = T::MaxSessionsPerGrant::get();
		let (stream, viewer) = watching::<T>(sessions);
		at::<T>(1_001);
		let funds = rate_of::<T>(stream) * 100u32.into();
		let order = Order::Fund { index: sessions - 1, funds };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn authorize_tick() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(1_020);
		let order = Order::Tick { index: 0, seconds: 20 };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn authorize_close() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(1_020);
		let order = Order::Close { index: 0, seconds: 20 };
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn authorize_tip() {
		let (order, viewer) = tip_order::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn authorize_renew() {
		let (order, viewer) = renewal::<T>();
		let signature = viewer.sign(&order);

		#[block]
		{
			viewer.authorize(&order, &signature);
		}
	}

	#[benchmark]
	fn tip() {
		let (stream, viewer) = watching::<T>(0);
		let longest = alloc::vec![0; T::MaxTipMessage::get() as usize];
		let message = BoundedVec::truncate_from(longest);

		#[extrinsic_call]
		_(RawOrigin::Signed(viewer.account.clone()), stream, One::one(), message);

		assert!(Streams::<T>::get(stream).is_some_and(|s| !s.tips_total.is_zero()));
	}

	// With nothing to pay to others: the call's weight adds a claim's.
	#[benchmark]
	fn refund() {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 1);
		let amount = much::<T>();
		let whole = Payee { account: creator.clone(), share: Permill::one() };
		Streams::<T>::mutate(id, |entry| {
			if let Some(entry) = entry {
				entry.payees = BoundedVec::truncate_from(alloc::vec![whole]);
				entry.earned = amount;
				entry.earned_total = amount;
			}
		});
		let viewer: T::AccountId = account("viewer", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), id, viewer.clone(), amount);

		assert_eq!(Vaults::<T>::get(&viewer, money::<T>()), amount);
	}

	// Without anything to distribute: the call's weight adds a claim's.
	#[benchmark]
	fn transfer_stream() {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 1);
		let to = rich::<T>("to");

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), id, to.clone());

		assert!(Streams::<T>::get(id).is_some_and(|s| s.owner == to));
	}

	#[benchmark]
	fn set_tiers(t: Linear<0, { T::MaxTiers::get() }>) {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 1);
		let list = tiers::<T>(t);

		#[extrinsic_call]
		_(RawOrigin::Signed(creator), id, list);

		assert_eq!(Pallet::<T>::tiers(id).len(), t as usize);
	}

	#[benchmark]
	fn subscribe() {
		let (stream, viewer) = watching::<T>(0);
		let list = tiers::<T>(T::MaxTiers::get());
		let tier = list[list.len() - 1];
		Tiers::<T>::insert(stream, list);

		#[extrinsic_call]
		_(RawOrigin::Signed(viewer.account.clone()), stream, tier, 3);

		assert!(Subscriptions::<T>::contains_key(stream, &viewer.account));
	}

	#[benchmark]
	fn cancel_subscription() {
		let (stream, viewer) = watching::<T>(0);
		subscribed::<T>(stream, &viewer.account, 3);

		#[extrinsic_call]
		_(RawOrigin::Signed(viewer.account.clone()), stream);

		assert!(Subscriptions::<T>::get(stream, &viewer.account).is_some_and(|s| s.periods == 1));
	}

	#[benchmark]
	fn settle_subscription() {
		let (stream, viewer) = watching::<T>(0);
		subscribed::<T>(stream, &viewer.account, 3);
		Streams::<T>::mutate(stream, |entry| {
			if let Some(entry) = entry {
				entry.status = StreamStatus::Ended;
				entry.ended_at = Some(Pallet::<T>::now());
			}
		});
		let anybody = rich::<T>("anybody");

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), stream, viewer.account.clone());

		assert!(!Subscriptions::<T>::contains_key(stream, &viewer.account));
	}

	#[benchmark]
	fn enable_asset() -> Result<(), BenchmarkError> {
		enable::<T>();
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, money::<T>(), One::one());

		assert!(AssetEntries::<T>::contains_key(money::<T>()));
		Ok(())
	}

	#[benchmark]
	fn disable_asset() -> Result<(), BenchmarkError> {
		enable::<T>();
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, money::<T>());

		let status = AssetEntries::<T>::get(money::<T>()).map(|entry| entry.status);
		assert_eq!(status, Some(AssetStatus::Disabled));
		Ok(())
	}

	#[benchmark]
	fn write_off_asset() -> Result<(), BenchmarkError> {
		enable::<T>();
		AssetEntries::<T>::mutate(money::<T>(), |entry| {
			if let Some(entry) = entry {
				entry.status = AssetStatus::Disabled;
				entry.owed = BalanceOf::<T>::max_value();
			}
		});
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, money::<T>());

		let status = AssetEntries::<T>::get(money::<T>()).map(|entry| entry.status);
		assert_eq!(status, Some(AssetStatus::WrittenOff));
		Ok(())
	}

	#[benchmark]
	fn set_tick_price() -> Result<(), BenchmarkError> {
		enable::<T>();
		let price = much::<T>();
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, money::<T>(), price);

		let entry = AssetEntries::<T>::get(money::<T>());
		assert!(entry.is_some_and(|entry| entry.tick_price == price));
		Ok(())
	}

	#[benchmark]
	fn set_treasury_share() -> Result<(), BenchmarkError> {
		let share = T::TreasuryShareMax::get();
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, share);

		assert_eq!(TreasuryShare::<T>::get(), share);
		Ok(())
	}

	#[benchmark]
	fn set_stopped() -> Result<(), BenchmarkError> {
		let admin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(admin as T::RuntimeOrigin, true);

		assert!(Stopped::<T>::get());
		Ok(())
	}

	#[benchmark]
	fn settle() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(200_000);
		let anybody = rich::<T>("anybody");

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), viewer.grant, 0);

		assert!(!Grants::<T>::contains_key(viewer.grant));
	}

	#[benchmark]
	fn claim(p: Linear<1, { T::MaxPayees::get() }>) {
		at::<T>(1);
		let creator = rich::<T>("creator");
		let id = stream::<T>(&creator, 1);
		let earned = much::<T>() * (p + 1).into() * 2u32.into() + One::one();
		Streams::<T>::mutate(id, |entry| {
			if let Some(entry) = entry {
				entry.payees = payees::<T>(p);
				entry.status = StreamStatus::Ended;
				entry.ended_at = Some(BEGIN_MS);
				entry.earned = earned;
				entry.earned_total = earned;
				entry.fees = much::<T>();
			}
		});
		TreasuryShare::<T>::put(T::TreasuryShareMax::get());
		AssetEntries::<T>::mutate(money::<T>(), |entry| {
			if let Some(entry) = entry {
				entry.owed += earned + much::<T>();
			}
		});
		let pot_holds = earned + much::<T>() * 2u32.into();
		assert!(T::Assets::mint_into(money::<T>(), &Pallet::<T>::pot(), pot_holds).is_ok());
		let anybody = rich::<T>("anybody");

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), id);

		assert!(!Streams::<T>::contains_key(id));
	}

	#[benchmark]
	fn on_finalize() {
		FreeWeightUsed::<T>::put(Weight::from_parts(1, 1));
		FreeShares::<T>::put(Shares::default());

		#[block]
		{
			<Pallet<T> as Hooks<BlockNumberFor<T>>>::on_finalize(Zero::zero());
		}

		assert!(!FreeWeightUsed::<T>::exists());
		assert!(!FreeShares::<T>::exists());
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_state(), crate::mock::Test);
}
