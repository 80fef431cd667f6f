// SPDX-License-Identifier: Apache-2.0

//! The ledger for other pallets: what is sold by the second need not be video.
//!
//! A pallet that sells has no secret, so it signs no orders. It holds grants under a key that nobody can sign for, made of its
//! `PalletId`, and orders by calling [`Seller`]. All rules are those of a delegate key's orders: totals, the
//! clock, the cap, the window.

use crate::{
	stream::StreamBook,
	types::{
		AccountIdOf, BalanceOf, DelegateKey, GrantId, GrantTermsOf, MessageOf, Moment, Order,
		OrderOf, SessionIndex, StreamId,
	},
	Config, Error, Pallet, SessionViewOf, WeightInfo,
};
use frame::{hashing::blake2_256, prelude::*};

/// What the key of a selling pallet is made of, beside its `PalletId`.
const SELLER_DOMAIN: [u8; 19] = *b"PayStream/seller/v1";

/// What a pallet of the same runtime needs to sell something by the second.
///
/// The calling pallet answers for the origin: the ledger does not see who asked it. It charges no fee and has no lane;
/// the caller's own weight must contain what [`weight_of`](Seller::weight_of) says. What fails has written nothing.
pub trait Seller<T: Config> {
	/// The key under which grants are made for a pallet. Nobody can sign for it.
	fn key_of(seller: PalletId) -> DelegateKey;

	/// Permit a pallet to charge `buyer`'s vault within `terms`, as `grant` does for a key that proves itself. The buyer
	/// must have asked for it: check their origin first.
	///
	/// Errors and events: those of [`grant`](Pallet::grant).
	fn grant(
		seller: PalletId,
		buyer: AccountIdOf<T>,
		terms: GrantTermsOf<T>,
	) -> Result<GrantId, DispatchError>;

	/// Open a session of `stream` at its rate, with `funds` reserved, that starts at `start_at` or as soon after it as the
	/// rules allow. `tick_price_max` is the most that the operator may take for a charge: what the buyer agreed to. Returns
	/// the session's index.
	///
	/// Errors: `NotSeller`, and those of an open order.
	fn open(
		seller: PalletId,
		grant: GrantId,
		stream: StreamId,
		funds: BalanceOf<T>,
		start_at: Moment,
		tick_price_max: BalanceOf<T>,
	) -> Result<SessionIndex, DispatchError>;

	/// Raise what is reserved for a session to `funds`. Errors: `NotSeller`, and those of a fund order.
	fn fund(
		seller: PalletId,
		grant: GrantId,
		index: SessionIndex,
		funds: BalanceOf<T>,
	) -> DispatchResult;

	/// Raise a session's seconds to the total `seconds`. Errors: `NotSeller`, and those of a tick.
	fn tick(seller: PalletId, grant: GrantId, index: SessionIndex, seconds: u32) -> DispatchResult;

	/// Close a session with the total `seconds`. Errors: `NotSeller`, and those of a close order.
	fn close(seller: PalletId, grant: GrantId, index: SessionIndex, seconds: u32)
		-> DispatchResult;

	/// Raise a grant's tips to the total `tips`, in favour of a session's stream. Errors: `NotSeller`, and those of a tip
	/// order.
	fn tip(
		seller: PalletId,
		grant: GrantId,
		index: SessionIndex,
		tips: BalanceOf<T>,
		message: MessageOf<T>,
	) -> DispatchResult;

	/// What an account has prepaid in an asset and not reserved.
	fn vault(who: &AccountIdOf<T>, asset: &T::AssetKind) -> BalanceOf<T>;

	/// A session as it stands now: what it has paid, how many seconds it may be charged now, how long it lasts.
	fn session(grant: GrantId, index: SessionIndex) -> Option<SessionViewOf<T>>;

	/// What a function of this trait weighs at the most.
	fn weight_of(deed: Deed) -> Weight;
}

