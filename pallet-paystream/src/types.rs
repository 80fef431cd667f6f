// SPDX-License-Identifier: Apache-2.0

//! What the ledger stores, and what its calls take.
//!
//! Moments are `u64` Unix milliseconds, seconds are `u32`, money is the assets' balance type. The
//! order of fields is part of the interface: it is the order of their SCALE encoding.

use crate::Config;
use alloc::vec::Vec;
use frame::prelude::*;

/// A point in time: milliseconds since the Unix epoch.
pub type Moment = u64;
/// Identifies a stream; never reused.
pub type StreamId = u64;
/// Identifies a grant; never reused.
pub type GrantId = u64;
/// Numbers the sessions of one grant from 0; never reused within it.
pub type SessionIndex = u32;

/// The account type of the runtime.
pub type AccountIdOf<T> = <T as frame_system::Config>::AccountId;
/// The money type, the same for every asset.
pub type BalanceOf<T> = <<T as Config>::Assets as fungibles::Inspect<AccountIdOf<T>>>::Balance;
/// Who shares in a stream's earnings.
pub type PayeesOf<T> = BoundedVec<Payee<AccountIdOf<T>>, <T as Config>::MaxPayees>;
/// What a creator changes about a stream.
pub type StreamChangeOf<T> = StreamChange<BalanceOf<T>, PayeesOf<T>>;
/// The terms of a grant.
pub type GrantTermsOf<T> = GrantTerms<<T as Config>::AssetKind, BalanceOf<T>>;
/// What a delegate key signs.
pub type OrderOf<T> = Order<BalanceOf<T>, <T as Config>::MaxTipMessage>;
/// An order with its grant and its key's signature.
pub type SignedOrderOf<T> = SignedOrder<OrderOf<T>>;
/// The orders of a batch.
pub type BatchOf<T> = BoundedVec<SignedOrderOf<T>, <T as Config>::MaxBatchOrders>;
/// What comes with a tip.
pub type MessageOf<T> = BoundedVec<u8, <T as Config>::MaxTipMessage>;
/// What a stream offers to subscribers.
pub type TierOf<T> = Tier<BalanceOf<T>>;
/// All that a stream offers to subscribers.
pub type TiersOf<T> = BoundedVec<TierOf<T>, <T as Config>::MaxTiers>;
/// What the ledger knows of an asset.
pub type AssetEntryOf<T> = AssetEntry<BalanceOf<T>>;
/// What a claim would pay: to the treasury, and to each payee in the stream's order.
pub type ClaimableOf<T> = (BalanceOf<T>, Vec<(AccountIdOf<T>, BalanceOf<T>)>);
/// Periods that a viewer has paid for in advance.
pub type SubscriptionOf<T> = Subscription<BalanceOf<T>>;

/// The public key to which a viewer delegates. It is no account: it needs neither balance nor
/// nonce, and the chain knows it from its grant alone.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub enum DelegateKey {
	/// A Schnorr key on Ristretto; signs in the context `substrate`.
	Sr25519([u8; 32]),
	/// An Edwards key.
	Ed25519([u8; 32]),
}

/// A signature of a delegate key over raw bytes, without any wrapping.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub enum DelegateSignature {
	/// By a key of the same kind.
	Sr25519([u8; 64]),
	/// By a key of the same kind.
	Ed25519([u8; 64]),
}

/// Whether the ledger takes an asset.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub enum AssetStatus {
	/// It can be deposited and earned.
	Enabled,
	/// What is there can be spent and withdrawn; nothing new comes.
	Disabled,
	/// It died under the ledger: its amounts are erased where they would have been paid.
	WrittenOff,
}

/// What the ledger knows of an asset.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub struct AssetEntry<Balance> {
	/// Whether the ledger takes it.
	pub status: AssetStatus,
	/// What the operator takes from a session for an order that charges it.
	pub tick_price: Balance,
	/// The least tip that is free of a fee.
	pub tip_min: Balance,
	/// All that the ledger owes in it (I1).
	pub owed: Balance,
}

