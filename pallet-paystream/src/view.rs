// SPDX-License-Identifier: Apache-2.0

//! What pages and relayers ask of the ledger, each in one call: the runtime API's answers, which
//! are the view functions' answers too.
//!
//! As in the entries, money is in the asset's smallest unit, a [`Moment`] is in milliseconds since
//! the Unix epoch, a length is in seconds unless its name ends in `_ms`. The order of fields is part
//! of the interface: it is the order of their SCALE encoding.

use crate::{
	session::Reading,
	types::{
		AccountIdOf, AssetEntryOf, AssetStatus, BalanceOf, ClaimableOf, DelegateKey, Grant,
		GrantId, Moment, Payee, Session, SessionIndex, Stream, StreamId, StreamStatus,
		SubscriptionOf, Tier,
	},
	AssetEntries, Config, Grants, GrantsOf, Pallet, Sessions, Stopped, Streams, Subscriptions,
	Vaults,
};
use alloc::vec::Vec;
use frame::prelude::*;

/// A session as it stands at the block's time.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SessionView<AccountId, AssetKind, Balance> {
	/// The block's time, which all of this is about; a later block may allow more.
	pub now: Moment,
	/// Who watches.
	pub viewer: AccountId,
	/// The key that signs its orders.
	pub key: DelegateKey,
	/// What it pays in.
	pub asset: AssetKind,
	/// What is watched.
	pub stream: StreamId,
	/// The price of one second, fixed at the opening.
	pub rate_per_second: Balance,
	/// What the operator takes for an order that charges it, fixed at the opening: of what the
	/// order's seconds leave of the funds, and no more than that.
	pub tick_price: Balance,
	/// How long it outlives its last tick, in milliseconds.
	pub gap_ms: u64,
	/// All that was ever reserved; a fund names a higher total.
	pub funds: Balance,
	/// What has been charged: seconds times rate, and `fees`.
	pub paid: Balance,
	/// What the operator has taken; a part of `paid`.
	pub fees: Balance,
	/// What is reserved and not charged: `funds - paid`.
	pub left: Balance,
	/// Seconds charged: the total that ticks raise.
	pub seconds: u32,
	/// The highest total of seconds that a tick or a close may name now; `seconds` where the clock
	/// has no room, or the window is over and every order is refused. An order may name more seconds
	/// than the funds cover: it charges those that they cover, and closes the session.
	pub seconds_max: u32,
	/// How many seconds more a tick or a close can charge now, within the clock's room and the funds
	/// left. The free lane takes no tick that charges fewer than `MinTickSeconds`, unless it uses up
	/// the funds.
	pub chargeable_seconds: u32,
	/// How many seconds more the funds left buy where one order charges them all: what
	/// `FundBelowSeconds` is compared with. `u32::MAX` at rate 0.
	pub funded_seconds: u32,
	/// For how many seconds more it can be watched: until the funds run out where it is ticked every
	/// `MinTickSeconds`, as often as the free lane takes ticks, and pays the tick price each time; or
	/// until its end. Never fewer than `chargeable_seconds`. With rarer ticks the funds last longer,
	/// and never longer than `funded_seconds`.
	pub runway_seconds: u32,
	/// From when it may charge.
	pub started_at: Moment,
	/// When its opening was booked.
	pub opened_at: Moment,
	/// Up to where its time is charged.
	pub billed_until: Moment,
	/// When its last tick, or its opening, was booked. Without a tick it ends `gap_ms` later.
	pub ticked_at: Moment,
	/// When it ended, or will at the latest.
	pub ended_at: Moment,
	/// Whether it has ended: then only a tick or a close can still count.
	pub ended: bool,
	/// From when anybody may settle it, if it ends at `ended_at`; until then its key may close it.
	pub settleable_at: Moment,
	/// Whether anybody may settle it: then no order can count.
	pub settleable: bool,
}

