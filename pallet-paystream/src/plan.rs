// SPDX-License-Identifier: Apache-2.0

//! What orders do.
//!
//! An order is first planned and then carried out. The plan does all reading, checking and
//! arithmetic and serves the pool and the block alike; carrying it out only writes, so it cannot
//! fail. This matters: an authorised transaction that failed in its block would be free to repeat.

use crate::{
	close::Closing,
	session::{Charge, SECOND_MS},
	stream::StreamBook,
	subscription::Collected,
	types::{
		BalanceOf, CloseReason, DelegateKey, Grant, GrantId, MessageOf, Moment, Order, OrderOf,
		Session, SessionIndex, Stream, StreamId, SubscriptionOf,
	},
	AssetEntries, Config, Error, Event, Grants, Pallet, Sessions, SessionsOf, StreamStatus,
	Subscriptions,
};
use alloc::boxed::Box;
use frame::prelude::*;

/// An order that has passed every check but its signature's.
pub(crate) struct Plan<T: Config> {
	/// What is to be done.
	pub(crate) step: Step<T>,
	/// Whether the free lane takes it; the paid lane takes it anyway.
	pub(crate) free: Result<(), Error<T>>,
}

/// What an order does.
pub(crate) enum Step<T: Config> {
	Open(Box<Opening<T>>),
	Fund(Box<Funding<T>>),
	Tick(Box<Ticking<T>>),
	Close(Box<Closing<T>>),
	Tip(Box<Tipping<T>>),
	Renew(Box<Renewing<T>>),
}

/// What is written when a session opens.
pub(crate) struct Opening<T: Config> {
	pub(crate) session: Session<T>,
	pub(crate) grant: Grant<T>,
	stream: Stream<T>,
	vault: BalanceOf<T>,
}

/// What is written when a session is funded.
pub(crate) struct Funding<T: Config> {
	pub(crate) session: Session<T>,
	grant: Grant<T>,
	vault: BalanceOf<T>,
	/// For how many seconds more it lasts afterwards, and without it.
	pub(crate) seconds: u32,
	pub(crate) seconds_left: u32,
}

/// What is written when a session is charged and goes on.
pub(crate) struct Ticking<T: Config> {
	pub(crate) session: Session<T>,
	stream: Stream<T>,
	pub(crate) charge: Charge<BalanceOf<T>>,
}

/// What is written when a key tips.
pub(crate) struct Tipping<T: Config> {
	pub(crate) grant: Grant<T>,
	id: StreamId,
	stream: Stream<T>,
	vault: BalanceOf<T>,
	amount: BalanceOf<T>,
	message: MessageOf<T>,
}

/// What is written when a key renews a subscription.
pub(crate) struct Renewing<T: Config> {
	pub(crate) grant: Grant<T>,
	id: StreamId,
	stream: Stream<T>,
	vault: BalanceOf<T>,
	subscription: SubscriptionOf<T>,
	collected: Collected<BalanceOf<T>>,
}

/// What an open asks for.
struct Asked<Balance> {
	stream: StreamId,
	rate_per_second: Balance,
	funds: Balance,
	start_at: Moment,
	tick_price_max: Balance,
}

impl<T: Config> Plan<T> {
	fn free(step: Step<T>) -> Self {
		Self { step, free: Ok(()) }
	}
}

impl<T: Config> Step<T> {
	/// The key whose order it must be.
	pub(crate) fn key(&self) -> &DelegateKey {
		match self {
			Step::Open(plan) => &plan.grant.key,
			Step::Fund(plan) => &plan.session.key,
			Step::Tick(plan) => &plan.session.key,
			Step::Close(plan) => &plan.session.key,
			Step::Tip(plan) => &plan.grant.key,
			Step::Renew(plan) => &plan.grant.key,
		}
	}

	/// The viewer who pays.
	pub(crate) fn viewer(&self) -> &T::AccountId {
		match self {
			Step::Open(plan) => &plan.grant.viewer,
			Step::Fund(plan) => &plan.session.viewer,
			Step::Tick(plan) => &plan.session.viewer,
			Step::Close(plan) => &plan.session.viewer,
			Step::Tip(plan) => &plan.grant.viewer,
			Step::Renew(plan) => &plan.grant.viewer,
		}
	}
}

/// An error where a limit of the free lane is not kept.
fn free_if<T: Config>(kept: bool, otherwise: Error<T>) -> Result<(), Error<T>> {
	if kept {
		Ok(())
	} else {
		Err(otherwise)
	}
}

impl<T: Config> Pallet<T> {
	/// Everything that an order reads, checks and computes.
	pub(crate) fn plan(
		book: &mut StreamBook<T>,
		grant: GrantId,
		order: &OrderOf<T>,
	) -> Result<Plan<T>, Error<T>> {
		Self::plan_at(book, grant, order, Self::now())
	}