/// A function of [`Seller`] that has a weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
	/// [`Seller::grant`].
	Grant,
	/// [`Seller::open`].
	Open,
	/// [`Seller::fund`].
	Fund,
	/// [`Seller::tick`], also where it uses up the funds and closes the session.
	Tick,
	/// [`Seller::close`].
	Close,
	/// [`Seller::tip`].
	Tip,
}

impl<T: Config> Seller<T> for Pallet<T> {
	fn key_of(seller: PalletId) -> DelegateKey {
		DelegateKey::Sr25519(blake2_256(&(SELLER_DOMAIN, seller).encode()))
	}

	fn grant(
		seller: PalletId,
		buyer: AccountIdOf<T>,
		terms: GrantTermsOf<T>,
	) -> Result<GrantId, DispatchError> {
		Self::ensure_grantable(&buyer, &terms)?;
		Self::insert_grant(buyer, Self::key_of(seller), terms)
	}

	fn open(
		seller: PalletId,
		grant: GrantId,
		stream: StreamId,
		funds: BalanceOf<T>,
		start_at: Moment,
		tick_price_max: BalanceOf<T>,
	) -> Result<SessionIndex, DispatchError> {
		let index = crate::Grants::<T>::get(grant).ok_or(Error::<T>::GrantNotFound)?.next_index;
		let rate_per_second =
			crate::Streams::<T>::get(stream).ok_or(Error::<T>::StreamNotFound)?.rate_per_second;
		let order = Order::Open { index, stream, rate_per_second, funds, start_at, tick_price_max };
		Self::order_of_seller(seller, grant, order)?;
		Ok(index)
	}

	fn fund(
		seller: PalletId,
		grant: GrantId,
		index: SessionIndex,
		funds: BalanceOf<T>,
	) -> DispatchResult {
		Self::order_of_seller(seller, grant, Order::Fund { index, funds })
	}

	fn tick(seller: PalletId, grant: GrantId, index: SessionIndex, seconds: u32) -> DispatchResult {
		Self::order_of_seller(seller, grant, Order::Tick { index, seconds })
	}

	fn close(
		seller: PalletId,
		grant: GrantId,
		index: SessionIndex,
		seconds: u32,
	) -> DispatchResult {
		Self::order_of_seller(seller, grant, Order::Close { index, seconds })
	}

	fn tip(
		seller: PalletId,
		grant: GrantId,
		index: SessionIndex,
		tips: BalanceOf<T>,
		message: MessageOf<T>,
	) -> DispatchResult {
		Self::order_of_seller(seller, grant, Order::Tip { index, tips, message })
	}

	fn vault(who: &AccountIdOf<T>, asset: &T::AssetKind) -> BalanceOf<T> {
		Self::vault_view(who, asset)
	}

	fn session(grant: GrantId, index: SessionIndex) -> Option<SessionViewOf<T>> {
		Self::session_view(grant, index)
	}

	/// The whole order's, signature included, which is more than is done here.
	fn weight_of(deed: Deed) -> Weight {
		match deed {
			Deed::Grant => T::WeightInfo::grant(),
			Deed::Open => T::WeightInfo::submit_open(),
			Deed::Fund => T::WeightInfo::submit_fund(),
			Deed::Tick => T::WeightInfo::submit_tick().max(T::WeightInfo::submit_close()),
			Deed::Close => T::WeightInfo::submit_close(),
			Deed::Tip => T::WeightInfo::submit_tip(),
		}
	}
}

impl<T: Config> Pallet<T> {
	/// An order of a pallet's, in no lane. A grant of another key's is none of its business: without this check any
	/// pallet could charge any viewer (I4).
	fn order_of_seller(seller: PalletId, grant: GrantId, order: OrderOf<T>) -> DispatchResult {
		let mut book = StreamBook::new();
		let step = Self::plan(&mut book, grant, &order)?.step;
		ensure!(*step.key() == <Self as Seller<T>>::key_of(seller), Error::<T>::NotSeller);
		Self::carry_out(&mut book, grant, order.index(), step);
		book.write();
		Ok(())
	}
}