/// A grant of an account, with what it can still pay.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct GrantView<AssetKind, Balance> {
	/// Its id.
	pub id: GrantId,
	/// The key that signs its orders.
	pub key: DelegateKey,
	/// What it pays in.
	pub asset: AssetKind,
	/// The highest rate of a session.
	pub rate_max_per_second: Balance,
	/// The most that all sessions together may charge.
	pub cap: Balance,
	/// What of the cap is neither spent nor reserved.
	pub cap_left: Balance,
	/// What sessions have charged that are closed; `cap - cap_left - spent` is reserved for those
	/// that are open.
	pub spent: Balance,
	/// What the viewer has prepaid in this asset and not reserved: tips and renewals are paid from it
	/// alone.
	pub vault: Balance,
	/// What of the vault and the cap together an open or a fund can reserve now: nothing where the
	/// grant has ended.
	pub available: Balance,
	/// What the key may still tip, beside the cap.
	pub tips_left: Balance,
	/// All that it has tipped; a tip names a higher total.
	pub tips_total: Balance,
	/// How many periods of subscriptions the key may still buy, beside the cap.
	pub renewals_left: u32,
	/// How many it has bought; a renewal names one more.
	pub renewals_total: u32,
	/// How long a session outlives its last tick, in milliseconds.
	pub gap_ms: u64,
	/// How many sessions at a time.
	pub sessions_max: u32,
	/// Which sessions are open, ascending.
	pub open: Vec<SessionIndex>,
	/// The index that the next session must name.
	pub next_index: SessionIndex,
	/// When the latest session was opened, 0 before the first. The free lane takes the next open
	/// `MinTickSeconds` later.
	pub opened_at: Moment,
	/// When the key tipped last, 0 before the first tip. The free lane takes the next tip
	/// `MinTickSeconds` later.
	pub tipped_at: Moment,
	/// When it was given. No session starts before it.
	pub created_at: Moment,
	/// When it was to end.
	pub expires_at: Moment,
	/// When it ended or will end: its expiry, or its revocation if that came before.
	pub ended_at: Moment,
	/// Whether it has ended.
	pub ended: bool,
	/// What is held on the viewer's account for it, in the native asset.
	pub deposit: Balance,
}

/// A stream, what it has earned, and what it offers.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct StreamView<AccountId, AssetKind, Balance> {
	/// The creator.
	pub owner: AccountId,
	/// What it is paid in.
	pub asset: AssetKind,
	/// The price of one second; a subscriber's may be lower.
	pub rate_per_second: Balance,
	/// What the operator takes for each order that charges a session, if it opens now.
	pub tick_price: Balance,
	/// The least tip that is free of a fee.
	pub tip_min: Balance,
	/// The least funds with which a session opens.
	pub funds_min: Balance,
	/// The least gap that a grant must allow, in milliseconds.
	pub gap_min_ms: u64,
	/// Who shares in the earnings, and with which parts of a million.
	pub payees: Vec<Payee<AccountId>>,
	/// What it offers to subscribers.
	pub tiers: Vec<Tier<Balance>>,
	/// Whether it can be watched, as far as its creator is concerned.
	pub status: StreamStatus,
	/// Whether a session can open now, as far as its creator, its asset and the operator's stop are
	/// concerned; the rest is the grant's.
	pub openable: bool,
	/// When rate or status last changed to what a new session meets. No session starts before it.
	pub changed_at: Moment,
	/// When it ended for good.
	pub ended_at: Option<Moment>,
	/// Earned and not yet claimed.
	pub earned: Balance,
	/// Earned since creation, tips and subscriptions included.
	pub earned_total: Balance,
	/// Tips since creation.
	pub tips_total: Balance,
	/// Periods of subscriptions since creation.
	pub subscribed_total: Balance,
	/// What was given back to viewers of what had been earned.
	pub refunded_total: Balance,
	/// Tick prices that the treasury has not yet claimed.
	pub fees: Balance,
	/// Seconds paid since creation.
	pub seconds: u64,
	/// How many sessions are stored for it.
	pub sessions_open: u32,
	/// How many subscriptions are stored for it.
	pub subscriptions_open: u32,
	/// What is held on the owner's account for it and its tiers, in the native asset.
	pub deposit: Balance,
}

