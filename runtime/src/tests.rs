//! What clients rest on: indices, extensions, prices, and states in which a chain begins.

use crate::{constants::*, *};
use codec::Encode;
use frame_support::traits::PalletInfoAccess;
use genesis::chain;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::TransactionExtension, BuildStorage};

/// What a constant of the ledger is: clients read them from the metadata.
macro_rules! constant {
	($name:ident) => {
		<<Runtime as pallet_paystream::Config>::$name as frame_support::traits::Get<_>>::get()
	};
}

mod audience;
mod genesis;
mod lane;
#[cfg(not(feature = "runtime-benchmarks"))]
mod migrations;

#[test]
fn every_listed_preset_builds_and_others_do_not_exist() {
	assert_eq!(Runtime::preset_names(), ["development", "local_testnet"]);
	for (name, validators) in [("development", 1), ("local_testnet", 2)] {
		chain(name).execute_with(|| {
			let alice = Sr25519Keyring::Alice.to_account_id();
			assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), validators);
			assert_eq!(Grandpa::grandpa_authorities().len(), validators);
			assert_eq!(pallet_sudo::Key::<Runtime>::get(), Some(alice.clone()));
			assert_eq!(Balances::free_balance(alice), 1_000_000 * UNIT);
		});
	}
	assert_eq!(Runtime::get_preset(&Some("mainnet".into())), None);
}

#[test]
fn the_ledger_begins_with_two_assets_and_a_pot_that_lives() {
	use configs::AssetKind;
	use frame_support::traits::fungibles::Inspect;
	const STABLECOIN: AssetKind = AssetKind::WithId(genesis_config_presets::DEV_STABLECOIN);

	chain("development").execute_with(|| {
		let entries: Vec<_> = pallet_paystream::AssetEntries::<Runtime>::iter().collect();
		assert_eq!(entries.len(), 2);
		for (asset, least) in [(AssetKind::Native, EXISTENTIAL_DEPOSIT), (STABLECOIN, 10_000)] {
			let (_, entry) = entries.iter().find(|(kind, _)| *kind == asset).expect("it is in");
			assert_eq!(entry.status, pallet_paystream::AssetStatus::Enabled);
			assert_eq!((entry.tip_min, entry.owed, entry.tick_price), (least, 0, 0));
			assert_eq!(configs::NativeAndAssets::balance(asset, &PayStream::pot()), least);
		}
	});
}

#[test]
fn extensions_come_in_the_order_that_clients_sign() {
	let names: Vec<_> = <TxExtension as TransactionExtension<RuntimeCall>>::metadata()
		.into_iter()
		.map(|extension| extension.identifier)
		.collect();
	assert_eq!(
		names,
		[
			"AuthorizeCall",
			"CheckNonZeroSender",
			"CheckSpecVersion",
			"CheckTxVersion",
			"CheckGenesis",
			"CheckMortality",
			"CheckNonce",
			"CheckWeight",
			"ChargeTransactionPayment",
			"CheckMetadataHash",
			"WeightReclaim",
		]
	);
}

#[test]
fn indices_that_signed_bytes_contain_stay() {
	assert_eq!(System::index(), 0);
	assert_eq!(Balances::index(), 4);
	assert_eq!(Utility::index(), 7);
	assert_eq!(PayStream::index(), 10);
	assert_eq!(PayStream::name(), "PayStream");
}

#[test]
fn assets_are_encoded_as_clients_write_them() {
	use configs::AssetKind;

	assert_eq!(AssetKind::Native.encode(), [0]);
	assert_eq!(AssetKind::WithId(7).encode(), [1, 7, 0, 0, 0]);
}

#[test]
fn a_transfer_costs_about_a_thousandth_of_a_token() {
	chain("development").execute_with(|| {
		let call = RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
			dest: Sr25519Keyring::Bob.to_account_id().into(),
			value: UNIT,
		});
		let fee = TransactionPayment::query_call_info(call, 150).partial_fee;
		assert!((MILLI_UNIT / 2..2 * MILLI_UNIT).contains(&fee), "{fee}");
	});
}

#[test]
fn a_block_fits_its_slot() {
	let weights = <Runtime as frame_system::Config>::BlockWeights::get();
	weights.clone().validate().expect("the limits agree with each other");
	assert!(weights.max_block.ref_time() / 1_000_000_000 < SLOT_DURATION_MS / 2);
	assert_eq!(pallet_aura::Pallet::<Runtime>::slot_duration(), SLOT_DURATION_MS);
}

#[test]
fn the_default_genesis_is_a_valid_state() {
	RuntimeGenesisConfig::default().build_storage().expect("the default builds");
}

#[test]
fn the_ledgers_deposits_are_this_chains_price_of_storage() {
	assert_eq!(constant!(StreamDepositBase), deposit(2, 465));
	assert_eq!(constant!(StreamDepositPerPayee), deposit(1, 125));
	assert_eq!(constant!(StreamDepositPerTier), deposit(1, 50));
	assert_eq!(constant!(SubscriptionDeposit), deposit(2, 195));
	assert_eq!(constant!(GrantDepositBase), deposit(3, 415));
	assert_eq!(constant!(GrantDepositPerSession), deposit(2, 280));
}

