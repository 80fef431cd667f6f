// SPDX-License-Identifier: Apache-2.0

//! A charge as a function of its arguments: every small combination against a reference that counts
//! second by second and unit by unit, and the extremes of the types.

use crate::{
	mock::*,
	session::{Charge, Clock},
	*,
};

/// A session with all that a charge looks at; the rest is of no account.
fn session_of(
	clock: Clock,
	rate_per_second: u128,
	funds: u128,
	(seconds, fees, tick_price): (u32, u128, u128),
) -> Session<Test> {
	Session {
		viewer: BOB,
		key: DelegateKey::Sr25519([0; 32]),
		asset: NATIVE,
		stream: 0,
		rate_per_second,
		gap_ms: clock.gap_ms,
		funds,
		seconds,
		started_at: 0,
		opened_at: 0,
		billed_until: clock.billed_until,
		ticked_at: clock.ticked_at,
		ended_at: clock.ended_at,
		tick_price,
		fees,
	}
}

/// The documentation, read naively.
fn reference(
	session: &Session<Test>,
	stop: Option<u64>,
	now: u64,
	total: u32,
) -> Result<Charge<u128>, Error<Test>> {
	// The clock.
	let mut ended_at = session.ended_at;
	if let Some(stop) = stop {
		if stop <= now && stop < ended_at {
			ended_at = stop;
		}
	}
	let silent = session.ticked_at + session.gap_ms;
	if silent <= now && silent < ended_at {
		ended_at = silent;
	}
	let end = if ended_at < now { ended_at } else { now };
	let mut from = session.billed_until;
	if end > session.gap_ms && end - session.gap_ms > from {
		from = end - session.gap_ms;
	}
	let mut room = 0;
	while from + (room + 1) * 1_000 <= end {
		room += 1;
	}
	// The charge, second by second.
	if total < session.seconds {
		return Err(Error::TotalLower);
	}
	let asked = total - session.seconds;
	if u64::from(asked) > room {
		return Err(Error::AheadOfClock);
	}
	let mut left = session.funds;
	for _ in 0..session.seconds {
		left = left.checked_sub(session.rate_per_second).ok_or(Error::Overflow)?;
	}
	left = left.checked_sub(session.fees).ok_or(Error::Overflow)?;
	let (mut charged, mut amount, mut fee, mut billed_until) = (0, 0, 0, from);
	while charged < asked && left >= session.rate_per_second {
		left -= session.rate_per_second;
		amount += session.rate_per_second;
		billed_until += 1_000;
		charged += 1;
	}
	while charged > 0 && fee < session.tick_price && left > 0 {
		left -= 1;
		fee += 1;
	}
	Ok(Charge {
		seconds: session.seconds + charged,
		asked_seconds: asked,
		charged_seconds: charged,
		amount,
		fee,
		billed_until,
		exhausted: charged < asked,
	})
}

/// What the grid has met, so that it is known to be worth something.
#[derive(Default, Debug)]
struct Seen {
	charged: u32,
	exhausted: u32,
	fees_cut: u32,
	ahead: u32,
	lower: u32,
	nothing: u32,
}

fn compare(session: &Session<Test>, stop: Option<u64>, now: u64, total: u32, seen: &mut Seen) {
	let reading = session.clock().at(stop, now);
	let charge = session.charge(&reading, total);
	let expected = reference(session, stop, now, total);
	assert_eq!(charge, expected, "{session:?} at {now}, stop {stop:?}, total {total}");
	match charge {
		Ok(charge) => {
			seen.charged += u32::from(charge.charged_seconds > 0);
			seen.exhausted += u32::from(charge.exhausted);
			seen.nothing += u32::from(charge.asked_seconds == 0);
			seen.fees_cut +=
				u32::from(charge.charged_seconds > 0 && charge.fee < session.tick_price);
			// Booked, the session pays no more than its funds (I4), and no time is charged twice.
			let mut after = session.clone();
			after.book(&charge);
			assert_eq!(after.paid(), session.paid().map(|paid| paid + charge.amount + charge.fee));
			assert!(after.paid().is_ok_and(|paid| paid <= session.funds));
			assert!(after.billed_until <= reading.end.max(session.billed_until));
			let again = after.charge(&after.clock().at(stop, now), after.seconds);
			assert!(again.is_ok_and(|again| again.charged_seconds == 0 && again.fee == 0));
		}
		Err(Error::AheadOfClock) => seen.ahead += 1,
		Err(Error::TotalLower) => seen.lower += 1,
		Err(_) => {}
	}
}

