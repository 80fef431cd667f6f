// SPDX-License-Identifier: Apache-2.0

//! The runtime API of `pallet-paystream`: everything that a page or a relayer needs, each in one
//! call (`state_call`, `PayStreamApi_session` and so on). Every answer is about the block's own time.
//!
//! Arguments and answers are SCALE. Money is in the asset's smallest unit, a moment is a `u64` of
//! milliseconds since the Unix epoch, a length is in seconds unless its name ends in `_ms`.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

extern crate alloc;

use alloc::vec::Vec;
use codec::Codec;
use pallet_paystream::{
	DelegateKey, GrantId, GrantView, SessionIndex, SessionView, StreamId, StreamView, Subscription,
};
use polkadot_sdk::sp_api;

/// A page of a lookup; nothing while a migration builds its index.
pub type Page<Entry> = Option<Vec<Entry>>;

sp_api::decl_runtime_apis! {
	/// What the ledger knows. Version 2 has the lookups: what belongs to somebody, page by page.
	#[api_version(2)]
	pub trait PayStreamApi<AccountId, AssetKind, Balance>
	where
		AccountId: Codec,
		AssetKind: Codec,
		Balance: Codec,
	{
		/// A session: what it has paid, what an order may charge now, and for how long it lasts.
		/// Nothing where there is none, or none any more.
		fn session(
			grant: GrantId,
			index: SessionIndex,
		) -> Option<SessionView<AccountId, AssetKind, Balance>>;

		/// What an account has prepaid in an asset and not reserved.
		fn vault(who: AccountId, asset: AssetKind) -> Balance;

		/// All grants of an account that are stored, ascending, with what each can still pay.
		fn grants(who: AccountId) -> Vec<GrantView<AssetKind, Balance>>;

		/// A stream: its terms, its offer to subscribers, what it has earned. Nothing where there is
		/// none, or none any more.
		fn stream(stream: StreamId) -> Option<StreamView<AccountId, AssetKind, Balance>>;

		/// What a claim would pay now: to the treasury, and to each payee in the stream's order.
		/// Nothing where there is no such stream.
		fn claimable(stream: StreamId) -> Option<(Balance, Vec<(AccountId, Balance)>)>;

		/// A viewer's subscription to a stream, and the rate at which a session would open now. Nothing
		/// where the viewer has none.
		fn subscription(
			stream: StreamId,
			viewer: AccountId,
		) -> Option<(Subscription<Balance>, Balance)>;

		/// A page of an owner's streams, of at most `limit` and at most
		/// [`LOOKUP_MAX`](pallet_paystream::LOOKUP_MAX): those after the stream `after`, the last of the page
		/// before. A page that is not full is the last. So it is with the others.
		fn streams_of(
			owner: AccountId,
			after: Option<StreamId>,
			limit: u32,
		) -> Page<(StreamId, StreamView<AccountId, AssetKind, Balance>)>;

		/// A page of a stream's sessions: those after the session `after`, by grant and index.
		fn sessions_of(
			stream: StreamId,
			after: Option<(GrantId, SessionIndex)>,
			limit: u32,
		) -> Page<(GrantId, SessionIndex, SessionView<AccountId, AssetKind, Balance>)>;

		/// A page of a viewer's subscriptions, each with the rate at which a session would open now: those
		/// after the subscription to the stream `after`.
		fn subscriptions_of(
			viewer: AccountId,
			after: Option<StreamId>,
			limit: u32,
		) -> Page<(StreamId, Subscription<Balance>, Balance)>;

		/// A page of a viewer's grants: those after the grant `after`. Its index is as old as grants are, so
		/// that it always answers.
		fn grants_of(
			viewer: AccountId,
			after: Option<GrantId>,
			limit: u32,
		) -> Vec<GrantView<AssetKind, Balance>>;

		/// A page of a key's grants, each with its viewer: those after the grant `after`.
		fn grants_of_key(
			key: DelegateKey,
			after: Option<GrantId>,
			limit: u32,
		) -> Page<(AccountId, GrantView<AssetKind, Balance>)>;
	}
}
