// SPDX-License-Identifier: Apache-2.0

//! Calls as they come in JSON, and what comes of them.
//!
//! A call of the ledger is dispatched as in a block, in a storage layer of its own; an order, and what
//! nobody signs, first passes the check that the transaction pool makes. The other calls are what happens outside of the
//! ledger. `null` is the native asset, a number another one; a signer is a key's number.

use crate::{
	keys::Keyring,
	report,
	runtime::{
		begin_block, AllAssets, Assets, Kind, PayStream, Runtime, RuntimeCall, RuntimeOrigin, BANK,
	},
};
use ::serde::Deserialize;
use frame::{
	deps::{
		frame_support::{
			storage::with_storage_layer,
			traits::{
				tokens::{
					fungibles::{Inspect, Mutate},
					Fortitude, Preservation,
				},
				Authorize as _,
			},
		},
		sp_runtime::transaction_validity::{
			InvalidTransaction, TransactionSource, TransactionValidityError,
		},
	},
	prelude::*,
	token::fungible::NativeOrWithId,
};
use pallet_paystream::{
	Error, FreeWeightUsed, GrantTerms, Order, OrderOf, Payee, SignedOrder, StreamChange, Tier,
};

type Asset = Option<u32>;
/// A call of the pallet.
pub type LedgerCall = pallet_paystream::Call<Runtime>;

