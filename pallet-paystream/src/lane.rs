// SPDX-License-Identifier: Apache-2.0

//! The free lane: how much of a block orders use without a fee. All of them together, opens among
//! themselves, and those of one account.

use crate::{
	types::{AccountIdOf, OrderOf},
	Config, FreeShares, FreeWeightUsed, Pallet,
};
use frame::{
	deps::{
		frame_system::{ExtensionsWeightInfo, Pallet as System},
		sp_io,
	},
	prelude::*,
};

/// Over how many places a block's accounts are spread. So many that filling a chosen account's place in
/// block after block takes more sessions than filling the whole lane.
const PLACES: usize = 256;
/// The bytes of an order's call beside the order: two indices, the grant, the signature.
const CALL_BYTES: u64 = 2 + 8 + 65;
/// The bytes of an exit's call: two indices and what it names, a grant and a session at the most.
const EXIT_BYTES: u64 = 2 + 8 + 4;
/// The bytes of an extrinsic beside its call, at the most: length, version, and what its extension says.
const EXTRINSIC_BYTES: u64 = 32;

/// The bytes of a signed extrinsic beside its call, at the most.
const SIGNED_BYTES: u64 = 160;

/// What a runtime's transaction extension weighs, without the check of an order.
///
/// The free lane counts what the block is charged; whatever is left out here lets orders use more of
/// it than their share, and raises the fees of those who pay.
pub trait ExtensionWeight {
	/// Around an order: less what comes back from those parts of the extension that look after an
	/// account and its fee, for an order has neither.
	fn of_order() -> Weight;
	/// Around what an account has signed.
	fn of_signed() -> Weight;
}

/// An extension of all that `frame_system` has, and of one that takes the fee. That one weighs `Fee`.
/// An extension with more has to be added up by its runtime.
pub struct SystemExtensions<T, Fee = ()>(PhantomData<(T, Fee)>);

impl<T: frame_system::Config, Fee: Get<Weight>> ExtensionWeight for SystemExtensions<T, Fee> {
	fn of_order() -> Weight {
		type Weights<T> = <T as frame_system::Config>::ExtensionsWeightInfo;
		Weights::<T>::check_non_zero_sender()
			.saturating_add(Weights::<T>::check_spec_version())
			.saturating_add(Weights::<T>::check_tx_version())
			.saturating_add(Weights::<T>::check_genesis())
			.saturating_add(Weights::<T>::check_mortality_mortal_transaction())
			.saturating_add(Weights::<T>::check_weight())
			.saturating_add(Weights::<T>::weight_reclaim())
	}

	fn of_signed() -> Weight {
		let nonce = <T as frame_system::Config>::ExtensionsWeightInfo::check_nonce();
		Self::of_order().saturating_add(nonce).saturating_add(Fee::get())
	}
}

/// What orders have used of a block's free lane, other than all together: in billionths of it.
#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug, TypeInfo, MaxEncodedLen)]
pub struct Shares {
	/// Opens and renewals.
	opens: u32,
	/// Accounts, each at the place that it has in this block.
	places: [u32; PLACES],
}

impl Default for Shares {
	fn default() -> Self {
		Self { opens: 0, places: [0; PLACES] }
	}
}

/// Whose order it is, as far as the lane asks.
pub(crate) struct Taker<AccountId> {
	/// The viewer who pays.
	pub(crate) viewer: AccountId,
	/// Whether it comes before every tick.
	pub(crate) comes_first: bool,
}

impl<T: Config> Pallet<T> {
	/// All that an order may use of a block.
	pub(crate) fn free_cost(order: &OrderOf<T>) -> Weight {
		Self::weight_of_submit(order)
			.saturating_add(Self::weight_of_authorize_submit(order))
			.saturating_add(Self::weight_around(order))
	}

	/// What a block is charged for an order beside its check and what it does: the base of an extrinsic, the
	/// rest of the extension, and its bytes, which are part of the block's proof.
	pub(crate) fn weight_around(order: &OrderOf<T>) -> Weight {
		let bytes = CALL_BYTES.saturating_add(EXTRINSIC_BYTES).saturating_add(length(order));
		Self::base_weight()
			.saturating_add(T::ExtensionWeight::of_order())
			.saturating_add(Weight::from_parts(0, bytes))
	}