/// A [`SessionView`] of a runtime.
pub type SessionViewOf<T> = SessionView<AccountIdOf<T>, <T as Config>::AssetKind, BalanceOf<T>>;
/// A [`GrantView`] of a runtime.
pub type GrantViewOf<T> = GrantView<<T as Config>::AssetKind, BalanceOf<T>>;
/// A [`StreamView`] of a runtime.
pub type StreamViewOf<T> = StreamView<AccountIdOf<T>, <T as Config>::AssetKind, BalanceOf<T>>;

/// How far clock, funds and end let a session go.
struct Reach {
	seconds_max: u32,
	chargeable_seconds: u32,
	funded_seconds: u32,
	runway_seconds: u32,
}

impl Reach {
	fn of<T: Config>(session: &Session<T>, reading: &Reading, left: BalanceOf<T>) -> Self {
		let over = reading.window_over(T::SettlementWindowMs::get());
		let unless_over =
			|seconds: u64| if over { 0 } else { u32::try_from(seconds).unwrap_or(u32::MAX) };
		let seconds_max = session.seconds.saturating_add(unless_over(reading.room_seconds()));
		let funded_seconds = session.seconds_for(left);
		let chargeable_seconds = seconds_max.saturating_sub(session.seconds).min(funded_seconds);
		let ticked_seconds = session.lasts_seconds(left, T::MinTickSeconds::get());
		let runway_seconds = ticked_seconds
			.min(unless_over(reading.seconds_to_end()))
			// One order can charge them, however short of tick prices the funds are.
			.max(chargeable_seconds);
		Self { seconds_max, chargeable_seconds, funded_seconds, runway_seconds }
	}
}

impl<T: Config> Pallet<T> {
	/// A session at the block's time; nothing where there is none, or none any more.
	pub fn session_view(grant: GrantId, index: SessionIndex) -> Option<SessionViewOf<T>> {
		let session = Sessions::<T>::get(grant, index)?;
		let stream = Streams::<T>::get(session.stream)?;
		let reading = session.reading(&stream, Self::now());
		let left = session.left().ok()?;
		let reach = Reach::of(&session, &reading, left);
		let window_ms = T::SettlementWindowMs::get();
		Some(SessionView {
			now: reading.now,
			paid: session.paid().ok()?,
			left,
			seconds_max: reach.seconds_max,
			chargeable_seconds: reach.chargeable_seconds,
			funded_seconds: reach.funded_seconds,
			runway_seconds: reach.runway_seconds,
			ended_at: reading.ended_at,
			ended: reading.ended,
			settleable_at: reading.ended_at.saturating_add(window_ms),
			settleable: reading.window_over(window_ms),
			viewer: session.viewer,
			key: session.key,
			asset: session.asset,
			stream: session.stream,
			rate_per_second: session.rate_per_second,
			tick_price: session.tick_price,
			gap_ms: session.gap_ms,
			funds: session.funds,
			fees: session.fees,
			seconds: session.seconds,
			started_at: session.started_at,
			opened_at: session.opened_at,
			billed_until: session.billed_until,
			ticked_at: session.ticked_at,
		})
	}

	/// What an account has prepaid in an asset and not reserved.
	pub fn vault_view(who: &T::AccountId, asset: &T::AssetKind) -> BalanceOf<T> {
		Vaults::<T>::get(who, asset)
	}

	/// All grants of an account that are stored, ascending.
	pub fn grants_view(who: &T::AccountId) -> Vec<GrantViewOf<T>> {
		let mut ids: Vec<_> = GrantsOf::<T>::iter_key_prefix(who).collect();
		ids.sort_unstable();
		ids.into_iter()
			.filter_map(|id| Grants::<T>::get(id).map(|grant| Self::grant_view(id, grant)))
			.collect()
	}