/// What a creator offers to subscribers.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub struct Tier<Balance> {
	/// What a period costs; at least 1.
	pub price: Balance,
	/// How long a period is; at least `PeriodMinMs`.
	pub period_ms: u64,
	/// What is taken off the stream's rate.
	pub discount: Permill,
}

/// Periods of a tier that a viewer has paid for in advance.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub struct Subscription<Balance> {
	/// What was subscribed to; a later change of the stream's tiers does not change it.
	pub tier: Tier<Balance>,
	/// When the first of its periods began.
	pub started_at: Moment,
	/// How many periods were paid since then.
	pub periods: u32,
	/// How many of them the stream has earned; the price of the others is the viewer's.
	pub periods_earned: u32,
	/// What is held on the viewer's account for this entry.
	pub deposit: Balance,
}

/// One account that shares in a stream's earnings.
#[derive(
	Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, PartialEq, Eq, Debug,
)]
pub struct Payee<AccountId> {
	/// Who is paid.
	pub account: AccountId,
	/// The share of every claim. The shares of a stream sum to exactly 100 %.
	pub share: Permill,
}

/// Whether a stream can be watched.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub enum StreamStatus {
	/// Sessions may be opened.
	Active,
	/// No session may be opened until the creator resumes.
	Paused,
	/// Over for good.
	Ended,
}

/// A stream and what it has earned.
#[derive(
	Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Stream<T: Config> {
	/// The creator, on whose account the deposit is held.
	pub owner: AccountIdOf<T>,
	/// What the stream is paid in.
	pub asset: T::AssetKind,
	/// The price of one second; at least 1.
	pub rate_per_second: BalanceOf<T>,
	/// When rate or status last changed to what a new session meets: creation, a change of the
	/// rate, a resumption. No session starts before it.
	pub changed_at: Moment,
	/// Who shares in the earnings; never empty.
	pub payees: PayeesOf<T>,
	/// The least funds with which a session opens.
	pub funds_min: BalanceOf<T>,
	/// The least gap that a grant must allow.
	pub gap_min_ms: u64,
	/// Whether it can be watched.
	pub status: StreamStatus,
	/// When it was paused or ended, ascending. A session stops at the first of these at or after
	/// its opening.
	pub stops: BoundedVec<Moment, T::MaxStops>,
	/// Earned and not yet claimed.
	pub earned: BalanceOf<T>,
	/// Earned since creation.
	pub earned_total: BalanceOf<T>,
	/// Seconds paid since creation.
	pub seconds: u64,
	/// How many sessions are stored for it.
	pub sessions_open: u32,
	/// What is held on the owner's account for this entry and its tiers.
	pub deposit: BalanceOf<T>,
	/// Tips since creation; they are part of `earned_total`.
	pub tips_total: BalanceOf<T>,
	/// Periods of subscriptions since creation; they are part of `earned_total`.
	pub subscribed_total: BalanceOf<T>,
	/// What was given back to viewers of what had been earned.
	pub refunded_total: BalanceOf<T>,
	/// Tick prices that the treasury has not yet claimed.
	pub fees: BalanceOf<T>,
	/// How many subscriptions are stored for it.
	pub subscriptions_open: u32,
	/// When it ended for good.
	pub ended_at: Option<Moment>,
	/// What of its earnings has been distributed, leftovers included, since payees or the treasury's
	/// share changed last: the running total that shares follow.
	pub shared_total: BalanceOf<T>,
	/// The treasury's share at the last distribution.
	pub treasury_share: Permill,
}

/// What a creator changes about a stream; `None` leaves a field as it is.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	PartialEq,
	Eq,
	Debug,
	Default,
)]
pub struct StreamChange<Balance, Payees> {
	/// A new rate, for sessions opened from now on.
	pub rate_per_second: Option<Balance>,
	/// New payees, for what is earned from now on; an empty list names the owner alone.
	pub payees: Option<Payees>,
	/// New least funds.
	pub funds_min: Option<Balance>,
	/// A new least gap.
	pub gap_min_ms: Option<u64>,
	/// Pause or resume.
	pub paused: Option<bool>,
}