/// One call, or a question.
#[derive(Deserialize)]
pub struct Request {
	#[serde(default)]
	origin: Origin,
	call: Call,
	/// Whether to tell all entries and balances afterwards.
	#[serde(default)]
	dump: bool,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Origin {
	Account(u64),
	Named(String),
	#[default]
	None,
}

#[derive(Deserialize)]
struct Share {
	account: u64,
	share: u32,
}

#[derive(Deserialize)]
struct TierArgs {
	price: u128,
	period_ms: u64,
	discount: u32,
}

#[derive(Deserialize)]
struct Terms {
	asset: Asset,
	rate_max_per_second: u128,
	cap: u128,
	sessions_max: u32,
	gap_ms: u64,
	expires_at: u64,
	tips_max: u128,
	renewals_max: u32,
}

#[derive(Deserialize)]
struct NewStream {
	asset: Asset,
	rate_per_second: u128,
	payees: Vec<Share>,
	funds_min: u128,
	gap_min_ms: u64,
}

#[derive(Deserialize)]
struct Change {
	rate_per_second: Option<u128>,
	payees: Option<Vec<Share>>,
	funds_min: Option<u128>,
	gap_min_ms: Option<u64>,
	paused: Option<bool>,
}

#[derive(Deserialize)]
struct OpenArgs {
	index: u32,
	stream: u64,
	rate_per_second: u128,
	funds: u128,
	start_at: u64,
	tick_price_max: u128,
}

#[derive(Deserialize)]
enum OrderArgs {
	Open(OpenArgs),
	Fund { index: u32, funds: u128 },
	Tick { index: u32, seconds: u32 },
	Close { index: u32, seconds: u32 },
	Tip { index: u32, tips: u128, message: Vec<u8> },
	Renew { index: u32, renewals: u32 },
}

#[derive(Deserialize)]
struct SignedArgs {
	grant: u64,
	order: OrderArgs,
	signer: Option<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Call {
	Deposit { asset: Asset, amount: u128 },
	Withdraw { asset: Asset, amount: u128 },
	Grant { key: u8, signer: Option<u8>, terms: Terms },
	Revoke { grant: u64 },
	Tip { stream: u64, amount: u128, message: Vec<u8> },
	Subscribe { stream: u64, tier: TierArgs, periods: u32 },
	CancelSubscription { stream: u64 },
	CreateStream(NewStream),
	UpdateStream { stream: u64, change: Change },
	EndStream { stream: u64 },
	TransferStream { stream: u64, to: u64 },
	Refund { stream: u64, viewer: u64, amount: u128 },
	SetTiers { stream: u64, tiers: Vec<TierArgs> },
	Settle { grant: u64, index: u32 },
	Claim { stream: u64 },
	SettleSubscription { stream: u64, viewer: u64 },
	SubmitBatch { orders: Vec<SignedArgs> },
	Submit(SignedArgs),
	EnableAsset { asset: Asset, tip_min: u128 },
	DisableAsset { asset: Asset },
	WriteOffAsset { asset: Asset },
	SetTickPrice { asset: Asset, price: u128 },
	SetTreasuryShare { share: u32 },
	SetStopped { stopped: bool },
	// outside of the ledger
	At { time_ms: u64 },
	FillFreeLane {},
	Give { source: u64, target: u64, asset: Asset, amount: u128 },
	Drain { source: u64, target: u64, asset: Asset },
	Mint { who: u64, asset: Asset, amount: u128 },
	CreateAsset { asset: u32, minimum: u128, sufficient: bool },
	DestroyAsset { asset: u32 },
	FreezeAsset { asset: Asset, frozen: bool },
	BlockAccount { who: u64, asset: Asset, blocked: bool },
}

/// Why a call did not count.
#[derive(Debug)]
pub enum Refusal {
	/// By its name among the pallet's errors.
	Named(String),
	/// The asset's own reasons, and the hold's.
	Asset(String),
	/// What happens outside could not.
	Outside,
}

/// Make a call, and append what came of it.
pub fn make(request: Request, keys: &mut Keyring, out: &mut String) {
	let Request { origin, call, dump } = request;
	let outcome = perform(origin, call, keys);
	out.push('{');
	match outcome {
		Ok(pays) => {
			out.push_str(if pays { "\"ok\":\"pays\"" } else { "\"ok\":\"free\"" });
		}
		Err(refusal) => {
			let (name, why) = match &refusal {
				Refusal::Named(name) => (name.as_str(), ""),
				Refusal::Asset(why) => ("Asset", why.as_str()),
				Refusal::Outside => ("Outside", ""),
			};
			out.push_str("\"error\":");
			crate::plain::Plain::write(name, keys, out);
			out.push_str(",\"why\":");
			crate::plain::Plain::write(why, keys, out);
		}
	}
	out.push_str(",\"events\":");
	report::events(keys, out);
	if dump {
		out.push_str(",\"dump\":");
		report::dump(keys, out);
	}
	out.push('}');
}

fn perform(origin: Origin, call: Call, keys: &mut Keyring) -> Result<bool, Refusal> {
	let who = match origin {
		Origin::Account(who) => who,
		_ => BANK,
	};
	let call = match ledger_call(who, call, keys) {
		Ok(call) => call,
		Err(outside) => return happen(outside).map(|()| false).ok_or(Refusal::Outside),
	};
	let origin = match origin {
		Origin::Account(who) => RuntimeOrigin::signed(who),
		Origin::Named(name) if name == "root" => RuntimeOrigin::root(),
		Origin::Named(_) | Origin::None => RuntimeOrigin::none(),
	};
	dispatch(origin, call)
}

/// Make a call of the ledger as a block makes it, and say whether it costs a fee. An order has no
/// other origin than the pool's check, nor has what nobody signs; and what that check lets in must not
/// fail.
pub fn dispatch(origin: RuntimeOrigin, call: LedgerCall) -> Result<bool, Refusal> {
	let is_order = matches!(call, LedgerCall::submit { .. });
	let unsigned = is_order || ensure_none(origin.clone()).is_ok();
	let call = RuntimeCall::PayStream(call);
	let authorized = if unsigned { authorized(&call)? } else { None };
	let is_authorized = authorized.is_some();
	let info = call.clone().dispatch(authorized.unwrap_or(origin)).map_err(|error| {
		assert!(!is_authorized, "let in, and failed with {:?}: {call:?}", error.error);
		refusal(error.error)
	})?;
	Ok(info.pays_fee == Pays::Yes)
}

/// The pool's check, which the block makes too; `None` of a call that has none.
fn authorized(call: &RuntimeCall) -> Result<Option<RuntimeOrigin>, Refusal> {
	match call.authorize(TransactionSource::External) {
		None => Ok(None),
		Some(Ok(_)) => Ok(Some(frame_system::RawOrigin::Authorized.into())),
		Some(Err(TransactionValidityError::Invalid(invalid))) => Err(named(invalid)),
		Some(Err(unknown)) => Err(Refusal::Named(format!("{unknown:?}"))),
	}
}

/// The error that a pool's refusal stands for, as a client finds it in the metadata.
fn named(invalid: InvalidTransaction) -> Refusal {
	let error = match invalid {
		InvalidTransaction::Stale => Error::<Runtime>::OrderStale,
		InvalidTransaction::BadProof => Error::SignatureInvalid,
		InvalidTransaction::ExhaustsResources => Error::FreeLaneFull,
		InvalidTransaction::Custom(index) => match Error::decode(&mut &[index][..]) {
			Ok(error) => error,
			Err(_) => return Refusal::Named(format!("Custom({index})")),
		},
		other => return Refusal::Named(format!("{other:?}")),
	};
	refusal(error.into())
}

fn refusal(error: DispatchError) -> Refusal {
	match report::error_name(&error) {
		Some(name) => Refusal::Named(name),
		None => Refusal::Asset(format!("{error:?}")),
	}
}

// --- the ledger's calls -----------------------------------------------------------------------

fn kind(asset: Asset) -> Kind {
	asset.map_or(NativeOrWithId::Native, NativeOrWithId::WithId)
}

fn bounded<T, N: Get<u32>>(list: Vec<T>) -> BoundedVec<T, N> {
	BoundedVec::truncate_from(list)
}

fn share(parts: u32) -> Permill {
	Permill::from_parts(parts)
}

fn payees(list: Vec<Share>) -> pallet_paystream::PayeesOf<Runtime> {
	let payee = |each: Share| Payee { account: each.account, share: share(each.share) };
	bounded(list.into_iter().map(payee).collect())
}

fn tier(args: TierArgs) -> Tier<u128> {
	let TierArgs { price, period_ms, discount } = args;
	Tier { price, period_ms, discount: share(discount) }
}

fn order(args: OrderArgs) -> OrderOf<Runtime> {
	match args {
		OrderArgs::Open(open) => Order::Open {
			index: open.index,
			stream: open.stream,
			rate_per_second: open.rate_per_second,
			funds: open.funds,
			start_at: open.start_at,
			tick_price_max: open.tick_price_max,
		},
		OrderArgs::Fund { index, funds } => Order::Fund { index, funds },
		OrderArgs::Tick { index, seconds } => Order::Tick { index, seconds },
		OrderArgs::Close { index, seconds } => Order::Close { index, seconds },
		OrderArgs::Tip { index, tips, message } => {
			Order::Tip { index, tips, message: bounded(message) }
		}
		OrderArgs::Renew { index, renewals } => Order::Renew { index, renewals },
	}
}

fn signed(args: SignedArgs, keys: &mut Keyring) -> SignedOrder<OrderOf<Runtime>> {
	let SignedArgs { grant, order: args, signer } = args;
	let order = order(args);
	let signature = keys.sign(signer, PayStream::order_bytes(grant, &order));
	SignedOrder { grant, order, signature }
}

/// A call of the pallet, or the call back if it is none. `who` is whom a key signs its proof for.
fn ledger_call(who: u64, call: Call, keys: &mut Keyring) -> Result<LedgerCall, Call> {
	Ok(match call {
		Call::Grant { key, signer, terms } => {
			let proof = keys.sign(signer, PayStream::grant_bytes(&who));
			let terms = GrantTerms {
				asset: kind(terms.asset),
				rate_max_per_second: terms.rate_max_per_second,
				cap: terms.cap,
				sessions_max: terms.sessions_max,
				gap_ms: terms.gap_ms,
				expires_at: terms.expires_at,
				tips_max: terms.tips_max,
				renewals_max: terms.renewals_max,
			};
			LedgerCall::grant { key: keys.key(key), proof, terms }
		}
		Call::Deposit { asset, amount } => LedgerCall::deposit { asset: kind(asset), amount },
		Call::Withdraw { asset, amount } => LedgerCall::withdraw { asset: kind(asset), amount },
		Call::Revoke { grant } => LedgerCall::revoke { grant },
		Call::Tip { stream, amount, message } => {
			LedgerCall::tip { stream, amount, message: bounded(message) }
		}
		Call::Subscribe { stream, tier: args, periods } => {
			LedgerCall::subscribe { stream, tier: tier(args), periods }
		}
		Call::CancelSubscription { stream } => LedgerCall::cancel_subscription { stream },
		Call::CreateStream(new) => LedgerCall::create_stream {
			asset: kind(new.asset),
			rate_per_second: new.rate_per_second,
			payees: payees(new.payees),
			funds_min: new.funds_min,
			gap_min_ms: new.gap_min_ms,
		},
		Call::UpdateStream { stream, change } => {
			let change = StreamChange {
				rate_per_second: change.rate_per_second,
				payees: change.payees.map(payees),
				funds_min: change.funds_min,
				gap_min_ms: change.gap_min_ms,
				paused: change.paused,
			};
			LedgerCall::update_stream { stream, change }
		}
		Call::EndStream { stream } => LedgerCall::end_stream { stream },
		Call::TransferStream { stream, to } => LedgerCall::transfer_stream { stream, to },
		Call::Refund { stream, viewer, amount } => LedgerCall::refund { stream, viewer, amount },
		Call::SetTiers { stream, tiers } => {
			LedgerCall::set_tiers { stream, tiers: bounded(tiers.into_iter().map(tier).collect()) }
		}
		Call::Settle { grant, index } => LedgerCall::settle { grant, index },
		Call::Claim { stream } => LedgerCall::claim { stream },
		Call::SettleSubscription { stream, viewer } => {
			LedgerCall::settle_subscription { stream, viewer }
		}
		Call::SubmitBatch { orders } => {
			let orders = orders.into_iter().map(|each| signed(each, keys)).collect();
			LedgerCall::submit_batch { orders: bounded(orders) }
		}
		Call::Submit(args) => {
			let SignedOrder { grant, order, signature } = signed(args, keys);
			LedgerCall::submit { grant, order, signature }
		}
		Call::EnableAsset { asset, tip_min } => {
			LedgerCall::enable_asset { asset: kind(asset), tip_min }
		}
		Call::DisableAsset { asset } => LedgerCall::disable_asset { asset: kind(asset) },
		Call::WriteOffAsset { asset } => LedgerCall::write_off_asset { asset: kind(asset) },
		Call::SetTickPrice { asset, price } => {
			LedgerCall::set_tick_price { asset: kind(asset), price }
		}
		Call::SetTreasuryShare { share: parts } => {
			LedgerCall::set_treasury_share { share: share(parts) }
		}
		Call::SetStopped { stopped } => LedgerCall::set_stopped { stopped },
		outside => return Err(outside),
	})
}

// --- outside of the ledger --------------------------------------------------------------------

/// Let something happen; `None` if it cannot.
fn happen(call: Call) -> Option<()> {
	with_storage_layer(|| outside(call).ok_or(DispatchError::Other("it cannot happen"))).ok()
}

fn outside(call: Call) -> Option<()> {
	let bank = || RuntimeOrigin::signed(BANK);
	match call {
		Call::At { time_ms } => begin_block(time_ms),
		Call::FillFreeLane {} => FreeWeightUsed::<Runtime>::put(Weight::MAX),
		Call::Give { source, target, asset, amount } => {
			(source != target && amount > 0).then_some(())?;
			transfer(kind(asset), source, target, amount, Preservation::Preserve)?;
		}
		Call::Drain { source, target, asset } => {
			let all = AllAssets::reducible_balance(
				kind(asset),
				&source,
				Preservation::Expendable,
				Fortitude::Polite,
			);
			(source != target && all > 0).then_some(())?;
			transfer(kind(asset), source, target, all, Preservation::Expendable)?;
		}
		Call::Mint { who, asset: None, amount } => {
			AllAssets::mint_into(NativeOrWithId::Native, &who, amount).ok()?;
		}
		Call::Mint { who, asset: Some(id), amount } => {
			Assets::mint(bank(), id, who, amount).ok()?;
		}
		Call::CreateAsset { asset, minimum, sufficient } => {
			let root = RuntimeOrigin::root();
			Assets::force_create(root, asset, BANK, sufficient, minimum).ok()?;
		}
		Call::DestroyAsset { asset } => destroy(asset)?,
		Call::FreezeAsset { asset, frozen: true } => {
			Assets::freeze_asset(bank(), asset?).ok()?;
		}
		Call::FreezeAsset { asset, frozen: false } => {
			Assets::thaw_asset(bank(), asset?).ok()?;
		}
		Call::BlockAccount { who, asset, blocked: true } => {
			Assets::block(bank(), asset?, who).ok()?;
		}
		Call::BlockAccount { who, asset, blocked: false } => {
			Assets::thaw(bank(), asset?, who).ok()?;
		}
		_ => return None,
	}
	Some(())
}

fn transfer(asset: Kind, source: u64, target: u64, amount: u128, how: Preservation) -> Option<()> {
	AllAssets::transfer(asset, &source, &target, amount, how).ok().map(|_| ())
}

/// Destroy an asset with everybody's balances; `None` if it cannot be, half done or not.
pub fn destroy(asset: u32) -> Option<()> {
	Assets::start_destroy(RuntimeOrigin::root(), asset).ok()?;
	let anybody = || RuntimeOrigin::signed(BANK);
	// each call removes a bounded number of accounts
	while Assets::finish_destroy(anybody(), asset).is_err() {
		Assets::destroy_accounts(anybody(), asset).ok()?;
		Assets::destroy_approvals(anybody(), asset).ok()?;
	}
	Some(())
}
