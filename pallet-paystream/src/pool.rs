// SPDX-License-Identifier: Apache-2.0

//! How the pool and the block judge what comes too early, and how they name a refusal.
//!
//! Who signs goes by the newest block that their node has, and the nodes to which the transaction then travels may
//! not have it yet: their clock is a block behind. A pool that refuses there bans the transaction for half an
//! hour, whatever the reason, and that node's blocks then leave it out. So a pool lets in what the clock of one of
//! the next blocks allows, as FRAME's `CheckNonce` does with a nonce whose predecessor is missing; a block takes
//! nothing early, and says [`InvalidTransaction::Future`], after which the pool tries again with the next one.

use crate::{types::Moment, Config, Error, Pallet};
use frame::prelude::*;

/// Who asks whether a transaction is valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
	/// A pool, before any block.
	Pool,
	/// The block that is to carry it.
	Block,
}

impl Judge {
	pub(crate) fn of(source: TransactionSource) -> Self {
		match source {
			TransactionSource::InBlock => Self::Block,
			TransactionSource::Local | TransactionSource::External => Self::Pool,
		}
	}

	/// How it names an error: by a reason of FRAME's own where it has one, else by the error's index, by which
	/// clients find name and remedy in the metadata.
	pub(crate) fn refusal<T: Config>(self, error: Error<T>) -> InvalidTransaction {
		match error {
			Error::OrderStale => InvalidTransaction::Stale,
			Error::SignatureInvalid => InvalidTransaction::BadProof,
			Error::FreeLaneFull => InvalidTransaction::ExhaustsResources,
			early if self == Self::Block && waits_for_the_clock(&early) => {
				InvalidTransaction::Future
			}
			other => {
				let index = other.using_encoded(|bytes| bytes.first().copied());
				InvalidTransaction::Custom(index.unwrap_or(u8::MAX))
			}
		}
	}
}

impl<T: Config> Pallet<T> {
	/// What `check` says at the clock of whoever judges: a block's own, and for a pool one that is ahead by up to
	/// `PoolAheadMaxMs`, if time is all that is missing. Where it is missing more, the reason stays.
	pub(crate) fn by_clock_of<R>(
		judge: Judge,
		check: impl Fn(Moment) -> Result<R, Error<T>>,
	) -> Result<R, Error<T>> {
		let now = Self::now();
		let early = match check(now) {
			Err(error) if judge == Judge::Pool && waits_for_the_clock(&error) => error,
			verdict => return verdict,
		};
		check(now.saturating_add(T::PoolAheadMaxMs::get())).map_err(|_| early)
	}
}

/// Whether an error mends itself with the clock, and with nothing else.
fn waits_for_the_clock<T: Config>(error: &Error<T>) -> bool {
	matches!(
		error,
		Error::AheadOfClock
			| Error::OpenTooSoon
			| Error::TipTooSoon
			| Error::RenewTooEarly
			| Error::WindowOpen
	)
}