/// A viewer's permission for one delegate key.
#[derive(
	Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Grant<T: Config> {
	/// Whose vault pays, and on whose account the deposit is held.
	pub viewer: AccountIdOf<T>,
	/// The key that signs orders under this grant.
	pub key: DelegateKey,
	/// What the grant pays in.
	pub asset: T::AssetKind,
	/// The highest rate of a session.
	pub rate_max_per_second: BalanceOf<T>,
	/// The most that all sessions together may charge.
	pub cap: BalanceOf<T>,
	/// What of the cap is neither spent nor reserved by a session.
	pub cap_left: BalanceOf<T>,
	/// What freed sessions have charged.
	pub spent: BalanceOf<T>,
	/// What of the allowance for tips is left.
	pub tips_left: BalanceOf<T>,
	/// How many periods of subscriptions the key may still buy.
	pub renewals_left: u32,
	/// How long a session outlives its last tick.
	pub gap_ms: u64,
	/// When it was given. No session starts before it.
	pub created_at: Moment,
	/// When it was to end.
	pub expires_at: Moment,
	/// How many sessions at a time.
	pub sessions_max: u32,
	/// Which sessions are stored, ascending.
	pub open: BoundedVec<SessionIndex, T::MaxSessionsPerGrant>,
	/// The index that the next session must name.
	pub next_index: SessionIndex,
	/// When the latest session was opened; 0 before the first.
	pub opened_at: Moment,
	/// The latest end among the freed sessions, 0 before the first. No session starts before it.
	pub freed_end_at: Moment,
	/// Seconds paid by freed sessions.
	pub seconds: u64,
	/// When it ended or will end: its expiry, or its revocation.
	pub ended_at: Moment,
	/// What is held on the viewer's account for this entry and all its sessions.
	pub deposit: BalanceOf<T>,
	/// What the key has tipped: the running total that tips raise.
	pub tips_total: BalanceOf<T>,
	/// How many periods the key has bought: the running total that renewals raise.
	pub renewals_total: u32,
	/// When the key tipped last; 0 before the first tip.
	pub tipped_at: Moment,
}

/// The terms of a grant, chosen by the viewer.
#[derive(
	Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, PartialEq, Eq, Debug,
)]
pub struct GrantTerms<AssetKind, Balance> {
	/// What it pays in.
	pub asset: AssetKind,
	/// The highest rate of a session; at least 1.
	pub rate_max_per_second: Balance,
	/// The most that all sessions together may charge; at least 1.
	pub cap: Balance,
	/// How many sessions at a time; from 1 to `MaxSessionsPerGrant`.
	pub sessions_max: u32,
	/// How long a session outlives its last tick; from `GapMinMs` to `GapMaxMs`.
	pub gap_ms: u64,
	/// When it ends; after now.
	pub expires_at: Moment,
	/// The most that the key may tip, beside the cap.
	pub tips_max: Balance,
	/// The most periods by which the key may extend the viewer's subscriptions, beside the cap.
	pub renewals_max: u32,
}

/// One viewer watching one stream under one grant, with copies of what a tick needs.
#[derive(
	Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Session<T: Config> {
	/// Whose vault gets back what is not charged.
	pub viewer: AccountIdOf<T>,
	/// The key that signs this session's orders.
	pub key: DelegateKey,
	/// What it pays in.
	pub asset: T::AssetKind,
	/// What it watches.
	pub stream: StreamId,
	/// The price of one second, fixed at the opening.
	pub rate_per_second: BalanceOf<T>,
	/// How long it outlives its last tick.
	pub gap_ms: u64,
	/// All that was ever reserved for it, what is charged included.
	pub funds: BalanceOf<T>,
	/// Seconds charged: the running total that ticks raise.
	pub seconds: u32,
	/// From when it may charge.
	pub started_at: Moment,
	/// When its opening was booked.
	pub opened_at: Moment,
	/// Up to where its time is charged.
	pub billed_until: Moment,
	/// When its last tick, or its opening, was booked.
	pub ticked_at: Moment,
	/// When it ended or will end at the latest.
	pub ended_at: Moment,
	/// What the operator takes for an order that charges it, fixed at the opening.
	pub tick_price: BalanceOf<T>,
	/// What the operator has taken so far.
	pub fees: BalanceOf<T>,
}