/// The whole way of a general transaction through this chain's extension, mortal as clients send it.
#[test]
fn the_last_claim_of_a_stream_needs_no_signature() {
	use sp_runtime::{
		generic::Era,
		traits::Dispatchable,
		transaction_validity::{InvalidTransaction::Custom, TransactionSource::External},
	};

	let claim = || {
		let extension: TxExtension = (
			frame_system::AuthorizeCall::new(),
			frame_system::CheckNonZeroSender::new(),
			frame_system::CheckSpecVersion::new(),
			frame_system::CheckTxVersion::new(),
			frame_system::CheckGenesis::new(),
			frame_system::CheckMortality::from(Era::mortal(64, 0)),
			frame_system::CheckNonce::from(0),
			frame_system::CheckWeight::new(),
			pallet_transaction_payment::ChargeTransactionPayment::from(0),
			frame_metadata_hash_extension::CheckMetadataHash::new(false),
			frame_system::WeightReclaim::new(),
		);
		let call = RuntimeCall::PayStream(pallet_paystream::Call::claim { stream: 0 });
		let transaction = UncheckedExtrinsic::new_transaction(call, extension);
		Executive::validate_transaction(External, transaction, Hash::default())
	};
	chain("development").execute_with(|| {
		let by_alice = |call: pallet_paystream::Call<Runtime>| {
			let alice = Sr25519Keyring::Alice.to_account_id();
			RuntimeCall::PayStream(call).dispatch(RuntimeOrigin::signed(alice)).unwrap();
		};
		by_alice(pallet_paystream::Call::create_stream {
			asset: configs::AssetKind::Native,
			rate_per_second: 1,
			payees: Default::default(),
			funds_min: 0,
			gap_min_ms: 0,
		});
		let refused = pallet_paystream::Error::<Runtime>::ClaimNotLast.encode()[0];
		assert_eq!(claim(), Err(Custom(refused).into()));
		by_alice(pallet_paystream::Call::end_stream { stream: 0 });
		let valid = claim().unwrap();
		assert_eq!(valid.provides, [("PayStream/claim", 0u64).encode()]);
		assert_eq!(valid.priority, 0);
	});
}

/// Whom root has named may stop new money, and can do nothing else.
#[test]
fn a_guardian_stops_and_does_no_more() {
	use configs::{AssetKind, Guardian};
	use sp_runtime::{traits::Dispatchable, DispatchError::BadOrigin};

	chain("development").execute_with(|| {
		let charlie = Sr25519Keyring::Charlie.to_account_id();
		let by = |who: &AccountId, call: pallet_paystream::Call<Runtime>| {
			let origin = RuntimeOrigin::signed(who.clone());
			let done = RuntimeCall::PayStream(call).dispatch(origin);
			done.map(|_| ()).map_err(|error| error.error)
		};
		let stop = |stopped| pallet_paystream::Call::set_stopped { stopped };
		assert_eq!(by(&charlie, stop(true)), Err(BadOrigin));

		let key = Guardian::key().to_vec();
		let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
		assert_eq!(hex, "d4cafdb7a84f03efc9109a9027d537e0", "docs/chain-operator.md has it, too");
		let items = vec![(key, Some(charlie.clone()).encode())];
		let named = frame_system::Call::set_storage { items };
		RuntimeCall::System(named).dispatch(RuntimeOrigin::root()).unwrap();
		assert_eq!(by(&charlie, stop(true)), Ok(()));
		assert_eq!(by(&charlie, stop(false)), Err(BadOrigin));
		let asset = AssetKind::Native;
		let disable = pallet_paystream::Call::disable_asset { asset: asset.clone() };
		assert_eq!(by(&charlie, disable), Ok(()));
		let enable = pallet_paystream::Call::enable_asset { asset, tip_min: 1 };
		assert_eq!(by(&charlie, enable), Err(BadOrigin));
		assert_eq!(by(&Sr25519Keyring::Dave.to_account_id(), stop(true)), Err(BadOrigin));
	});
}

#[test]
fn the_ledgers_accounts_stay() {
	let account = |id: [u8; 8]| -> AccountId {
		let mut bytes = [0; 32];
		bytes[..12].copy_from_slice(&[b"modl".as_slice(), &id].concat());
		bytes.into()
	};
	assert_eq!(PayStream::pot(), account(*b"paystrm "));
	let treasury: AccountId = constant!(Treasury);
	assert_eq!(treasury, account(*b"paystrtr"));
}

/// The fenced blocks of Rust in a page, line by line without their indentation.
fn rust_blocks(page: &str) -> Vec<Vec<&str>> {
	let mut blocks = Vec::new();
	let mut lines = page.lines().map(str::trim);
	while lines.any(|line| line == "```rust") {
		blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
	}
	blocks
}

#[test]
fn the_readmes_show_this_runtime() {
	let pages = [
		include_str!("../../pallet-paystream/README.md"),
		include_str!("../../pallet-paystream/runtime-api/README.md"),
	];
	let sources = [
		include_str!("apis.rs"),
		include_str!("configs/paystream.rs"),
		include_str!("configs/system.rs"),
		include_str!("lib.rs"),
	]
	.map(|source| source.lines().map(str::trim).collect::<Vec<_>>());
	for page in pages {
		let blocks = rust_blocks(page);
		assert!(!blocks.is_empty(), "the page shows code");
		for block in blocks {
			let stands_in = |source: &Vec<&str>| source.windows(block.len()).any(|w| w == block);
			assert!(sources.iter().any(stands_in), "not of this runtime:\n{}", block.join("\n"));
		}
	}
}
