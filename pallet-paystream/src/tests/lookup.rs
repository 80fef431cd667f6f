// SPDX-License-Identifier: Apache-2.0

//! Lookups name what belongs to somebody, all of it and nothing else, page by page; and they read no
//! more than that, however much is stored beside it.

use crate::{mock::*, *};
use frame::testing_prelude::*;
use std::collections::BTreeSet;

fn streams_of(owner: u64) -> Vec<StreamId> {
	let page = PayStream::streams_of(owner, None, LOOKUP_MAX).expect("the index is complete");
	for (id, view) in &page {
		assert_eq!(PayStream::stream(*id).as_ref(), Some(view));
	}
	ascending(page.into_iter().map(|(id, _)| id))
}

fn sessions_of(stream: StreamId) -> Vec<(GrantId, SessionIndex)> {
	let page = PayStream::sessions_of(stream, None, LOOKUP_MAX).expect("the index is complete");
	for (grant, index, view) in &page {
		assert_eq!(PayStream::session(*grant, *index).as_ref(), Some(view));
		assert_eq!(view.stream, stream);
	}
	ascending(page.into_iter().map(|(grant, index, _)| (grant, index)))
}

fn subscriptions_of(viewer: u64) -> Vec<StreamId> {
	let page = PayStream::subscriptions_of(viewer, None, LOOKUP_MAX).expect("it is complete");
	for (stream, entry, rate) in &page {
		assert_eq!(PayStream::subscription(*stream, viewer), Some((*entry, *rate)));
	}
	ascending(page.into_iter().map(|(stream, ..)| stream))
}

fn grants_of(viewer: u64) -> Vec<GrantId> {
	let page = PayStream::grants_of(viewer, None, LOOKUP_MAX);
	ascending(page.into_iter().map(|view| view.id))
}

fn grants_of_key(key: DelegateKey) -> Vec<GrantId> {
	let page = PayStream::grants_of_key(key, None, LOOKUP_MAX).expect("the index is complete");
	for (viewer, view) in &page {
		assert_eq!((view.key, *viewer), (key, grant_entry(view.id).viewer));
	}
	ascending(page.into_iter().map(|(_, view)| view.id))
}

/// A page comes in no order that says anything.
fn ascending<Id: Ord>(ids: impl Iterator<Item = Id>) -> Vec<Id> {
	let mut ids: Vec<_> = ids.collect();
	ids.sort_unstable();
	ids
}

#[test]
fn success_streams_follow_their_owner() {
	ExtBuilder::default().build_and_execute(|| {
		assert!(streams_of(ALICE).is_empty());
		let ids: Vec<_> = (0..3).map(|_| new_stream(3)).collect();
		assert_eq!(streams_of(ALICE), ids);
		assert_ok!(step(|| PayStream::transfer_stream(signed(ALICE), ids[1], CAROL)));
		assert_eq!(streams_of(ALICE), vec![ids[0], ids[2]]);
		assert_eq!(streams_of(CAROL), vec![ids[1]]);
		// It stays until its last claim, which deletes it.
		assert_ok!(step(|| PayStream::end_stream(signed(CAROL), ids[1])));
		assert_eq!(streams_of(CAROL), vec![ids[1]]);
		assert_ok!(step(|| PayStream::claim(signed(DAVE), ids[1])));
		assert!(streams_of(CAROL).is_empty());
	});
}

#[test]
fn success_a_creator_finds_settles_and_ends_what_is_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let other = new_stream(3);
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(16);
		assert_ok!(open(grant, 1, stream, 300, 16));
		assert_eq!(sessions_of(stream), vec![(grant, 0), (grant, 1)]);
		assert!(sessions_of(other).is_empty());
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(sessions_of(stream), vec![(grant, 0), (grant, 1)]);
		assert_ok!(close(grant, 0, 10));
		assert_eq!(sessions_of(stream), vec![(grant, 1)]);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		at(80);
		for (grant, index) in sessions_of(stream) {
			assert_ok!(step(|| PayStream::settle(signed(ALICE), grant, index)));
		}
		assert!(sessions_of(stream).is_empty());
		assert_ok!(step(|| PayStream::claim(signed(ALICE), stream)));
		assert_eq!(Streams::<Test>::get(stream), None);
	});
}

#[test]
fn success_a_session_whose_funds_end_is_no_longer_found() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 30, 10));
		at(25);
		assert_ok!(tick(grant, 0, 15));
		assert!(Sessions::<Test>::get(grant, 0).is_none());
		assert!(sessions_of(stream).is_empty());
	});
}

#[test]
fn success_grants_by_viewer_and_by_key() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, first) = ready();
		let second = new_grant(terms());
		let key = signer().key();
		assert_eq!(
			(grants_of(BOB), grants_of_key(key)),
			(vec![first, second], vec![first, second])
		);
		assert!(grants_of_key(DelegateKey::Ed25519([1; 32])).is_empty());
		at(10);
		assert_ok!(open(second, 0, stream, 300, 10));
		// Without a session it is gone at once; the other goes with its last session.
		assert_ok!(step(|| PayStream::revoke(signed(BOB), first)));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), second)));
		assert_eq!((grants_of(BOB), grants_of_key(key)), (vec![second], vec![second]));
		assert_ok!(close(second, 0, 0));
		assert!(grants_of(BOB).is_empty() && grants_of_key(key).is_empty());
	});
}

#[test]
fn success_subscriptions_until_they_are_settled() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let (first, second) = (new_stream(3), new_stream(4));
		let tier = tier(100, 60, 50);
		for stream in [first, second] {
			offer(stream, &[tier]);
			assert_ok!(subscribe(stream, tier, 1));
		}
		assert_ok!(subscribe(first, tier, 1));
		assert_eq!(subscriptions_of(BOB), vec![first, second]);
		assert!(subscriptions_of(CAROL).is_empty());
		at(100);
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), second, BOB)));
		assert_eq!(subscriptions_of(BOB), vec![first]);
	});
}

#[test]
fn success_pages_show_everything_once_while_things_come_and_go() {
	ExtBuilder::default().build_and_execute(|| {
		let ids: BTreeSet<_> = (0..25).map(|_| new_stream(3)).collect();
		let (mut after, mut seen) = (None, Vec::new());
		loop {
			let page = PayStream::streams_of(ALICE, after, 4).expect("the index is complete");
			let full = page.len() == 4;
			seen.extend(page.iter().map(|(id, _)| *id));
			after = page.last().map(|(id, _)| *id).or(after);
			if !full {
				break;
			}
			// The page's last goes before the next is asked for, and another comes.
			let last = after.expect("the page is full");
			assert_ok!(PayStream::end_stream(signed(ALICE), last));
			assert_ok!(PayStream::claim(signed(DAVE), last));
			new_stream(3);
		}
		let old: Vec<_> = seen.iter().copied().filter(|id| ids.contains(id)).collect();
		assert_eq!(old.iter().copied().collect::<BTreeSet<_>>(), ids);
		assert_eq!(old.len(), 25, "each once");
		check_state();
	});
}

#[test]
fn boundary_of_a_page() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..=LOOKUP_MAX {
			new_stream(3);
		}
		let len = |limit| PayStream::streams_of(ALICE, None, limit).map(|page| page.len());
		assert_eq!(len(0), Some(0));
		assert_eq!(len(1), Some(1));
		assert_eq!(len(u32::MAX), Some(LOOKUP_MAX as usize));
		// After what was never there the order goes on all the same.
		let rest = PayStream::streams_of(ALICE, Some(10_000), LOOKUP_MAX).expect("it is complete");
		assert!(rest.len() <= LOOKUP_MAX as usize);
	});
}