/// What a delegate key signs. Every number is a total, so that sending an order twice changes
/// nothing.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	CloneNoBound,
	PartialEqNoBound,
	EqNoBound,
	DebugNoBound,
)]
#[scale_info(skip_type_params(MaxMessage))]
#[codec(mel_bound())]
// The derived codec repeats the bounds of its own on every field's type.
#[allow(clippy::multiple_bound_locations)]
pub enum Order<Balance: OrderMoney, MaxMessage: Get<u32>> {
	/// Open the grant's next session.
	Open {
		/// The grant's next index.
		index: SessionIndex,
		/// What to watch.
		stream: StreamId,
		/// The stream's rate, so that nobody is surprised by another.
		rate_per_second: Balance,
		/// What to reserve from vault and cap.
		funds: Balance,
		/// From when the media is delivered.
		start_at: Moment,
		/// The most that the operator may take for an order that charges it, so that a higher price,
		/// set while the open waits for its block, opens no session.
		tick_price_max: Balance,
	},
	/// Raise what is reserved for a session.
	Fund {
		/// Which session.
		index: SessionIndex,
		/// The new total.
		funds: Balance,
	},
	/// Charge a session.
	Tick {
		/// Which session.
		index: SessionIndex,
		/// All seconds delivered since it started.
		seconds: u32,
	},
	/// Charge a session for the last time and free its slot.
	Close {
		/// Which session.
		index: SessionIndex,
		/// All seconds delivered since it started.
		seconds: u32,
	},
	/// Tip a session's stream from the viewer's vault.
	Tip {
		/// Which session.
		index: SessionIndex,
		/// All that the key has tipped under the grant.
		tips: Balance,
		/// Shown with the tip.
		message: BoundedVec<u8, MaxMessage>,
	},
	/// Buy one more period of the viewer's subscription to a session's stream.
	Renew {
		/// Which session.
		index: SessionIndex,
		/// All periods that the key has bought under the grant.
		renewals: u32,
	},
}

/// What a type of money must be able to do to stand in an order.
pub trait OrderMoney: Clone + PartialEq + Eq + core::fmt::Debug + MaxEncodedLen {}
impl<Balance: Clone + PartialEq + Eq + core::fmt::Debug + MaxEncodedLen> OrderMoney for Balance {}

impl<Balance: OrderMoney, MaxMessage: Get<u32>> Order<Balance, MaxMessage> {
	/// The session that the order is about.
	pub fn index(&self) -> SessionIndex {
		match self {
			Self::Open { index, .. }
			| Self::Fund { index, .. }
			| Self::Tick { index, .. }
			| Self::Close { index, .. }
			| Self::Tip { index, .. }
			| Self::Renew { index, .. } => *index,
		}
	}
}

/// An order as it stands in a batch.
#[derive(
	Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, PartialEq, Eq, Debug,
)]
pub struct SignedOrder<Order> {
	/// The grant whose key has signed it.
	pub grant: GrantId,
	/// What was signed.
	pub order: Order,
	/// The key's signature, as in `submit`.
	pub signature: DelegateSignature,
}

/// Why a session was closed.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
)]
pub enum CloseReason {
	/// The delegate key closed it.
	Order,
	/// An order charged more seconds than the funds covered.
	FundsExhausted,
	/// Nobody closed it in time, and somebody settled it.
	Settled,
}
