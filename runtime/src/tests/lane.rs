//! The free lane in real blocks: what its orders weigh, who comes first, and what a batch costs.

use super::{audience::*, *};
use frame_support::{dispatch::DispatchClass, traits::Authorize, weights::Weight};
use pallet_paystream::{FreeShares, FreeWeightUsed, Order, OrderOf, SignedOrderOf};
use pallet_transaction_payment::{Multiplier, NextFeeMultiplier};
use sp_runtime::{
	generic::{Digest, DigestItem, Era, SignedPayload},
	traits::{Convert, Hash as _, Header as _},
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
	ExtrinsicInclusionMode, FixedPointNumber, MultiSignature,
};

/// Begin the block of a second. Returns what it may carry.
pub(super) fn begin(second: u64) -> ExtrinsicInclusionMode {
	let now = BEGIN_MS + second * 1_000;
	let number = System::block_number() + 1;
	let slot = sp_consensus_aura::Slot::from(now / SLOT_DURATION_MS);
	let item = DigestItem::PreRuntime(sp_consensus_aura::AURA_ENGINE_ID, slot.encode());
	let header = Header::new(
		number,
		Hash::default(),
		Hash::default(),
		BlakeTwo256::hash_of(&(number - 1)),
		Digest { logs: vec![item] },
	);
	let mode = Executive::initialize_block(&header);
	let time = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now });
	Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(time)).unwrap().unwrap();
	mode
}

/// The pool sees what a finished block has left.
pub(super) fn finish() {
	Executive::finalize_block();
}

fn extension(nonce: Nonce) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckMortality::from(Era::Immortal),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

/// Apply an order as a block's author does. `false` where the block has no room for it.
fn applied(call: &RuntimeCall) -> bool {
	let extrinsic = UncheckedExtrinsic::new_transaction(call.clone(), extension(0));
	match Executive::apply_extrinsic(extrinsic) {
		Ok(done) => done.map(|()| true).expect("what is valid does not fail"),
		Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)) => false,
		Err(invalid) => panic!("the ledger takes it: {invalid:?}"),
	}
}

fn normal_weight_now() -> Weight {
	*System::block_weight().get(DispatchClass::Normal)
}

/// Fill a block's lane, and hold it against what the block is charged and what fees do.
fn fills_no_more_than_its_share(orders: &[RuntimeCall]) {
	let before = normal_weight_now();
	let taken = orders.iter().filter(|call| applied(call)).count();
	let left_out = orders.len() - taken;
	assert!(taken > 0 && left_out > 0, "{taken} were taken and {left_out} were not");
	let charged = normal_weight_now().saturating_sub(before);
	let counted = FreeWeightUsed::<Runtime>::get();
	assert_eq!(counted.ref_time().abs_diff(charged.ref_time()) / 1_000_000 / taken as u64, 0);
	assert!(charged.all_lte(counted), "charged {charged:?}, counted {counted:?}");
	let block = <Runtime as frame_system::Config>::BlockWeights::get().max_block;
	let share = <Runtime as pallet_paystream::Config>::FreeShare::get();
	assert!(charged.ref_time() <= share.mul_floor(block.ref_time()), "{charged:?}");
}

/// Who pays no fee must not raise it for those who do.
#[test]
fn a_full_lane_of_real_orders_leaves_fees_where_they_are() {
	chain("development").execute_with(|| {
		begin(0);
		audience(60, 2, 40 * RATE);
		finish();
		let sessions = || (0..120u64).flat_map(|grant| (0..SESSIONS - 1).map(move |i| (grant, i)));
		let ticks = |seconds| -> Vec<_> {
			sessions()
				.map(|(grant, index)| order_call(grant, Order::Tick { index, seconds }))
				.collect()
		};
		let funds: Vec<_> = sessions()
			.map(|(grant, index)| order_call(grant, Order::Fund { index, funds: 100 * RATE }))
			.collect();
		let opens: Vec<_> = (0..120u64)
			.map(|grant| {
				let order = Order::Open {
					index: SESSIONS - 1,
					stream: 0,
					rate_per_second: RATE,
					funds: 40 * RATE,
					start_at: BEGIN_MS,
					tick_price_max: 0,
				};
				order_call(grant, order)
			})
			.collect();
		let mixed: Vec<_> = [&opens[100..], &funds[1_500..], &ticks(18)[..]].concat();
		let lanes = [(10, ticks(8)), (12, funds), (14, opens), (20, mixed)];
		for (second, orders) in lanes {
			begin(second);
			// As if blocks had been full for days: now they are not, and fees must fall.
			let high = Multiplier::saturating_from_integer(2);
			NextFeeMultiplier::<Runtime>::put(high);
			fills_no_more_than_its_share(&orders);
			finish();
			assert!(NextFeeMultiplier::<Runtime>::get() < high, "fees rise at second {second}");
		}
	});
}

