// SPDX-License-Identifier: Apache-2.0

//! What the ledger says: its events, and all its entries.

use crate::{
	keys::Keyring,
	object,
	plain::Plain,
	runtime::{Assets, PayStream, Runtime, RuntimeEvent, System},
};
use frame::prelude::*;
use pallet_paystream::{
	AssetEntries, Error, Event, Grants, NextGrantId, NextStreamId, Sessions, Stopped, Streams,
	Subscriptions, Tiers, TreasuryShare, Vaults,
};
use polkadot_sdk::pallet_assets;

/// The name of an error of the ledger's, or of a refused origin; `None` for another's.
pub fn error_name(error: &DispatchError) -> Option<String> {
	match error {
		DispatchError::BadOrigin => Some("BadOrigin".into()),
		DispatchError::Module(module) if module.index == ledger_index() => {
			let error = Error::<Runtime>::decode(&mut &module.error[..]).ok()?;
			Some(format!("{error:?}"))
		}
		_ => None,
	}
}

fn ledger_index() -> u8 {
	<PayStream as PalletInfoAccess>::index() as u8
}

/// Append the pallet's events since the last time.
pub fn events(keys: &Keyring, out: &mut String) {
	out.push('[');
	let mut first = true;
	for record in System::read_events_no_consensus() {
		if let RuntimeEvent::PayStream(event) = record.event {
			if !first {
				out.push(',');
			}
			first = false;
			write_event(&event, keys, out);
		}
	}
	out.push(']');
	System::reset_events();
}

macro_rules! written {
	($event:expr, $keys:expr, $out:expr, $($name:ident { $($field:ident),* })*) => {
		match $event {
			$(
				Event::$name { $($field),* } => {
					$out.push_str(concat!("[\"", stringify!($name), "\","));
					object!($keys, $out, $($field: $field),*);
					$out.push(']');
				},
			)*
			Event::OrderFailed { grant, index, error } => {
				let error = error_name(error).unwrap_or_else(|| format!("{error:?}"));
				let error = error.as_str();
				$out.push_str("[\"OrderFailed\",");
				object!($keys, $out, grant: grant, index: index, error: error);
				$out.push(']');
			},
			other => unreachable!("an event that nobody reports: {other:?}"),
		}
	};
}

fn write_event(event: &Event<Runtime>, keys: &Keyring, out: &mut String) {
	written!(event, keys, out,
		StreamCreated { stream, owner, asset, rate_per_second }
		StreamUpdated { stream, rate_per_second, status }
		StreamEnded { stream }
		StreamDeleted { stream }
		Deposited { who, asset, amount }
		Withdrawn { who, asset, amount }
		Granted { grant, viewer, key, asset, cap, rate_max_per_second, expires_at }
		Revoked { grant, viewer }
		GrantDeleted { grant }
		SessionOpened { grant, index, stream, viewer, rate_per_second, funds, started_at }
		SessionFunded { grant, index, funds }
		Ticked { grant, index, stream, seconds, charged_seconds, amount, fee }
		SessionClosed { grant, index, stream, seconds, paid, refunded, ended_at, reason }
		Claimed { stream, payee, amount, credited }
		RemainderPaid { stream, owner, amount, credited }
		BatchDone { counted, free, failed }
		Tipped { stream, viewer, amount, message, grant }
		Refunded { stream, viewer, amount }
		StreamTransferred { stream, from, to }
		TiersSet { stream, tiers }
		Subscribed { stream, viewer, periods, price, paid_until }
		SubscriptionEarned { stream, viewer, periods, amount }
		SubscriptionCancelled { stream, viewer, refunded, paid_until }
		SubscriptionEnded { stream, viewer, refunded }
		TreasuryPaid { stream, amount, credited }
		AssetEnabled { asset, tip_min }
		AssetDisabled { asset }
		AssetWrittenOff { asset, owed }
		VaultErased { who, asset, amount }
		EarningsErased { stream, amount }
		TickPriceSet { asset, price }
		TreasuryShareSet { share }
		StopSet { stopped }
		HaltLeftOut { halt_ms, halted_ms }
	);
}

/// Append one list: `[[key, ..., entry], ...]`.
fn list<T>(
	name: &str,
	entries: impl Iterator<Item = T>,
	out: &mut String,
	each: impl Fn(T, &mut String),
) {
	out.push_str(",\"");
	out.push_str(name);
	out.push_str("\":[");
	for (place, entry) in entries.enumerate() {
		if place > 0 {
			out.push(',');
		}
		out.push('[');
		each(entry, out);
		out.push(']');
	}
	out.push(']');
}

macro_rules! values {
	($keys:expr, $out:expr, $first:expr $(, $next:expr)*) => {{
		$first.write($keys, $out);
		$( $out.push(','); $next.write($keys, $out); )*
	}};
}