	/// What a block is charged for an exit that nobody signs, beside its check and what it does.
	pub(crate) fn weight_around_exit() -> Weight {
		Self::base_weight()
			.saturating_add(T::ExtensionWeight::of_order())
			.saturating_add(Weight::from_parts(0, EXIT_BYTES.saturating_add(EXTRINSIC_BYTES)))
	}

	/// What a block is charged for a batch beside its orders.
	pub(crate) fn weight_around_batch() -> Weight {
		Self::base_weight()
			.saturating_add(T::ExtensionWeight::of_signed())
			.saturating_add(Weight::from_parts(0, SIGNED_BYTES))
	}

	/// All that the orders of one block may use together.
	pub fn free_limit() -> Weight {
		part(T::FreeShare::get(), T::BlockWeights::get().max_block)
	}

	/// All that opens and renewals may use of it: they come before ticks, and must not take their place.
	pub fn open_limit() -> Weight {
		part(T::OpenShare::get(), Self::free_limit())
	}

	/// All that one account's orders may use of it, whatever grants it makes.
	pub fn account_limit() -> Weight {
		part(T::AccountShare::get(), Self::free_limit())
	}

	pub(crate) fn base_weight() -> Weight {
		T::BlockWeights::get().get(DispatchClass::Normal).base_extrinsic
	}

	/// Whether the lane has room for so much more, whoever takes it.
	pub(crate) fn lane_has_room(weight: Weight) -> bool {
		FreeWeightUsed::<T>::get().saturating_add(weight).all_lte(Self::free_limit())
	}

	/// Whether the part of the lane that an order may take has room for so much more.
	pub(crate) fn share_has_room(taker: &Taker<AccountIdOf<T>>, weight: Weight) -> bool {
		let (shares, more) = (FreeShares::<T>::get(), Self::share_of_lane(weight));
		let opens = shares.opens.saturating_add(more);
		let account = shares.places[Self::place_of(&taker.viewer)].saturating_add(more);
		account <= T::AccountShare::get().deconstruct()
			&& (!taker.comes_first || opens <= T::OpenShare::get().deconstruct())
	}

	/// Note what an order took of the lane.
	pub(crate) fn use_lane(taker: &Taker<AccountIdOf<T>>, weight: Weight) {
		Self::use_lane_for_all(weight);
		let more = Self::share_of_lane(weight);
		FreeShares::<T>::mutate(|shares| {
			let account = &mut shares.places[Self::place_of(&taker.viewer)];
			*account = account.saturating_add(more);
			if taker.comes_first {
				shares.opens = shares.opens.saturating_add(more);
			}
		});
	}

	/// Note what the lane has lost to no account's orders.
	pub(crate) fn use_lane_for_all(weight: Weight) {
		FreeWeightUsed::<T>::mutate(|used| *used = used.saturating_add(weight));
	}

	/// What part of the lane a weight is, in billionths, rounded up; of time or of proof, whichever is more.
	fn share_of_lane(weight: Weight) -> u32 {
		let limit = Self::free_limit();
		let of = |weight: u64, limit: u64| {
			let billionths = u128::from(weight).saturating_mul(u128::from(Perbill::ACCURACY));
			billionths.div_ceil(u128::from(limit.max(1))).try_into().unwrap_or(u32::MAX)
		};
		let time: u32 = of(weight.ref_time(), limit.ref_time());
		time.max(of(weight.proof_size(), limit.proof_size()))
	}

	/// An account's place in this block. It is another one in every block, so that nobody shares it with a
	/// chosen account for long.
	fn place_of(viewer: &AccountIdOf<T>) -> usize {
		let salt = System::<T>::parent_hash();
		let hash = sp_io::hashing::twox_64(&(salt, viewer).encode());
		usize::from(hash[0]) % PLACES
	}
}

/// How many bytes it takes in an extrinsic.
pub(crate) fn length(encoded: &impl Encode) -> u64 {
	encoded.encoded_size() as u64
}

fn part(share: Perbill, whole: Weight) -> Weight {
	Weight::from_parts(share.mul_floor(whole.ref_time()), share.mul_floor(whole.proof_size()))
}