/// A pool: what waits, in the order in which an author takes it.
#[derive(Default)]
struct Pool {
	waiting: Vec<(u64, RuntimeCall)>,
}

impl Pool {
	/// Let an order wait, as the state of the last block has it.
	fn submit(&mut self, call: RuntimeCall) {
		let verdict = call.authorize(TransactionSource::External).expect("it is authorised");
		let (valid, _) = verdict.expect("the ledger takes it");
		self.waiting.push((valid.priority, call));
		// The one that came first goes first among equals.
		self.waiting.sort_by_key(|(priority, _)| u64::MAX - priority);
	}

	/// Fill a block. Returns what it took.
	fn author(&mut self) -> Vec<RuntimeCall> {
		let (taken, waiting) = self.waiting.drain(..).partition(|(_, call)| applied(call));
		self.waiting = waiting;
		let taken: Vec<(u64, RuntimeCall)> = taken;
		taken.into_iter().map(|(_, call)| call).collect()
	}
}

/// A hundred grants of sixteen sessions of one account, all of which want funds and ticks at once, beside
/// one honest session.
#[test]
fn one_account_holds_up_nobody_whatever_grants_it_makes() {
	chain("development").execute_with(|| {
		begin(0);
		audience(1, 100, 40 * RATE);
		give(viewer(1), 1);
		let honest = 100;
		open_all(honest, 1_000 * RATE);
		finish();
		begin(10);
		finish();
		let mut pool = Pool::default();
		for grant in 0..100 {
			for index in 0..SESSIONS - 1 {
				pool.submit(order_call(grant, Order::Fund { index, funds: 100 * RATE }));
				pool.submit(order_call(grant, Order::Tick { index, seconds: 9 }));
			}
			let last = Order::Open {
				index: SESSIONS - 1,
				stream: 0,
				rate_per_second: RATE,
				funds: 40 * RATE,
				start_at: BEGIN_MS,
				tick_price_max: 0,
			};
			pool.submit(order_call(grant, last));
		}
		let honest_tick = order_call(honest, Order::Tick { index: 0, seconds: 9 });
		pool.submit(honest_tick.clone());
		let most = PayStream::account_limit();
		for block in 0..3 {
			begin(12 + 2 * block);
			let before = normal_weight_now();
			let taken = pool.author();
			let charged = normal_weight_now().saturating_sub(before);
			// The last one in the pool, and in the first block.
			assert_eq!(taken.contains(&honest_tick), block == 0);
			let of_honest =
				if block == 0 { charged.div(taken.len() as u64) } else { Weight::zero() };
			assert!(!taken.is_empty());
			assert!(charged.saturating_sub(of_honest).all_lte(most), "{charged:?} of {most:?}");
			finish();
		}
	});
}

/// A batch as an account signs it.
fn signed_batch(
	by: Sr25519Keyring,
	nonce: Nonce,
	orders: Vec<SignedOrderOf<Runtime>>,
) -> UncheckedExtrinsic {
	let orders = orders.try_into().expect("it is short enough");
	let call = RuntimeCall::PayStream(pallet_paystream::Call::submit_batch { orders });
	let payload = SignedPayload::new(call.clone(), extension(nonce)).expect("it can be signed");
	let signature = MultiSignature::Sr25519(payload.using_encoded(|bytes| by.sign(bytes)));
	UncheckedExtrinsic::new_signed(call, by.to_account_id().into(), signature, extension(nonce))
}

/// What a bad order costs at the most: a look at three entries, and its bytes.
fn fee_of_a_look(signed: &SignedOrderOf<Runtime>) -> Balance {
	let reads = <Runtime as frame_system::Config>::DbWeight::get().reads(3);
	let look = reads.saturating_add(Weight::from_parts(25_000_000, 0));
	let of_weight: Balance = TransactionPayment::convert(look);
	of_weight + TransactionPayment::length_to_fee(signed.encoded_size() as u32)
}

/// What is bad about some of a batch's orders.
#[derive(Clone, Copy, Debug)]
enum Bad {
	/// Somebody else has brought them first.
	Copied,
	/// Their viewers have revoked, and somebody else has brought the closes.
	Ended,
	/// They name a second more than has passed.
	Ahead,
}