	/// What [`plan`](Pallet::plan) says where the clock shows `now`.
	pub(crate) fn plan_at(
		book: &mut StreamBook<T>,
		grant: GrantId,
		order: &OrderOf<T>,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		match order {
			Order::Open { index, stream, rate_per_second, funds, start_at, tick_price_max } => {
				let asked = Asked {
					stream: *stream,
					rate_per_second: *rate_per_second,
					funds: *funds,
					start_at: *start_at,
					tick_price_max: *tick_price_max,
				};
				Self::plan_open(book, grant, *index, asked, now)
			}
			Order::Fund { index, funds } => Self::plan_fund(book, grant, *index, *funds, now),
			Order::Tick { index, seconds } => Self::plan_tick(book, grant, *index, *seconds, now),
			Order::Close { index, seconds } => {
				Self::plan_close_order(book, grant, *index, *seconds, now)
			}
			Order::Tip { index, tips, message } => {
				Self::plan_tip(book, grant, *index, *tips, message, now)
			}
			Order::Renew { index, renewals } => {
				Self::plan_renew(book, grant, *index, *renewals, now)
			}
		}
	}

	/// Write what a plan says. The caller writes the book.
	pub(crate) fn carry_out(
		book: &mut StreamBook<T>,
		grant: GrantId,
		index: SessionIndex,
		step: Step<T>,
	) {
		match step {
			Step::Open(plan) => Self::carry_out_open(book, grant, index, *plan),
			Step::Fund(plan) => Self::carry_out_fund(grant, index, *plan),
			Step::Tick(plan) => Self::carry_out_tick(book, grant, index, *plan),
			Step::Close(plan) => Self::carry_out_close(book, grant, index, *plan),
			Step::Tip(plan) => Self::carry_out_tip(book, grant, *plan),
			Step::Renew(plan) => Self::carry_out_renew(book, grant, *plan),
		}
	}

