// SPDX-License-Identifier: Apache-2.0

//! Orders: what a delegate key signs, how the pool judges it, and what it does.
//!
//! An order is first planned and then carried out. The plan does all reading, checking and
//! arithmetic and serves the pool and the block alike; carrying it out only writes, so it cannot
//! fail. This matters: an authorised transaction that failed in its block would be free to repeat.

use crate::{
	close::Closing,
	session::{Charge, SECOND_MS},
	types::{
		BalanceOf, CloseReason, DelegateKey, DelegateSignature, Grant, GrantId, Moment, Order,
		OrderOf, Session, SessionIndex, Stream, StreamId,
	},
	Config, Error, Event, FreeWeightUsed, Grants, Pallet, Sessions, StreamStatus, Streams, Vaults,
	WeightInfo,
};
use alloc::{boxed::Box, vec::Vec};
use frame::{
	deps::{
		sp_core::{ed25519, sr25519},
		sp_io,
	},
	prelude::*,
};

/// What the bytes of a signed order begin with.
pub const ORDER_DOMAIN: [u8; 18] = *b"PayStream/order/v1";
/// What the bytes of a key's proof for its grant begin with.
pub const GRANT_DOMAIN: [u8; 18] = *b"PayStream/grant/v1";

/// The pool priority of an open, and the least of a fund: above every tick's, so that a viewer who
/// joins does not wait for those who watch.
pub const OPEN_PRIORITY: TransactionPriority = 1 << 20;
/// For how many blocks the pool may keep an order without asking again.
const LONGEVITY: TransactionLongevity = 64;

/// Which orders of one session exclude each other in the pool.
#[derive(Encode, Clone, Copy)]
enum Lane {
	Open,
	TickOrClose,
	Fund,
}

/// Whether `signature` is `key`'s over `message`.
pub fn verify(key: &DelegateKey, signature: &DelegateSignature, message: &[u8]) -> bool {
	match (key, signature) {
		(DelegateKey::Sr25519(key), DelegateSignature::Sr25519(signature)) => {
			sp_io::crypto::sr25519_verify(
				&sr25519::Signature::from_raw(*signature),
				message,
				&sr25519::Public::from_raw(*key),
			)
		}
		(DelegateKey::Ed25519(key), DelegateSignature::Ed25519(signature)) => {
			sp_io::crypto::ed25519_verify(
				&ed25519::Signature::from_raw(*signature),
				message,
				&ed25519::Public::from_raw(*key),
			)
		}
		_ => false,
	}
}

/// One order of each kind, for what depends on the kind alone.
pub(crate) fn one_of_each<Balance: Zero>() -> [Order<Balance>; 4] {
	[
		Order::Open {
			index: 0,
			stream: 0,
			rate_per_second: Zero::zero(),
			funds: Zero::zero(),
			start_at: 0,
		},
		Order::Fund { index: 0, funds: Zero::zero() },
		Order::Tick { index: 0, seconds: 0 },
		Order::Close { index: 0, seconds: 0 },
	]
}

/// An order that has passed every check but its signature's.
pub(crate) enum Plan<T: Config> {
	Open(Box<Opening<T>>),
	Fund(Box<Funding<T>>),
	Tick(Box<Ticking<T>>),
	Close(Box<Closing<T>>),
}

/// What is written when a session opens.
pub(crate) struct Opening<T: Config> {
	session: Session<T>,
	grant: Grant<T>,
	stream: Stream<T>,
	vault: BalanceOf<T>,
}

/// What is written when a session is funded.
pub(crate) struct Funding<T: Config> {
	session: Session<T>,
	grant: Grant<T>,
	vault: BalanceOf<T>,
	/// For how many seconds more it lasts.
	seconds: u32,
}

/// What is written when a session is charged and goes on.
pub(crate) struct Ticking<T: Config> {
	session: Session<T>,
	stream: Stream<T>,
	charge: Charge<BalanceOf<T>>,
}