/// Append all entries, all balances, and what `try_state` says.
pub fn dump(keys: &Keyring, out: &mut String) {
	out.push_str("{\"try_state\":");
	match PayStream::do_try_state() {
		Ok(()) => out.push_str("null"),
		Err(error) => format!("{error:?}").as_str().write(keys, out),
	}
	out.push_str(",\"values\":");
	object!(keys, out,
		next_stream: NextStreamId::<Runtime>::get(),
		next_grant: NextGrantId::<Runtime>::get(),
		treasury_share: TreasuryShare::<Runtime>::get(),
		stopped: Stopped::<Runtime>::get(),
		now: PayStream::now(),
	);
	money(keys, out);
	entries(keys, out);
	out.push('}');
}

fn money(keys: &Keyring, out: &mut String) {
	list("native", frame_system::Account::<Runtime>::iter(), out, |(who, account), out| {
		values!(keys, out, who, account.data.free, account.data.reserved);
	});
	list("assets", pallet_assets::Account::<Runtime>::iter(), out, |(id, who, account), out| {
		let balance = Assets::balance(id, who);
		debug_assert_eq!(balance, account.balance);
		values!(keys, out, id, who, account.balance);
	});
	list("vaults", Vaults::<Runtime>::iter(), out, |(who, asset, amount), out| {
		values!(keys, out, who, asset, amount);
	});
}

fn entries(keys: &Keyring, out: &mut String) {
	list("asset_entries", AssetEntries::<Runtime>::iter(), out, |(asset, entry), out| {
		values!(keys, out, asset);
		out.push(',');
		object!(keys, out, status: entry.status, tick_price: entry.tick_price,
			tip_min: entry.tip_min, owed: entry.owed);
	});
	list("tiers", Tiers::<Runtime>::iter(), out, |(stream, tiers), out| {
		values!(keys, out, stream, tiers);
	});
	list("subscriptions", Subscriptions::<Runtime>::iter(), out, |(stream, viewer, entry), out| {
		values!(keys, out, stream, viewer);
		out.push(',');
		object!(keys, out, tier: entry.tier, started_at: entry.started_at, periods: entry.periods,
			periods_earned: entry.periods_earned, deposit: entry.deposit);
	});
	list("streams", Streams::<Runtime>::iter(), out, |(id, entry), out| {
		values!(keys, out, id);
		out.push(',');
		object!(keys, out, owner: entry.owner, asset: entry.asset,
			rate_per_second: entry.rate_per_second, changed_at: entry.changed_at,
			payees: entry.payees, funds_min: entry.funds_min, gap_min_ms: entry.gap_min_ms,
			status: entry.status, stops: entry.stops, earned: entry.earned,
			earned_total: entry.earned_total, seconds: entry.seconds,
			sessions_open: entry.sessions_open, deposit: entry.deposit,
			tips_total: entry.tips_total, subscribed_total: entry.subscribed_total,
			refunded_total: entry.refunded_total, fees: entry.fees,
			subscriptions_open: entry.subscriptions_open, ended_at: entry.ended_at,
			shared_total: entry.shared_total, treasury_share: entry.treasury_share);
	});
	list("grants", Grants::<Runtime>::iter(), out, |(id, entry), out| {
		values!(keys, out, id);
		out.push(',');
		object!(keys, out, viewer: entry.viewer, key: entry.key, asset: entry.asset,
			rate_max_per_second: entry.rate_max_per_second, cap: entry.cap,
			cap_left: entry.cap_left, spent: entry.spent, tips_left: entry.tips_left,
			renewals_left: entry.renewals_left, gap_ms: entry.gap_ms,
			created_at: entry.created_at, expires_at: entry.expires_at,
			sessions_max: entry.sessions_max, open: entry.open, next_index: entry.next_index,
			opened_at: entry.opened_at, freed_end_at: entry.freed_end_at, seconds: entry.seconds,
			ended_at: entry.ended_at, deposit: entry.deposit, tips_total: entry.tips_total,
			renewals_total: entry.renewals_total, tipped_at: entry.tipped_at);
	});
	list("sessions", Sessions::<Runtime>::iter(), out, |(grant, index, entry), out| {
		values!(keys, out, grant, index);
		out.push(',');
		object!(keys, out, viewer: entry.viewer, key: entry.key, asset: entry.asset,
			stream: entry.stream, rate_per_second: entry.rate_per_second, gap_ms: entry.gap_ms,
			funds: entry.funds, seconds: entry.seconds, started_at: entry.started_at,
			opened_at: entry.opened_at, billed_until: entry.billed_until,
			ticked_at: entry.ticked_at, ended_at: entry.ended_at, tick_price: entry.tick_price,
			fees: entry.fees);
	});
}