	pub(crate) fn grant_view(id: GrantId, grant: Grant<T>) -> GrantViewOf<T> {
		let vault = Vaults::<T>::get(&grant.viewer, &grant.asset);
		let ended = grant.ended_at <= Self::now();
		GrantView {
			id,
			vault,
			available: if ended { Zero::zero() } else { vault.min(grant.cap_left) },
			ended,
			key: grant.key,
			asset: grant.asset,
			rate_max_per_second: grant.rate_max_per_second,
			cap: grant.cap,
			cap_left: grant.cap_left,
			spent: grant.spent,
			tips_left: grant.tips_left,
			tips_total: grant.tips_total,
			renewals_left: grant.renewals_left,
			renewals_total: grant.renewals_total,
			gap_ms: grant.gap_ms,
			sessions_max: grant.sessions_max,
			open: grant.open.into_inner(),
			next_index: grant.next_index,
			opened_at: grant.opened_at,
			tipped_at: grant.tipped_at,
			created_at: grant.created_at,
			expires_at: grant.expires_at,
			ended_at: grant.ended_at,
			deposit: grant.deposit,
		}
	}

	/// A stream with its tiers at the block's time; nothing where there is none, or none any more.
	pub fn stream_view(id: StreamId) -> Option<StreamViewOf<T>> {
		let stream = Streams::<T>::get(id)?;
		let entry = AssetEntries::<T>::get(&stream.asset)?;
		Some(StreamView {
			tick_price: entry.tick_price,
			tip_min: entry.tip_min,
			tiers: Self::tiers(id).into_inner(),
			openable: Self::is_openable(&stream, &entry),
			owner: stream.owner,
			asset: stream.asset,
			rate_per_second: stream.rate_per_second,
			funds_min: stream.funds_min,
			gap_min_ms: stream.gap_min_ms,
			payees: stream.payees.into_inner(),
			status: stream.status,
			changed_at: stream.changed_at,
			ended_at: stream.ended_at,
			earned: stream.earned,
			earned_total: stream.earned_total,
			tips_total: stream.tips_total,
			subscribed_total: stream.subscribed_total,
			refunded_total: stream.refunded_total,
			fees: stream.fees,
			seconds: stream.seconds,
			sessions_open: stream.sessions_open,
			subscriptions_open: stream.subscriptions_open,
			deposit: stream.deposit,
		})
	}

	/// Whether an open meets no refusal that is its stream's, its asset's or the operator's.
	fn is_openable(stream: &Stream<T>, entry: &AssetEntryOf<T>) -> bool {
		let stopped_now = stream.stop_after(Self::now()).is_some();
		stream.status == StreamStatus::Active
			&& !stopped_now
			&& entry.status == AssetStatus::Enabled
			&& !Stopped::<T>::get()
	}

	/// What a claim would pay now: to the treasury, and to each payee in the stream's order. Nothing
	/// where there is no such stream.
	pub fn claimable_view(stream: StreamId) -> Option<ClaimableOf<T>> {
		let stream = Streams::<T>::get(stream)?;
		let (operators, amounts) = Self::claimable(&stream);
		let accounts = stream.payees.into_iter().map(|payee| payee.account);
		Some((operators, accounts.zip(amounts).collect()))
	}

	/// A viewer's subscription to a stream, and the rate that a session would open at now.
	pub fn subscription_view(
		stream: StreamId,
		viewer: &T::AccountId,
	) -> Option<(SubscriptionOf<T>, BalanceOf<T>)> {
		let subscription = Subscriptions::<T>::get(stream, viewer)?;
		let stream = Streams::<T>::get(stream)?;
		let full = stream.rate_per_second;
		let running = stream.ended_at.is_none() && subscription.period_at(Self::now()).is_some();
		let rate = if running { subscription.tier.discounted(full) } else { full };
		Some((subscription, rate))
	}
}