impl<T: Config> Plan<T> {
	/// The key whose order it must be.
	fn key(&self) -> &DelegateKey {
		match self {
			Self::Open(plan) => &plan.grant.key,
			Self::Fund(plan) => &plan.session.key,
			Self::Tick(plan) => &plan.session.key,
			Self::Close(plan) => &plan.session.key,
		}
	}

	/// Which orders it excludes in the pool.
	fn lane(&self) -> Lane {
		match self {
			Self::Open(_) => Lane::Open,
			Self::Fund(_) => Lane::Fund,
			Self::Tick(_) | Self::Close(_) => Lane::TickOrClose,
		}
	}

	/// Who waits longest goes first, and a higher total replaces a lower one.
	fn priority(&self) -> TransactionPriority {
		match self {
			Self::Open(_) => OPEN_PRIORITY,
			Self::Fund(plan) => OPEN_PRIORITY
				.saturating_add(u64::from(plan.seconds).min(OPEN_PRIORITY.saturating_sub(1))),
			Self::Tick(plan) => u64::from(plan.charge.asked_seconds).saturating_mul(2),
			Self::Close(plan) => {
				let unpaid = u64::from(plan.charge.asked_seconds).saturating_mul(2);
				// A close replaces a tick with the same total.
				unpaid.saturating_add(u64::from(plan.by_close_order))
			}
		}
	}
}

impl<T: Config> Pallet<T> {
	/// The bytes that a delegate key signs for an order: domain, genesis hash, the pallet's index,
	/// the grant, the order. They hold on this chain and for this grant alone, and for ever.
	pub fn order_bytes(grant: GrantId, order: &OrderOf<T>) -> Vec<u8> {
		(ORDER_DOMAIN, Self::genesis_hash(), Self::index_in_runtime(), grant, order).encode()
	}

	/// The bytes that a delegate key signs for its viewer's grant: domain, genesis hash, the
	/// pallet's index, the viewer's account.
	pub fn grant_bytes(viewer: &T::AccountId) -> Vec<u8> {
		(GRANT_DOMAIN, Self::genesis_hash(), Self::index_in_runtime(), viewer).encode()
	}

	fn genesis_hash() -> T::Hash {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}

	fn index_in_runtime() -> u8 {
		<Self as PalletInfoAccess>::index() as u8
	}

	/// What the pool and the block ask before `submit`: the ledger's refusals first, which are
	/// cheap, then the signature.
	pub(crate) fn authorize_submit(
		_source: TransactionSource,
		grant: &GrantId,
		order: &OrderOf<T>,
		signature: &DelegateSignature,
	) -> TransactionValidityWithRefund {
		Self::try_authorize(*grant, order, signature)
			.map(|valid| (valid, Weight::zero()))
			.map_err(|error| refusal::<T>(error).into())
	}

	fn try_authorize(
		grant: GrantId,
		order: &OrderOf<T>,
		signature: &DelegateSignature,
	) -> Result<ValidTransaction, Error<T>> {
		let used = FreeWeightUsed::<T>::get().saturating_add(Self::free_cost(order));
		ensure!(used.all_lte(Self::free_limit()), Error::<T>::FreeLaneFull);
		let plan = Self::plan(grant, order)?;
		ensure!(
			verify(plan.key(), signature, &Self::order_bytes(grant, order)),
			Error::<T>::SignatureInvalid
		);
		Ok(ValidTransaction {
			priority: plan.priority(),
			requires: Vec::new(),
			provides: alloc::vec![("PayStream", grant, order.index(), plan.lane()).encode()],
			longevity: LONGEVITY,
			propagate: true,
		})
	}

	/// Carry out an authorised order. Returns the weight of what it turned out to be.
	pub(crate) fn do_submit(grant: GrantId, order: OrderOf<T>) -> Result<Weight, Error<T>> {
		let index = order.index();
		let actual = match Self::plan(grant, &order)? {
			Plan::Open(plan) => {
				Self::carry_out_open(grant, index, *plan);
				T::WeightInfo::submit_open()
			}
			Plan::Fund(plan) => {
				Self::carry_out_fund(grant, index, *plan);
				T::WeightInfo::submit_fund()
			}
			Plan::Tick(plan) => {
				Self::carry_out_tick(grant, index, *plan);
				T::WeightInfo::submit_tick()
			}
			Plan::Close(plan) => {
				Self::carry_out_close(grant, index, *plan);
				T::WeightInfo::submit_close()
			}
		};
		FreeWeightUsed::<T>::mutate(|used| {
			*used = used
				.saturating_add(actual)
				.saturating_add(Self::weight_of_authorize_submit(&order))
				.saturating_add(Self::base_weight());
		});
		Ok(actual)
	}

