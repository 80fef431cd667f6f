// SPDX-License-Identifier: Apache-2.0

//! The clock of a session: rules 2 to 5 of the ledger, without storage.
//!
//! Everything that bounds a charge is decided here, by functions of their arguments alone.

use crate::types::{Moment, Session, Stream};
use crate::{BalanceOf, Config, Error};
use frame::prelude::*;

/// Milliseconds in the second that is charged.
pub(crate) const SECOND_MS: u64 = 1_000;

/// The moments of a session that bound its charges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
	/// Up to where time is charged.
	pub billed_until: Moment,
	/// The last tick, or the opening.
	pub ticked_at: Moment,
	/// The end as far as it is known.
	pub ended_at: Moment,
	/// How long the session outlives its last tick.
	pub gap_ms: u64,
}

/// What a [`Clock`] shows at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
	/// The moment of the reading.
	pub now: Moment,
	/// The end as far as it is known now: never later than it was.
	pub ended_at: Moment,
	/// Whether that end has come.
	pub ended: bool,
	/// Up to where time may be charged now: `min(now, ended at)`.
	pub end: Moment,
	/// From where a charge counts: `max(billed until, end - gap)`.
	pub from: Moment,
}

impl Clock {
	/// Read the clock at `now`, for a stream that stopped at `stop`.
	///
	/// A moment has passed when it is not after `now`; passed moments lower the end, and nothing
	/// raises it.
	pub fn at(self, stop: Option<Moment>, now: Moment) -> Reading {
		let silent_at = self.ticked_at.saturating_add(self.gap_ms);
		let ended_at = [stop, Some(silent_at)]
			.into_iter()
			.flatten()
			.filter(|moment| *moment <= now)
			.fold(self.ended_at, Moment::min);
		let end = now.min(ended_at);
		let from = self.billed_until.max(end.saturating_sub(self.gap_ms));
		Reading { now, ended_at, ended: ended_at <= now, end, from }
	}
}

impl Reading {
	/// How many whole seconds may be charged now.
	pub fn room_seconds(&self) -> u64 {
		self.end.saturating_sub(self.from).checked_div(SECOND_MS).unwrap_or(0)
	}

	/// How many whole seconds may be charged until the end, if ticks never stop.
	pub fn seconds_to_end(&self) -> u64 {
		self.ended_at.saturating_sub(self.from).checked_div(SECOND_MS).unwrap_or(0)
	}

	/// Whether the time in which the key may still close is over.
	pub fn window_over(&self, window_ms: u64) -> bool {
		self.now >= self.ended_at.saturating_add(window_ms)
	}
}

/// What an order charges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge<Balance> {
	/// The session's seconds after it.
	pub seconds: u32,
	/// How many more than the ledger's were asked for.
	pub asked_seconds: u32,
	/// How many of these are charged now.
	pub charged_seconds: u32,
	/// What they cost.
	pub amount: Balance,
	/// What the operator takes for it.
	pub fee: Balance,
	/// Up to where time is charged after it.
	pub billed_until: Moment,
	/// Whether more was asked for than the funds cover.
	pub exhausted: bool,
}

impl<T: Config> Session<T> {
	/// The moments that bound this session's charges.
	pub fn clock(&self) -> Clock {
		Clock {
			billed_until: self.billed_until,
			ticked_at: self.ticked_at,
			ended_at: self.ended_at,
			gap_ms: self.gap_ms,
		}
	}

	/// The clock at `now`, with the stream's stops.
	pub fn reading(&self, stream: &Stream<T>, now: Moment) -> Reading {
		self.clock().at(stream.stop_after(self.opened_at), now)
	}

	/// What has been charged so far: seconds times rate, and the operator's fees (I4).
	pub fn paid(&self) -> Result<BalanceOf<T>, Error<T>> {
		self.rate_per_second
			.checked_mul(&self.seconds.into())
			.and_then(|for_seconds| for_seconds.checked_add(&self.fees))
			.ok_or(Error::<T>::Overflow)
	}

	/// What is reserved and not charged.
	pub fn left(&self) -> Result<BalanceOf<T>, Error<T>> {
		self.funds.checked_sub(&self.paid()?).ok_or(Error::<T>::Overflow)
	}

	/// How many seconds `money` buys at this session's rate; a free one is never short of money.
	pub fn seconds_for(&self, money: BalanceOf<T>) -> u32 {
		money
			.checked_div(&self.rate_per_second)
			.map_or(u32::MAX, |seconds| seconds.saturated_into())
	}

	/// For how many seconds `money` lasts at this session's rate where each tick charges
	/// `tick_seconds`, and the tick price with them.
	///
	/// The creator's seconds come first, so what is left for the last tick may buy seconds and fall
	/// short of its price.
	pub fn lasts_seconds(&self, money: BalanceOf<T>, tick_seconds: u32) -> u32 {
		if self.rate_per_second.is_zero() {
			return u32::MAX;
		}
		let for_seconds = self.rate_per_second.saturating_mul(tick_seconds.into());
		let tick_cost = for_seconds.saturating_add(self.tick_price);
		let ticks = money.checked_div(&tick_cost).unwrap_or_else(Zero::zero);
		let last = money.saturating_sub(tick_cost.saturating_mul(ticks));
		let ticks: u32 = ticks.saturated_into();
		let whole = ticks.saturating_mul(tick_seconds);
		whole.saturating_add(self.seconds_for(last).min(tick_seconds))
	}

	/// Charge up to the total `seconds` at a `reading` of this session's clock.
	///
	/// Refuses totals below the ledger's and ahead of the clock (I2); what the funds do not cover
	/// is left out and reported as exhaustion (I4). The operator's fee comes after the creator's
	/// seconds, from what these leave.
	pub fn charge(
		&self,
		reading: &Reading,
		seconds: u32,
	) -> Result<Charge<BalanceOf<T>>, Error<T>> {
		let asked = seconds.checked_sub(self.seconds).ok_or(Error::<T>::TotalLower)?;
		ensure!(u64::from(asked) <= reading.room_seconds(), Error::<T>::AheadOfClock);
		let left = self.left()?;
		let charged_seconds = asked.min(self.seconds_for(left));
		let amount = self
			.rate_per_second
			.checked_mul(&charged_seconds.into())
			.ok_or(Error::<T>::Overflow)?;
		let fee = match charged_seconds {
			0 => Zero::zero(),
			_ => self.tick_price.min(left.saturating_sub(amount)),
		};
		let billed_until = u64::from(charged_seconds)
			.checked_mul(SECOND_MS)
			.and_then(|charged_ms| reading.from.checked_add(charged_ms))
			.ok_or(Error::<T>::Overflow)?;
		Ok(Charge {
			seconds: self.seconds.checked_add(charged_seconds).ok_or(Error::<T>::Overflow)?,
			asked_seconds: asked,
			charged_seconds,
			amount,
			fee,
			billed_until,
			exhausted: charged_seconds < asked,
		})
	}

	/// Take a charge into the session's totals.
	pub fn book(&mut self, charge: &Charge<BalanceOf<T>>) {
		self.seconds = charge.seconds;
		// At most what was left of the funds, so the sum is in range.
		self.fees = self.fees.saturating_add(charge.fee);
		self.billed_until = charge.billed_until;
	}
}
