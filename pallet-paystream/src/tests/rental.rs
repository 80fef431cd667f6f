// SPDX-License-Identifier: Apache-2.0

//! An example of a pallet that sells something else by the second: it rents out a machine.

#[frame::pallet]
pub mod pallet {
	use crate::{seller::Deed, BalanceOf, GrantId, GrantTermsOf, Seller, SessionIndex, StreamId};
	use frame::prelude::*;

	/// Names the seller.
	pub const ID: PalletId = PalletId(*b"rentals ");

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + crate::Config {
		/// The ledger.
		type Ledger: Seller<Self>;
	}

	/// Who rents, and under which session.
	#[pallet::storage]
	pub type Rentals<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, (GrantId, SessionIndex)>;

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Rent the machine that is sold as `stream`. Origin: signed, who pays.
		#[pallet::call_index(0)]
		#[pallet::weight(
			T::Ledger::weight_of(Deed::Grant)
				.saturating_add(T::Ledger::weight_of(Deed::Open))
				.saturating_add(T::DbWeight::get().writes(1))
		)]
		pub fn rent(
			origin: OriginFor<T>,
			stream: StreamId,
			terms: GrantTermsOf<T>,
			funds: BalanceOf<T>,
		) -> DispatchResult {
			let buyer = ensure_signed(origin)?;
			let grant = T::Ledger::grant(ID, buyer.clone(), terms)?;
			// No machine is rented where the operator takes a part of it.
			let now = crate::Pallet::<T>::now();
			let index = T::Ledger::open(ID, grant, stream, funds, now, Zero::zero())?;
			Rentals::<T>::insert(buyer, (grant, index));
			Ok(())
		}

		/// Say for how long the machine has run. Origin: root, who reads the meter.
		#[pallet::call_index(1)]
		#[pallet::weight(T::Ledger::weight_of(Deed::Tick).saturating_add(T::DbWeight::get().reads(1)))]
		pub fn meter(origin: OriginFor<T>, buyer: T::AccountId, seconds: u32) -> DispatchResult {
			ensure_root(origin)?;
			let (grant, index) = Rentals::<T>::get(buyer).ok_or(DispatchError::CannotLookup)?;
			T::Ledger::tick(ID, grant, index, seconds)
		}

		/// Give the machine back. Origin: root, who reads the meter.
		#[pallet::call_index(2)]
		#[pallet::weight(
			T::Ledger::weight_of(Deed::Close).saturating_add(T::DbWeight::get().reads_writes(1, 1))
		)]
		pub fn give_back(
			origin: OriginFor<T>,
			buyer: T::AccountId,
			seconds: u32,
		) -> DispatchResult {
			ensure_root(origin)?;
			let (grant, index) = Rentals::<T>::take(buyer).ok_or(DispatchError::CannotLookup)?;
			T::Ledger::close(ID, grant, index, seconds)
		}
	}
}