	/// Everything that an order reads, checks and computes.
	fn plan(grant: GrantId, order: &OrderOf<T>) -> Result<Plan<T>, Error<T>> {
		let now = Self::now();
		match *order {
			Order::Open { index, stream, rate_per_second, funds, start_at } => {
				let asked = Asked { stream, rate_per_second, funds, start_at };
				Self::plan_open(grant, index, asked, now)
			}
			Order::Fund { index, funds } => Self::plan_fund(grant, index, funds, now),
			Order::Tick { index, seconds } => Self::plan_tick(grant, index, seconds, now),
			Order::Close { index, seconds } => Self::plan_close_order(grant, index, seconds, now),
		}
	}

	fn plan_open(
		id: GrantId,
		index: SessionIndex,
		asked: Asked<BalanceOf<T>>,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		ensure!(index >= grant.next_index, Error::<T>::OrderStale);
		ensure!(index == grant.next_index, Error::<T>::IndexNotNext);
		ensure!(now < grant.ended_at, Error::<T>::GrantEnded);
		ensure!(grant.open.len() < grant.sessions_max as usize, Error::<T>::SlotsTaken);
		let pause_ms = u64::from(T::MinTickSeconds::get()).saturating_mul(SECOND_MS);
		ensure!(now >= grant.opened_at.saturating_add(pause_ms), Error::<T>::OpenTooSoon);

		let mut stream = Streams::<T>::get(asked.stream).ok_or(Error::<T>::StreamNotFound)?;
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		// A session opened at the very moment of a pause would have stopped already.
		let stopped_now = stream.stop_after(now).is_some();
		ensure!(stream.status == StreamStatus::Active && !stopped_now, Error::<T>::StreamNotActive);
		ensure!(stream.asset == grant.asset, Error::<T>::AssetMismatch);
		ensure!(stream.rate_per_second == asked.rate_per_second, Error::<T>::RateMismatch);
		ensure!(asked.rate_per_second <= grant.rate_max_per_second, Error::<T>::RateAboveGrant);
		ensure!(grant.gap_ms >= stream.gap_min_ms, Error::<T>::GapBelowStream);
		ensure!(
			asked.funds >= stream.funds_min.max(asked.rate_per_second),
			Error::<T>::FundsBelowStream
		);
		let vault = Vaults::<T>::get(&grant.viewer, &grant.asset)
			.checked_sub(&asked.funds)
			.ok_or(Error::<T>::VaultTooLow)?;
		grant.cap_left = grant.cap_left.checked_sub(&asked.funds).ok_or(Error::<T>::CapTooLow)?;

		// The start is raised, not refused (rule 4). None of these is after now.
		let started_at = asked
			.start_at
			.min(now)
			.max(now.saturating_sub(T::HeadStartMaxMs::get()))
			.max(grant.created_at)
			.max(grant.freed_end_at)
			.max(stream.changed_at);
		grant.next_index = index.checked_add(1).ok_or(Error::<T>::Overflow)?;
		grant.open.try_push(index).map_err(|_| Error::<T>::SlotsTaken)?;
		grant.opened_at = now;
		stream.sessions_open = stream.sessions_open.checked_add(1).ok_or(Error::<T>::Overflow)?;
		let session = Session {
			viewer: grant.viewer.clone(),
			key: grant.key,
			asset: grant.asset.clone(),
			stream: asked.stream,
			rate_per_second: asked.rate_per_second,
			gap_ms: grant.gap_ms,
			funds: asked.funds,
			seconds: 0,
			started_at,
			opened_at: now,
			billed_until: started_at,
			ticked_at: now,
			ended_at: grant.ended_at,
		};
		Ok(Plan::Open(Box::new(Opening { session, grant, stream, vault })))
	}

