// SPDX-License-Identifier: Apache-2.0

//! How sessions are closed: by their key's order, by their funds' end, or by anybody's settlement.

use crate::{
	session::{Charge, Reading},
	stream::StreamBook,
	types::{BalanceOf, CloseReason, Grant, GrantId, Moment, Session, SessionIndex, Stream},
	Config, Error, Event, Grants, Pallet, Sessions, SessionsOf, Vaults,
};
use frame::prelude::*;

/// What is written when a session is closed.
pub(crate) struct Closing<T: Config> {
	pub(crate) session: Session<T>,
	pub(crate) charge: Charge<BalanceOf<T>>,
	/// Whether a close order asked for it.
	pub(crate) by_close_order: bool,
	grant: Grant<T>,
	stream: Stream<T>,
	vault: BalanceOf<T>,
	paid: BalanceOf<T>,
	refunded: BalanceOf<T>,
	end: Moment,
	reason: CloseReason,
	/// Whether the grant has ended, this was its last session, and its deposit is not needed any more.
	grant_over: bool,
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_settle(id: GrantId, index: SessionIndex) -> Result<(), Error<T>> {
		let (mut book, plan) = Self::plan_settle(id, index, Self::now())?;
		Self::carry_out_close(&mut book, id, index, plan);
		book.write();
		Ok(())
	}

	/// Everything that a settlement reads, checks and computes where the clock shows `now`; what is left
	/// only writes. It serves the check of a settlement without signature, too.
	pub(crate) fn plan_settle(
		id: GrantId,
		index: SessionIndex,
		now: Moment,
	) -> Result<(StreamBook<T>, Closing<T>), Error<T>> {
		let session = Sessions::<T>::get(id, index).ok_or(Error::<T>::SessionNotFound)?;
		let mut book = StreamBook::new();
		let stream = book.get(session.stream)?;
		let reading = session.reading(&stream, now);
		ensure!(reading.window_over(T::SettlementWindowMs::get()), Error::<T>::WindowOpen);
		let nothing_more = session.charge(&reading, session.seconds)?;
		let reason = CloseReason::Settled;
		let plan = Self::plan_close(id, index, session, stream, &reading, nothing_more, reason)?;
		Ok((book, plan))
	}

	/// Everything that a closing reads and computes.
	pub(crate) fn plan_close(
		id: GrantId,
		index: SessionIndex,
		mut session: Session<T>,
		mut stream: Stream<T>,
		reading: &Reading,
		charge: Charge<BalanceOf<T>>,
		reason: CloseReason,
	) -> Result<Closing<T>, Error<T>> {
		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		session.book(&charge);
		stream.earn(&charge)?;
		stream.sessions_open = stream.sessions_open.checked_sub(1).ok_or(Error::<T>::Overflow)?;
		let paid = session.paid()?;
		let refunded = session.left()?;
		let vault = Vaults::<T>::get(&session.viewer, &session.asset)
			.checked_add(&refunded)
			.ok_or(Error::<T>::Overflow)?;
		grant.cap_left = grant.cap_left.checked_add(&refunded).ok_or(Error::<T>::Overflow)?;
		grant.spent = grant.spent.checked_add(&paid).ok_or(Error::<T>::Overflow)?;
		grant.seconds =
			grant.seconds.checked_add(session.seconds.into()).ok_or(Error::<T>::Overflow)?;
		grant.freed_end_at = grant.freed_end_at.max(reading.end);
		grant.open.retain(|open| *open != index);
		// Its deposit goes on paying for the viewer's vault where that holds less than it is worth (rule 10).
		let grant_over = grant.open.is_empty()
			&& grant.ended_at <= reading.now
			&& !Self::is_dust(&session.asset, vault);
		Ok(Closing {
			session,
			charge,
			by_close_order: false,
			grant,
			stream,
			vault,
			paid,
			refunded,
			end: reading.end,
			reason,
			grant_over,
		})
	}

	/// Write a closing, and delete the grant if it has ended and this was its last session.
	pub(crate) fn carry_out_close(
		book: &mut StreamBook<T>,
		id: GrantId,
		index: SessionIndex,
		plan: Closing<T>,
	) {
		let Closing { session, charge, grant, stream, vault, .. } = plan;
		if charge.charged_seconds > 0 {
			Self::deposit_ticked(id, index, session.stream, &charge);
		}
		Self::set_vault(&session.viewer, &session.asset, vault);
		Self::deposit_event(Event::SessionClosed {
			grant: id,
			index,
			stream: session.stream,
			seconds: session.seconds,
			paid: plan.paid,
			refunded: plan.refunded,
			ended_at: plan.end,
			reason: plan.reason,
		});
		book.put(session.stream, stream);
		Sessions::<T>::remove(id, index);
		SessionsOf::<T>::remove(session.stream, (id, index));
		if plan.grant_over {
			Self::delete_grant(id, &grant);
		} else {
			Grants::<T>::insert(id, grant);
		}
	}
}