	fn plan_open(
		book: &mut StreamBook<T>,
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
		Self::ensure_running()?;
		let rested = now >= grant.opened_at.saturating_add(Self::pause_ms());

		let mut stream = book.get(asked.stream)?;
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		// A session opened at the very moment of a pause would have stopped already.
		let stopped_now = stream.stop_after(now).is_some();
		ensure!(stream.status == StreamStatus::Active && !stopped_now, Error::<T>::StreamNotActive);
		ensure!(stream.asset == grant.asset, Error::<T>::AssetMismatch);
		let tick_price = Self::enabled_entry(&stream.asset)?.tick_price;
		ensure!(tick_price <= asked.tick_price_max, Error::<T>::TickPriceAboveOrder);
		let period = Self::period_for(&grant.viewer, &stream, &asked, now)?;
		ensure!(asked.rate_per_second <= grant.rate_max_per_second, Error::<T>::RateAboveGrant);
		ensure!(grant.gap_ms >= stream.gap_min_ms, Error::<T>::GapBelowStream);
		ensure!(
			asked.rate_per_second.is_zero()
				|| asked.funds >= stream.funds_min.max(asked.rate_per_second),
			Error::<T>::FundsBelowStream
		);
		let vault = Self::vault_less(&grant.viewer, &grant.asset, asked.funds)?;
		grant.cap_left = grant.cap_left.checked_sub(&asked.funds).ok_or(Error::<T>::CapTooLow)?;

		// The start is raised, not refused (rule 4). None of these is after now.
		let started_at = asked
			.start_at
			.min(now)
			.max(now.saturating_sub(T::HeadStartMaxMs::get()))
			.max(grant.created_at)
			.max(grant.freed_end_at)
			.max(stream.changed_at)
			.max(period.map_or(0, |(begins_at, _)| begins_at));
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
			// A discounted session ends with the period that was paid (rule 2).
			ended_at: period.map_or(grant.ended_at, |(_, ends_at)| grant.ended_at.min(ends_at)),
			tick_price,
			fees: Zero::zero(),
		};
		let step = Step::Open(Box::new(Opening { session, grant, stream, vault }));
		Ok(Plan { step, free: free_if(rested, Error::OpenTooSoon) })
	}

	/// How long a grant rests between two free opens, or two free tips.
	fn pause_ms() -> u64 {
		u64::from(T::MinTickSeconds::get()).saturating_mul(SECOND_MS)
	}

	/// The running period whose discount an open asks for; nothing where it pays the full rate.
	fn period_for(
		viewer: &T::AccountId,
		stream: &Stream<T>,
		asked: &Asked<BalanceOf<T>>,
		now: Moment,
	) -> Result<Option<(Moment, Moment)>, Error<T>> {
		if asked.rate_per_second == stream.rate_per_second {
			return Ok(None);
		}
		let subscription =
			Subscriptions::<T>::get(asked.stream, viewer).ok_or(Error::<T>::RateMismatch)?;
		let period = subscription.period_at(now).ok_or(Error::<T>::RateMismatch)?;
		let rate = subscription.tier.discounted(stream.rate_per_second);
		ensure!(asked.rate_per_second == rate, Error::<T>::RateMismatch);
		Ok(Some(period))
	}

	fn plan_fund(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		funds: BalanceOf<T>,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (mut session, stream) = Self::session_and_stream(book, id, index)?;
		ensure!(funds != session.funds, Error::<T>::OrderStale);
		let raise = funds.checked_sub(&session.funds).ok_or(Error::<T>::FundsNotHigher)?;
		ensure!(!session.reading(&stream, now).ended, Error::<T>::SessionEnded);
		let seconds_low = T::FundBelowSeconds::get();
		let left = session.left()?;
		let seconds_left = session.seconds_for(left);
		let low = seconds_left < seconds_low;

		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		let vault = Self::vault_less(&grant.viewer, &grant.asset, raise)?;
		let cap_left = grant.cap_left.checked_sub(&raise).ok_or(Error::<T>::CapTooLow)?;
		let seconds = session.seconds_for(left.checked_add(&raise).ok_or(Error::<T>::Overflow)?);
		let all_there_is = vault.is_zero() || cap_left.is_zero();
		let free = free_if(low, Error::FundTooEarly)
			.and_then(|()| free_if(seconds >= seconds_low || all_there_is, Error::FundTooSmall));
		grant.cap_left = cap_left;
		session.funds = funds;
		let step = Step::Fund(Box::new(Funding { session, grant, vault, seconds, seconds_left }));
		Ok(Plan { step, free })
	}

	fn plan_tick(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		seconds: u32,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (mut session, mut stream) = Self::session_and_stream(book, id, index)?;
		ensure!(seconds != session.seconds, Error::<T>::OrderStale);
		let reading = session.reading(&stream, now);
		ensure!(!reading.window_over(T::SettlementWindowMs::get()), Error::<T>::SessionEnded);
		let charge = session.charge(&reading, seconds)?;
		if charge.exhausted {
			let reason = CloseReason::FundsExhausted;
			let plan = Self::plan_close(id, index, session, stream, &reading, charge, reason)?;
			return Ok(Plan::free(Step::Close(Box::new(plan))));
		}
		let large = charge.charged_seconds >= T::MinTickSeconds::get();
		session.book(&charge);
		session.ended_at = reading.ended_at;
		if !reading.ended {
			session.ticked_at = now;
		}
		stream.earn(&charge)?;
		let step = Step::Tick(Box::new(Ticking { session, stream, charge }));
		Ok(Plan { step, free: free_if(large, Error::TickTooSmall) })
	}

	fn plan_close_order(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		seconds: u32,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (session, stream) = Self::session_and_stream(book, id, index)?;
		let reading = session.reading(&stream, now);
		ensure!(!reading.window_over(T::SettlementWindowMs::get()), Error::<T>::SessionEnded);
		let charge = session.charge(&reading, seconds)?;
		let reason =
			if charge.exhausted { CloseReason::FundsExhausted } else { CloseReason::Order };
		let mut plan = Self::plan_close(id, index, session, stream, &reading, charge, reason)?;
		plan.by_close_order = true;
		Ok(Plan::free(Step::Close(Box::new(plan))))
	}

	fn plan_tip(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		tips: BalanceOf<T>,
		message: &MessageOf<T>,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (session, mut stream) = Self::session_and_stream(book, id, index)?;
		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		ensure!(tips != grant.tips_total, Error::<T>::OrderStale);
		let amount = tips.checked_sub(&grant.tips_total).ok_or(Error::<T>::TotalLower)?;
		ensure!(!session.reading(&stream, now).ended, Error::<T>::SessionEnded);
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		grant.tips_left = grant.tips_left.checked_sub(&amount).ok_or(Error::<T>::TipsTooLow)?;
		grant.tips_total = tips;
		let rested = now >= grant.tipped_at.saturating_add(Self::pause_ms());
		grant.tipped_at = now;
		let vault = Self::vault_less(&grant.viewer, &grant.asset, amount)?;
		stream.earn_tip(amount)?;
		let tip_min = AssetEntries::<T>::get(&grant.asset).map_or(amount, |entry| entry.tip_min);
		let message = message.clone();
		let tipping = Tipping { grant, id: session.stream, stream, vault, amount, message };
		// What a tip costs can come back to its viewer: the price alone does not bound how many there are.
		let free = free_if(amount >= tip_min, Error::TipTooSmall)
			.and_then(|()| free_if(rested, Error::TipTooSoon));
		Ok(Plan { step: Step::Tip(Box::new(tipping)), free })
	}

	fn plan_renew(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		renewals: u32,
		now: Moment,
	) -> Result<Plan<T>, Error<T>> {
		let (session, mut stream) = Self::session_and_stream(book, id, index)?;
		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		ensure!(renewals > grant.renewals_total, Error::<T>::OrderStale);
		let next = grant.renewals_total.checked_add(1).ok_or(Error::<T>::Overflow)?;
		ensure!(renewals == next, Error::<T>::RenewalNotNext);
		grant.renewals_left =
			grant.renewals_left.checked_sub(1).ok_or(Error::<T>::RenewalsUsedUp)?;
		grant.renewals_total = renewals;
		ensure!(!session.reading(&stream, now).ended, Error::<T>::SessionEnded);
		let mut subscription = Subscriptions::<T>::get(session.stream, &grant.viewer)
			.ok_or(Error::<T>::NotSubscribed)?;
		let tier = subscription.tier;
		// Periods bought far ahead can be given back, so only the clock bounds how many orders there are.
		let last_begun = now.saturating_add(tier.period_ms) >= subscription.paid_until();
		let price = Self::price_of(session.stream, &stream, &tier, 1)?;
		let vault = Self::vault_less(&grant.viewer, &grant.asset, price)?;
		let collected = Self::extend(&mut subscription, &mut stream, tier, 1, now)?;
		let id = session.stream;
		let renewing = Renewing { grant, id, stream, vault, subscription, collected };
		let free = free_if(last_begun, Error::RenewTooEarly);
		Ok(Plan { step: Step::Renew(Box::new(renewing)), free })
	}

	fn carry_out_open(
		book: &mut StreamBook<T>,
		grant: GrantId,
		index: SessionIndex,
		plan: Opening<T>,
	) {
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
		book.put(session.stream, stream);
		Grants::<T>::insert(grant, entry);
		SessionsOf::<T>::insert(session.stream, (grant, index), ());
		Sessions::<T>::insert(grant, index, session);
	}

	fn carry_out_fund(grant: GrantId, index: SessionIndex, plan: Funding<T>) {
		let Funding { session, grant: entry, vault, .. } = plan;
		Self::set_vault(&session.viewer, &session.asset, vault);
		Self::deposit_event(Event::SessionFunded { grant, index, funds: session.funds });
		Grants::<T>::insert(grant, entry);
		Sessions::<T>::insert(grant, index, session);
	}

	fn carry_out_tick(
		book: &mut StreamBook<T>,
		grant: GrantId,
		index: SessionIndex,
		plan: Ticking<T>,
	) {
		let Ticking { session, stream, charge } = plan;
		Self::deposit_ticked(grant, index, session.stream, &charge);
		book.put(session.stream, stream);
		Sessions::<T>::insert(grant, index, session);
	}

	fn carry_out_tip(book: &mut StreamBook<T>, grant: GrantId, plan: Tipping<T>) {
		let Tipping { grant: entry, id, stream, vault, amount, message } = plan;
		Self::set_vault(&entry.viewer, &entry.asset, vault);
		Self::deposit_event(Event::Tipped {
			stream: id,
			viewer: entry.viewer.clone(),
			amount,
			message,
			grant: Some(grant),
		});
		book.put(id, stream);
		Grants::<T>::insert(grant, entry);
	}

	fn carry_out_renew(book: &mut StreamBook<T>, grant: GrantId, plan: Renewing<T>) {
		let Renewing { grant: entry, id, stream, vault, subscription, collected } = plan;
		Self::set_vault(&entry.viewer, &entry.asset, vault);
		Self::deposit_subscribed(id, &entry.viewer, &subscription, 1, collected);
		book.put(id, stream);
		Subscriptions::<T>::insert(id, &entry.viewer, subscription);
		Grants::<T>::insert(grant, entry);
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
			fee: charge.fee,
		});
	}

	/// A session and what it watches; why there is none, if there is none.
	pub(crate) fn session_and_stream(
		book: &mut StreamBook<T>,
		grant: GrantId,
		index: SessionIndex,
	) -> Result<(Session<T>, Stream<T>), Error<T>> {
		let Some(session) = Sessions::<T>::get(grant, index) else {
			let grant = Grants::<T>::get(grant).ok_or(Error::<T>::GrantNotFound)?;
			let was_open = index < grant.next_index;
			return Err(if was_open { Error::OrderStale } else { Error::SessionNotFound });
		};
		let stream = book.get(session.stream)?;
		Ok((session, stream))
	}
}