	fn plan_fund(
		id: GrantId,
		index: SessionIndex,
		funds: BalanceOf<T>,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (mut session, stream) = Self::session_and_stream(id, index)?;
		ensure!(funds != session.funds, Error::<T>::OrderStale);
		let raise = funds.checked_sub(&session.funds).ok_or(Error::<T>::FundsNotHigher)?;
		ensure!(!session.reading(&stream, now).ended, Error::<T>::SessionEnded);
		let seconds_low = T::FundBelowSeconds::get();
		let left = session.left()?;
		ensure!(session.seconds_for(left) < seconds_low, Error::<T>::FundTooEarly);

		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		let available = Vaults::<T>::get(&grant.viewer, &grant.asset);
		let vault = available.checked_sub(&raise).ok_or(Error::<T>::VaultTooLow)?;
		let cap_left = grant.cap_left.checked_sub(&raise).ok_or(Error::<T>::CapTooLow)?;
		let seconds = session.seconds_for(left.checked_add(&raise).ok_or(Error::<T>::Overflow)?);
		let all_there_is = vault.is_zero() || cap_left.is_zero();
		ensure!(seconds >= seconds_low || all_there_is, Error::<T>::FundTooSmall);
		grant.cap_left = cap_left;
		session.funds = funds;
		Ok(Plan::Fund(Box::new(Funding { session, grant, vault, seconds })))
	}

	fn plan_tick(
		id: GrantId,
		index: SessionIndex,
		seconds: u32,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (mut session, mut stream) = Self::session_and_stream(id, index)?;
		ensure!(seconds != session.seconds, Error::<T>::OrderStale);
		let reading = session.reading(&stream, now);
		ensure!(!reading.window_over(T::SettlementWindowMs::get()), Error::<T>::SessionEnded);
		let charge = session.charge(&reading, seconds)?;
		if charge.exhausted {
			let reason = CloseReason::FundsExhausted;
			let plan = Self::plan_close(id, index, session, stream, &reading, charge, reason)?;
			return Ok(Plan::Close(Box::new(plan)));
		}
		ensure!(charge.charged_seconds >= T::MinTickSeconds::get(), Error::<T>::TickTooSmall);
		session.book(&charge);
		session.ended_at = reading.ended_at;
		if !reading.ended {
			session.ticked_at = now;
		}
		stream.earn(&charge)?;
		Ok(Plan::Tick(Box::new(Ticking { session, stream, charge })))
	}

	fn plan_close_order(
		id: GrantId,
		index: SessionIndex,
		seconds: u32,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (session, stream) = Self::session_and_stream(id, index)?;
		let reading = session.reading(&stream, now);
		ensure!(!reading.window_over(T::SettlementWindowMs::get()), Error::<T>::SessionEnded);
		let charge = session.charge(&reading, seconds)?;
		let reason =
			if charge.exhausted { CloseReason::FundsExhausted } else { CloseReason::Order };
		let mut plan = Self::plan_close(id, index, session, stream, &reading, charge, reason)?;
		plan.by_close_order = true;
		Ok(Plan::Close(Box::new(plan)))
	}

	fn carry_out_open(grant: GrantId, index: SessionIndex, plan: Opening<T>) {
		let Opening { session, grant: entry, stream, vault } = plan;
		Self::set_vault(&session.viewer, &session.asset, vault);
		Self::deposit_event(Event::SessionOpened {
			grant,
			index,
			stream: session.stream,
			viewer: session.viewer.clone(),
			rate_per_second: session.rate_per_second,
			funds: session.funds,
			started_at: session.started_at,
		});
		Streams::<T>::insert(session.stream, stream);
		Grants::<T>::insert(grant, entry);
		Sessions::<T>::insert(grant, index, session);
	}

	fn carry_out_fund(grant: GrantId, index: SessionIndex, plan: Funding<T>) {
		let Funding { session, grant: entry, vault, .. } = plan;
		Self::set_vault(&session.viewer, &session.asset, vault);
		Self::deposit_event(Event::SessionFunded { grant, index, funds: session.funds });
		Grants::<T>::insert(grant, entry);
		Sessions::<T>::insert(grant, index, session);
	}