/// One batch of 60 ticks in a block of its own, so many of them bad. Returns what it cost its submitter,
/// and what its bad orders may cost.
fn cost_of(bad: Bad, count: u64) -> (Balance, Balance) {
	let mut cost = (0, 0);
	chain("development").execute_with(|| {
		begin(0);
		audience(60, 1, 1_000 * RATE);
		finish();
		begin(10);
		let mut orders = Vec::new();
		let mut most = 0;
		for grant in 0..60 {
			let tick = |seconds| Order::Tick { index: 0, seconds };
			let order = match bad {
				_ if grant >= count => tick(10),
				Bad::Ahead => tick(11),
				Bad::Copied => {
					assert!(applied(&order_call(grant, tick(10))));
					tick(10)
				}
				Bad::Ended => {
					by(viewer(grant as u8), pallet_paystream::Call::revoke { grant });
					for index in 0..SESSIONS - 1 {
						by_key(grant, Order::Close { index, seconds: 10 });
					}
					Order::Close { index: 0, seconds: 10 }
				}
			};
			let signed = item(grant, order);
			most += if grant < count { fee_of_a_look(&signed) } else { 0 };
			orders.push(signed);
		}
		// What brought them first came in the block before.
		FreeWeightUsed::<Runtime>::kill();
		FreeShares::<Runtime>::kill();
		let bob = Sr25519Keyring::Bob;
		let before = Balances::free_balance(bob.to_account_id());
		System::reset_events();
		let extrinsic = signed_batch(bob, System::account_nonce(bob.to_account_id()), orders);
		Executive::apply_extrinsic(extrinsic).unwrap().unwrap();
		let paid = before - Balances::free_balance(bob.to_account_id());
		let told = System::events().into_iter().filter_map(|record| match record.event {
			RuntimeEvent::TransactionPayment(
				pallet_transaction_payment::Event::TransactionFeePaid { actual_fee, .. },
			) => Some(actual_fee),
			_ => None,
		});
		assert_eq!(told.sum::<Balance>(), paid, "the events say what was paid");
		cost = (paid, most);
	});
	cost
}

/// Carry out an order in the paid lane.
fn by_key(grant: u64, order: OrderOf<Runtime>) {
	let orders = vec![item(grant, order)].try_into().expect("it is short enough");
	by(Sr25519Keyring::Bob.to_account_id(), pallet_paystream::Call::submit_batch { orders });
}

/// A relayer's honest orders never become dear, whoever brings whichever of them first.
#[test]
fn a_batch_costs_a_look_at_its_bad_orders_and_their_bytes() {
	for (bad, count) in [(Bad::Copied, 0), (Bad::Copied, 30), (Bad::Ended, 1), (Bad::Ended, 30)] {
		assert_eq!(cost_of(bad, count).0, 0, "{count} {bad:?}");
	}
	for bad in [Bad::Copied, Bad::Ended, Bad::Ahead] {
		for count in [1, 31, 45, 59] {
			let (paid, most) = cost_of(bad, count);
			assert!(paid <= most, "{count} {bad:?}: {paid} of {most}");
		}
		// Nothing is left that was free: the transaction itself is paid for, about as much as a transfer.
		let (paid, most) = cost_of(bad, 60);
		assert!(paid > 0 && paid <= most + 2 * MILLI_UNIT, "60 {bad:?}: {paid} of {most}");
	}
	assert!(cost_of(Bad::Ahead, 1).0 > 0, "what is nobody else's doing is paid for");
}

/// How many free ticks of a block there are, and what it takes to need all of them.
#[test]
fn the_guide_says_what_holding_up_others_costs() {
	chain("development").execute_with(|| {
		begin(0);
		audience(1, 1, 100 * RATE);
		finish();
		begin(10);
		assert!(applied(&order_call(0, Order::Tick { index: 0, seconds: 10 })));
		let tick = FreeWeightUsed::<Runtime>::get().ref_time();
		let a_block = PayStream::free_limit().ref_time() / tick;
		let an_account = PayStream::account_limit().ref_time() / tick;
		let deposits = |sessions: u64| -> u128 {
			let grants = u128::from(sessions.div_ceil(SESSIONS.into()));
			let per_grant: Balance = constant!(GrantDepositBase);
			let per_session: Balance = constant!(GrantDepositPerSession);
			(grants * per_grant + u128::from(sessions) * per_session) / UNIT
		};
		assert_eq!(a_block / an_account + 1, 9, "so many accounts fill a lane");
		// A session ticks once in 5 s; one that waits for a minute lets 30 blocks go by.
		let (always, a_minute) = (a_block * 5_000 / SLOT_DURATION_MS, a_block * 30);
		let said = format!(
			"{a_block} ticks a block, {an_account} of them one account's; {always} sessions with deposits of \
			 {} UNIT; {a_minute} sessions with deposits of {} UNIT",
			deposits(always),
			deposits(a_minute),
		);
		let guide = include_str!("../../../docs/chain-operator.md");
		let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
		assert!(words(guide).contains(&words(&said)), "the guide does not say: {said}");
	});
}
