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
}

fn native<T: Config>() -> T::AssetKind {
	T::NativeAsset::get()
}

/// An account with enough for every deposit, and to be preserved; whatever the genesis.
fn rich<T: Config>(name: &'static str) -> T::AccountId {
	EnabledAssets::<T>::insert(native::<T>(), ());
	let who = account(name, 0, 0);
	let plenty = BalanceOf::<T>::max_value() / 1_000_000u32.into();
	assert!(T::Assets::mint_into(native::<T>(), &who, plenty).is_ok());
	who
}

/// A thousand times the least that an account may hold.
fn much<T: Config>() -> BalanceOf<T> {
	T::Assets::minimum_balance(native::<T>()) * 1_000u32.into()
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
	let rate = T::Assets::minimum_balance(native::<T>()).max(One::one());
	let created = Pallet::<T>::create_stream(
		RawOrigin::Signed(creator.clone()).into(),
		native::<T>(),
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
		assert!(Pallet::<T>::deposit(signed.clone().into(), native::<T>(), vault).is_ok());
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
		assert!(Pallet::<T>::submit(origin, self.grant, order, self.sign(&order)).is_ok());
	}

	fn authorize(&self, order: &OrderOf<T>, signature: &DelegateSignature) {
		let source = TransactionSource::External;
		assert!(Pallet::<T>::authorize_submit(source, &self.grant, order, signature).is_ok());
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
		asset: native::<T>(),
		rate_max_per_second: rate,
		cap: much::<T>() * 1_000u32.into(),
		sessions_max: T::MaxSessionsPerGrant::get(),
		gap_ms: GAP_MS.clamp(T::GapMinMs::get(), T::GapMaxMs::get()),
		expires_at: BEGIN_MS + 100_000 * SECOND_MS,
	}
}

/// Open a session with funds for so many seconds.
fn open<T: Config>(index: SessionIndex, stream: StreamId, seconds: u32) -> OrderOf<T> {
	let rate_per_second = rate_of::<T>(stream);
	let funds = rate_per_second * seconds.into();
	Order::Open { index, stream, rate_per_second, funds, start_at: BEGIN_MS }
}

/// A creator's stream and a viewer with so many sessions on it, the last one opened at second 1000.
fn watching<T: Config>(sessions: u32) -> (StreamId, Viewer<T>) {
	at::<T>(1);
	let stream = stream::<T>(&rich::<T>("creator"), 1);
	let viewer = Viewer::<T>::new(stream);
	viewer.open_until(stream, sessions, 1_000);
	(stream, viewer)
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
		_(RawOrigin::Signed(creator), native::<T>(), rate, payees::<T>(p), Zero::zero(), 0);

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
		_(RawOrigin::Signed(who.clone()), native::<T>(), amount);

		assert_eq!(Vaults::<T>::get(&who, native::<T>()), amount);
	}

	#[benchmark]
	fn withdraw() {
		let who = rich::<T>("viewer");
		let amount = much::<T>();
		let twice = amount * 2u32.into();
		let signed = RawOrigin::Signed(who.clone());
		assert!(Pallet::<T>::deposit(signed.clone().into(), native::<T>(), twice).is_ok());

		#[extrinsic_call]
		_(signed, native::<T>(), amount);

		assert_eq!(Vaults::<T>::get(&who, native::<T>()), amount);
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
		let index = T::MaxSessionsPerGrant::get() - 1;
		let (stream, viewer) = watching::<T>(index);
		at::<T>(2_000);
		let order = open::<T>(index, stream, 30);
		let signature = viewer.sign(&order);

		#[extrinsic_call]
		submit(RawOrigin::Authorized, viewer.grant, order, signature);

		assert!(Sessions::<T>::contains_key(viewer.grant, index));
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

		#[extrinsic_call]
		submit(RawOrigin::Authorized, viewer.grant, order, signature);

		assert!(Sessions::<T>::get(viewer.grant, index).is_some_and(|s| s.funds == funds));
	}

	#[benchmark]
	fn submit_tick() {
		let (_, viewer) = watching::<T>(1);
		at::<T>(1_020);
		let order = Order::Tick { index: 0, seconds: 20 };
		let signature = viewer.sign(&order);

		#[extrinsic_call]
		submit(RawOrigin::Authorized, viewer.grant, order, signature);

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

		#[extrinsic_call]
		submit(RawOrigin::Authorized, viewer.grant, order, signature);

		assert!(!Grants::<T>::contains_key(viewer.grant));
	}

	#[benchmark]
	fn authorize_open() {
		let index = T::MaxSessionsPerGrant::get() - 1;
		let (stream, viewer) = watching::<T>(index);
		at::<T>(2_000);
		let order = open::<T>(index, stream, 30);
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
		let earned = much::<T>() * p.into() + One::one();
		Streams::<T>::mutate(id, |entry| {
			if let Some(entry) = entry {
				entry.payees = payees::<T>(p);
				entry.status = StreamStatus::Ended;
				entry.earned = earned;
				entry.earned_total = earned;
			}
		});
		let pot_holds = earned + much::<T>();
		assert!(T::Assets::mint_into(native::<T>(), &Pallet::<T>::pot(), pot_holds).is_ok());
		let anybody = rich::<T>("anybody");

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), id);

		assert!(!Streams::<T>::contains_key(id));
	}

	#[benchmark]
	fn on_finalize() {
		FreeWeightUsed::<T>::put(Weight::from_parts(1, 1));

		#[block]
		{
			<Pallet<T> as Hooks<BlockNumberFor<T>>>::on_finalize(Zero::zero());
		}

		assert!(!FreeWeightUsed::<T>::exists());
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_state(), crate::mock::Test);
}
