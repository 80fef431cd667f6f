// SPDX-License-Identifier: Apache-2.0

//! Lookups without a scan: an owner's streams, a stream's sessions, a viewer's subscriptions and grants,
//! a key's grants.
//!
//! Each follows an index of its own, which costs one write where an entry comes and one where it goes,
//! and nothing in between: a tick touches none. An answer is a page of at most [`LOOKUP_MAX`] entries;
//! the next one begins after the last entry of the page before, also where that has gone meanwhile.
//! Entries come in the order of their keys' hashes, which says nothing and does not change: what stays
//! is seen exactly once, whatever comes and goes between two pages.

use crate::{
	types::{AccountIdOf, BalanceOf, DelegateKey, GrantId, SessionIndex, StreamId, SubscriptionOf},
	view::{GrantViewOf, SessionViewOf, StreamViewOf},
	Config, Grants, GrantsOf, GrantsOfKey, Pallet, SessionsOf, StreamsOf, SubscriptionsOf,
};
use alloc::vec::Vec;
use frame::prelude::*;

/// The most entries of a page, whatever is asked for.
pub const LOOKUP_MAX: u32 = 100;

/// One of an owner's streams: its id, and how it stands.
pub type OwnedStreamOf<T> = (StreamId, StreamViewOf<T>);
/// One of a stream's sessions: its grant, its index, and how it stands.
pub type StreamSessionOf<T> = (GrantId, SessionIndex, SessionViewOf<T>);
/// One of a viewer's subscriptions: its stream, itself, and the rate at which a session would open.
pub type ViewerSubscriptionOf<T> = (StreamId, SubscriptionOf<T>, BalanceOf<T>);
/// One of a key's grants: its viewer, and how it stands.
pub type KeyGrantOf<T> = (AccountIdOf<T>, GrantViewOf<T>);

/// As many entries as a page may have, of those that are still stored.
fn page<Id, Entry>(
	ids: impl Iterator<Item = Id>,
	limit: u32,
	entry: impl Fn(Id) -> Option<Entry>,
) -> Vec<Entry> {
	ids.filter_map(entry).take(limit.min(LOOKUP_MAX) as usize).collect()
}

impl<T: Config> Pallet<T> {
	/// Whether the indexes are complete. A ledger of an earlier version has none until its migration is
	/// through.
	pub fn is_indexed() -> bool {
		Self::on_chain_storage_version() >= crate::migrations::INDEXED_SINCE
	}

	/// A page of an owner's streams; nothing while the indexes are being built.
	pub fn streams_of_view(
		owner: &T::AccountId,
		after: Option<StreamId>,
		limit: u32,
	) -> Option<Vec<OwnedStreamOf<T>>> {
		let ids = match after {
			None => StreamsOf::<T>::iter_key_prefix(owner),
			Some(id) => StreamsOf::<T>::iter_key_prefix_from(
				owner,
				StreamsOf::<T>::hashed_key_for(owner, id),
			),
		};
		let entry = |id| Self::stream_view(id).map(|stream| (id, stream));
		Self::is_indexed().then(|| page(ids, limit, entry))
	}

	/// A page of a stream's sessions; nothing while the indexes are being built.
	pub fn sessions_of_view(
		stream: StreamId,
		after: Option<(GrantId, SessionIndex)>,
		limit: u32,
	) -> Option<Vec<StreamSessionOf<T>>> {
		let ids = match after {
			None => SessionsOf::<T>::iter_key_prefix(stream),
			Some(ids) => SessionsOf::<T>::iter_key_prefix_from(
				stream,
				SessionsOf::<T>::hashed_key_for(stream, ids),
			),
		};
		let entry = |(grant, index)| {
			Self::session_view(grant, index).map(|session| (grant, index, session))
		};
		Self::is_indexed().then(|| page(ids, limit, entry))
	}

	/// A page of a viewer's subscriptions; nothing while the indexes are being built.
	pub fn subscriptions_of_view(
		viewer: &T::AccountId,
		after: Option<StreamId>,
		limit: u32,
	) -> Option<Vec<ViewerSubscriptionOf<T>>> {
		let ids = match after {
			None => SubscriptionsOf::<T>::iter_key_prefix(viewer),
			Some(stream) => SubscriptionsOf::<T>::iter_key_prefix_from(
				viewer,
				SubscriptionsOf::<T>::hashed_key_for(viewer, stream),
			),
		};
		let entry = |stream| {
			let (subscription, rate) = Self::subscription_view(stream, viewer)?;
			Some((stream, subscription, rate))
		};
		Self::is_indexed().then(|| page(ids, limit, entry))
	}

	/// A page of a viewer's grants, whose index is as old as they are.
	pub fn grants_of_view(
		viewer: &T::AccountId,
		after: Option<GrantId>,
		limit: u32,
	) -> Vec<GrantViewOf<T>> {
		let ids = match after {
			None => GrantsOf::<T>::iter_key_prefix(viewer),
			Some(id) => GrantsOf::<T>::iter_key_prefix_from(
				viewer,
				GrantsOf::<T>::hashed_key_for(viewer, id),
			),
		};
		page(ids, limit, |id| Grants::<T>::get(id).map(|grant| Self::grant_view(id, grant)))
	}

	/// A page of a key's grants; nothing while the indexes are being built.
	pub fn grants_of_key_view(
		key: &DelegateKey,
		after: Option<GrantId>,
		limit: u32,
	) -> Option<Vec<KeyGrantOf<T>>> {
		let ids = match after {
			None => GrantsOfKey::<T>::iter_key_prefix(key),
			Some(id) => GrantsOfKey::<T>::iter_key_prefix_from(
				key,
				GrantsOfKey::<T>::hashed_key_for(key, id),
			),
		};
		let entry = |id| {
			Grants::<T>::get(id).map(|grant| (grant.viewer.clone(), Self::grant_view(id, grant)))
		};
		Self::is_indexed().then(|| page(ids, limit, entry))
	}
}