#[test]
fn success_every_small_combination_as_the_reference_has_it() {
	let mut seen = Seen::default();
	let clocks = |gap_ms: u64| {
		let moments = [(0, 0), (1_000, 1_000), (1_000, 2_500), (2_999, 3_000)];
		moments.into_iter().flat_map(move |(billed_until, ticked_at)| {
			[1_999, 3_000, 4_500, 1_000_000].map(|ended_at| Clock {
				billed_until,
				ticked_at,
				ended_at,
				gap_ms,
			})
		})
	};
	for clock in [1_000, 1_999, 2_500, 9_000].into_iter().flat_map(clocks) {
		for rate in 0..=3u128 {
			for funds in 0..=8u128 {
				for (seconds, fees, price) in [
					(0, 0, 0),
					(0, 0, 1),
					(0, 0, 4),
					(1, 0, 2),
					(1, 2, 2),
					(2, 1, 0),
					(2, 1, 3),
					(3, 0, u128::MAX),
				] {
					let session = session_of(clock, rate, funds, (seconds, fees, price));
					for now in [0, 2_999, 3_000, 3_999, 4_000, 5_000] {
						for stop in [None, Some(0), Some(2_500), Some(4_000), Some(9_999)] {
							for total in 0..=7 {
								compare(&session, stop, now, total, &mut seen);
							}
						}
					}
				}
			}
		}
	}
	for (what, count) in [
		("charged", seen.charged),
		("exhausted", seen.exhausted),
		("fees cut", seen.fees_cut),
		("ahead", seen.ahead),
		("lower", seen.lower),
		("nothing", seen.nothing),
	] {
		assert!(count > 1_000, "{what}: only {count} of {seen:?}");
	}
}

/// A clock that allows any number of seconds now.
fn wide() -> (Clock, u64) {
	let clock =
		Clock { billed_until: 0, ticked_at: u64::MAX, ended_at: u64::MAX, gap_ms: u64::MAX };
	(clock, u64::MAX)
}

fn charge(session: &Session<Test>, total: u32) -> Result<Charge<u128>, Error<Test>> {
	session.charge(&session.clock().at(None, wide().1), total)
}

#[test]
fn boundary_of_the_seconds() {
	let (clock, now) = wide();
	let session = session_of(clock, 1, u128::MAX, (0, 0, 0));
	let all = charge(&session, u32::MAX).expect("time and money are there");
	assert_eq!((all.charged_seconds, all.amount), (u32::MAX, u128::from(u32::MAX)));
	assert_eq!(all.billed_until, u64::from(u32::MAX) * 1_000);
	// From the last second nothing can be asked.
	let last = session_of(clock, 1, u128::MAX, (u32::MAX, 0, 0));
	assert_eq!(charge(&last, u32::MAX).map(|c| c.charged_seconds), Ok(0));
	assert_eq!(charge(&last, u32::MAX - 1), Err(Error::TotalLower));
	// The end of time.
	let late = Clock { billed_until: now - 1_999, ..clock };
	let late = session_of(late, 1, 10, (0, 0, 0));
	assert_eq!(charge(&late, 1).map(|c| c.billed_until), Ok(now - 999));
	assert_eq!(charge(&late, 2), Err(Error::AheadOfClock));
}

#[test]
fn boundary_of_the_rate_and_the_funds() {
	let (clock, _) = wide();
	// One second of everything there is.
	let dear = session_of(clock, u128::MAX, u128::MAX, (0, 0, u128::MAX));
	let one = charge(&dear, 1).expect("it is there");
	assert_eq!((one.amount, one.fee, one.exhausted), (u128::MAX, 0, false));
	let one = charge(&dear, u32::MAX).expect("it is there");
	assert_eq!((one.charged_seconds, one.amount, one.exhausted), (1, u128::MAX, true));
	// A unit less than a second.
	let poor = session_of(clock, u128::MAX, u128::MAX - 1, (0, 0, 1));
	let none = charge(&poor, 1).expect("it is exhausted");
	assert_eq!((none.charged_seconds, none.fee, none.exhausted), (0, 0, true));
	// The operator takes the rest, however much it asks.
	let rest = session_of(clock, 1, u128::MAX, (0, 0, u128::MAX));
	let all = charge(&rest, u32::MAX).expect("it is there");
	assert_eq!(all.fee, u128::MAX - u128::from(u32::MAX));
	let mut after = rest.clone();
	after.book(&all);
	assert_eq!((after.paid(), after.left()), (Ok(u128::MAX), Ok(0)));
	// Without a price per second there is no end of the money.
	let free = session_of(clock, 0, 0, (0, 0, 5));
	let all = charge(&free, u32::MAX).expect("it costs nothing");
	assert_eq!((all.charged_seconds, all.amount, all.fee), (u32::MAX, 0, 0));
	assert_eq!(free.seconds_for(0), u32::MAX);
	assert_eq!(session_of(clock, 1, 0, (0, 0, 0)).seconds_for(u128::MAX), u32::MAX);
}

#[test]
fn fails_for_a_session_that_cannot_be() {
	let (clock, _) = wide();
	for impossible in [
		session_of(clock, u128::MAX, u128::MAX, (2, 0, 0)),
		session_of(clock, 1, u128::MAX, (1, u128::MAX, 0)),
		session_of(clock, 3, 8, (3, 0, 0)),
		session_of(clock, 3, 8, (2, 3, 0)),
	] {
		assert_eq!(charge(&impossible, u32::MAX), Err(Error::Overflow));
		assert_eq!(impossible.left(), Err(Error::Overflow));
	}
}