	fn carry_out_tick(grant: GrantId, index: SessionIndex, plan: Ticking<T>) {
		let Ticking { session, stream, charge } = plan;
		Self::deposit_ticked(grant, index, session.stream, &charge);
		Streams::<T>::insert(session.stream, stream);
		Sessions::<T>::insert(grant, index, session);
	}

	pub(crate) fn deposit_ticked(
		grant: GrantId,
		index: SessionIndex,
		stream: StreamId,
		charge: &Charge<BalanceOf<T>>,
	) {
		Self::deposit_event(Event::Ticked {
			grant,
			index,
			stream,
			seconds: charge.seconds,
			charged_seconds: charge.charged_seconds,
			amount: charge.amount,
		});
	}

	/// A session and what it watches; why there is none, if there is none.
	pub(crate) fn session_and_stream(
		grant: GrantId,
		index: SessionIndex,
	) -> Result<(Session<T>, Stream<T>), Error<T>> {
		let Some(session) = Sessions::<T>::get(grant, index) else {
			let grant = Grants::<T>::get(grant).ok_or(Error::<T>::GrantNotFound)?;
			let was_open = index < grant.next_index;
			return Err(if was_open { Error::OrderStale } else { Error::SessionNotFound });
		};
		let stream = Streams::<T>::get(session.stream).ok_or(Error::<T>::StreamNotFound)?;
		Ok((session, stream))
	}

	/// The weight of carrying out an order, before it is known whether it closes the session.
	pub(crate) fn weight_of_submit(order: &OrderOf<T>) -> Weight {
		match order {
			Order::Open { .. } => T::WeightInfo::submit_open(),
			Order::Fund { .. } => T::WeightInfo::submit_fund(),
			Order::Tick { .. } => T::WeightInfo::submit_tick().max(T::WeightInfo::submit_close()),
			Order::Close { .. } => T::WeightInfo::submit_close(),
		}
	}

	/// The weight of checking an order and its signature.
	pub(crate) fn weight_of_authorize_submit(order: &OrderOf<T>) -> Weight {
		match order {
			Order::Open { .. } => T::WeightInfo::authorize_open(),
			Order::Fund { .. } => T::WeightInfo::authorize_fund(),
			Order::Tick { .. } => {
				T::WeightInfo::authorize_tick().max(T::WeightInfo::authorize_close())
			}
			Order::Close { .. } => T::WeightInfo::authorize_close(),
		}
	}

	/// All that an order may use of a block.
	pub(crate) fn free_cost(order: &OrderOf<T>) -> Weight {
		Self::weight_of_submit(order)
			.saturating_add(Self::weight_of_authorize_submit(order))
			.saturating_add(Self::base_weight())
	}

	/// All that the orders of one block may use together.
	pub(crate) fn free_limit() -> Weight {
		let block = T::BlockWeights::get().max_block;
		let share = T::FreeShare::get();
		Weight::from_parts(share.mul_floor(block.ref_time()), share.mul_floor(block.proof_size()))
	}

	fn base_weight() -> Weight {
		T::BlockWeights::get().get(DispatchClass::Normal).base_extrinsic
	}
}

/// What an open asks for.
struct Asked<Balance> {
	stream: StreamId,
	rate_per_second: Balance,
	funds: Balance,
	start_at: Moment,
}

/// How the pool names an error: by a reason of its own where it has one, else by the error's index,
/// by which clients find name and remedy in the metadata.
fn refusal<T: Config>(error: Error<T>) -> InvalidTransaction {
	match error {
		Error::OrderStale => InvalidTransaction::Stale,
		Error::SignatureInvalid => InvalidTransaction::BadProof,
		Error::FreeLaneFull => InvalidTransaction::ExhaustsResources,
		other => {
			let index = other.using_encoded(|bytes| bytes.first().copied());
			InvalidTransaction::Custom(index.unwrap_or(u8::MAX))
		}
	}
}
